//go:build unix

package fleet_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go"
)

var spendSeconds = flag.Int("spend.seconds", 0, "how long each part of the test of the shared budget lasts; 0: not at all")

// counter is a service that counts as a plan does.
type counter struct {
	mu       sync.Mutex
	arrivals []time.Time // of the last minute
	all      int
	most     int // in a minute
}

func (c *counter) ServeHTTP(http.ResponseWriter, *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for len(c.arrivals) > 0 && now.Sub(c.arrivals[0]) >= time.Minute {
		c.arrivals = c.arrivals[1:]
	}
	c.arrivals = append(c.arrivals, now)
	c.all++
	c.most = max(c.most, len(c.arrivals))
}

func (c *counter) reset() (all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, c.all = c.all, 0
	return all
}

func TestFourProcessesUseTheMinuteWhollyAndNeverMore(t *testing.T) { //nolint:paralleltest // alone: it measures
	if *spendSeconds == 0 {
		t.Skip("it takes minutes; run it with -spend.seconds=120, a multiple of a minute")
	}
	s := newSite(t)
	service := new(counter)
	server := httptest.NewServer(service)
	defer server.Close()
	r := s.role()
	r.Kind, r.Service, r.Limits = "spender", server.URL, scriptix.Limits{PerMinute: 120, PerHour: 100_000, Concurrent: 20}
	var spenders []*actor
	for range 4 {
		spenders = append(spenders, r.begin(t))
	}
	changes := func() (n int) {
		_ = s.pool.QueryRow(t.Context(), "select n_tup_upd from pg_stat_user_tables where relname = 'scriptix_budget'").Scan(&n)
		return n
	}
	time.Sleep(65 * time.Second) // the first minute's burst
	service.reset()
	before := changes()
	time.Sleep(time.Duration(*spendSeconds) * time.Second)
	sent, most := service.reset(), service.most
	perRequest := float64(changes()-before) / float64(sent)
	used := float64(sent) / (2 * float64(*spendSeconds))
	t.Logf("without kills: %.1f %% used, at most %d of 120 in a minute, %.1f changes a request", 100*used, most, perRequest)
	assert.GreaterOrEqual(t, used, 0.95)
	assert.LessOrEqual(t, perRequest, 4.5)

	for i := range *spendSeconds / 4 {
		time.Sleep(4 * time.Second)
		spenders[i%4].kill()
		spenders[i%4] = r.begin(t)
	}
	sent = service.reset()
	t.Logf("with a kill every 4 s: %.1f %% used, at most %d of 120 in a minute", 100*float64(sent)/(2*float64(*spendSeconds)), service.most)
	assert.LessOrEqual(t, service.most, 120)
}
