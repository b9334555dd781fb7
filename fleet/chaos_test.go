package fleet_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// Without a number of recordings the test is skipped: the short form takes a few minutes.
var (
	chaosRecordings = flag.Int("chaos.recordings", 0, "recordings of the chaos test")
	chaosKills      = flag.Int("chaos.kills", 10, "SIGKILLs of the chaos test")
	chaosRestarts   = flag.Int("chaos.restarts", 1, "immediate restarts of the database in the chaos test")
	chaosSeed       = flag.Uint64("chaos.seed", 1, "seed of the chaos test")
	chaosServer     = flag.String("chaos.server", "fake", "fake, or plain: a service of net/http alone")
	chaosPerMinute  = flag.Int("chaos.perminute", 0, "requests a minute that the plan of the chaos test allows; 0: such that it binds for minutes")
)

// service is what the chaos test needs of either server.
type service interface {
	base() (url, key, secret string)
	// jobs counts the jobs of each recording, by the SHA-256 of its bytes.
	jobs() map[string]int
	// failed says which recordings fail as scripted.
	failed() map[string]bool
	usage() (refused, perMinute, concurrent int)
}

// chaos is a fleet of processes that are killed.
type chaos struct {
	t        *testing.T
	r        *rand.Rand
	cluster  *fleettest.Cluster
	pool     *pgxpool.Pool
	fleet    *fleet.Fleet
	service  service
	role     role
	limits   scriptix.Limits
	balancer *balancer

	workers []*actor
	kills   int
	early   int // kills while more than half were open
}

func TestNothingIsPaidForTwiceOrLostThoughProcessesAndTheDatabaseAreKilled(t *testing.T) { //nolint:paralleltest // alone: it takes the machine
	if *chaosRecordings == 0 {
		t.Skip("it takes minutes; run it with -chaos.recordings=100 -chaos.kills=10 -timeout=20m")
	}
	c := newChaos(t)
	keys := c.enqueue(*chaosRecordings)
	began := time.Now()
	vigil, early := c.keepVigil(), c.read()
	last := c.rampage(len(keys), began)
	c.calmDown(last)
	outcomes := c.outcomes(len(keys))
	early.compare(c)
	longest := vigil.end()
	assert.Less(t, longest, 60*time.Second-c.role.Lease, "a record was the dead's for too long")
	t.Logf("at most %v after their lease a record was the dead's", longest.Round(100*time.Millisecond))
	c.check(keys, outcomes)
	refused, perMinute, concurrent := c.service.usage()
	t.Logf("seed %d, %s: %d recordings in %v, %d kills (%d while more than half were open), %d restarts; %d requests in a minute of %d, %d at once of %d, %d refused",
		*chaosSeed, *chaosServer, len(keys), time.Since(began).Round(time.Second), c.kills, c.early, *chaosRestarts,
		perMinute, c.limits.PerMinute, concurrent, c.limits.Concurrent, refused)
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	cluster, err := fleettest.Start("max_connections=300", "shared_buffers=64MB")
	if errors.Is(err, fleettest.ErrMissing) && os.Getenv(fleettest.RequireVariable) == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, cluster.Close()) })
	c := &chaos{t: t, r: rand.New(rand.NewPCG(*chaosSeed, 0)), cluster: cluster}
	perMinute := *chaosPerMinute
	if perMinute == 0 {
		perMinute = max(60, *chaosRecordings*2/5)
	}
	c.limits = scriptix.Limits{PerMinute: perMinute, PerHour: 20_000, PerDay: 200_000, Concurrent: 12}
	c.pool = poolOn(t, cluster.URL(""))
	require.NoError(t, fleet.Migrate(t.Context(), c.pool, ""))
	if *chaosServer == "plain" {
		c.service = newPlainService(t, c.limits, *chaosSeed)
	} else {
		c.service = newFakeService(t, c.limits, *chaosSeed)
	}
	base, key, secret := c.service.base()
	c.role = role{
		Database: cluster.URL(""), Service: base, APIKey: key, Secret: secret, Root: t.TempDir(),
		Lease: 4 * time.Second, Limits: c.limits, Concurrency: 4, Unknown: 12 * time.Second, Verbose: os.Getenv("CHAOS_VERBOSE") != "",
	}
	c.balancer = newBalancer(t)
	c.role.Callback = c.balancer.server.URL + "/hook"
	for range 2 {
		c.balancer.add(c.spawn("receiver"))
	}
	for range 3 {
		c.workers = append(c.workers, c.spawn("worker"))
	}
	c.fleet = newFleet(t, c.pool, fleet.Options{Root: c.role.Root})
	return c
}

func (c *chaos) spawn(kind string) *actor {
	c.t.Helper()
	r := c.role
	r.Kind, r.Listen = kind, "127.0.0.1:0"
	for {
		a, err := r.spawn()
		if err == nil {
			c.t.Cleanup(a.kill)
			return a
		}
		c.t.Logf("a %s could not start, and tries again: %v", kind, err)
		select {
		case <-time.After(500 * time.Millisecond):
		case <-c.t.Context().Done():
			c.t.Fatal(err)
		}
	}
}

// enqueue makes recordings, each of its own content, and claims them. The keys
// are by content.
func (c *chaos) enqueue(n int) map[string]string {
	keys := make(map[string]string, n)
	var in []fleet.Input
	for i := range n {
		data := wav(time.Duration(1+c.r.IntN(8))*time.Second, i)
		name := fmt.Sprintf("rec-%d.wav", i)
		require.NoError(c.t, os.WriteFile(filepath.Join(c.role.Root, name), data, 0o600))
		sum := sha256.Sum256(data)
		keys[hex.EncodeToString(sum[:])] = name
		in = append(in, fleet.Input{Source: "file:" + name, Key: name, Params: scriptix.SubmitParams{Language: "en"}})
	}
	counted, err := c.fleet.Enqueue(c.t.Context(), slices.Values(in))
	require.NoError(c.t, err)
	require.Equal(c.t, n, counted.Fresh)
	return keys
}

// open counts the recordings that nobody knows the end of.
func (c *chaos) open() (open int, ok bool) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	status, err := c.fleet.Status(ctx)
	if err != nil {
		return 0, false
	}
	for phase, n := range status.Counts {
		if phase.Open() {
			open += n
		}
	}
	return open, true
}

// rampage kills and restarts until as many are dead as were asked for. Two
// thirds fall while more than half of the recordings are open.
func (c *chaos) rampage(n int, began time.Time) (last time.Time) {
	restarts := 0
	// Two requests a recording, in bursts of what the plan allows in a minute.
	span := time.Duration(max(0, 2*n-c.limits.PerMinute)) * time.Minute / time.Duration(c.limits.PerMinute)
	gap := max(500*time.Millisecond, span*4/10/time.Duration(max(1, *chaosKills*2/3))-time.Second)
	for c.kills < *chaosKills {
		wait := gap/2 + time.Duration(c.r.Int64N(int64(gap)))
		time.Sleep(wait)
		if restarts < *chaosRestarts && c.kills >= (restarts+1)*(*chaosKills)/(*chaosRestarts+1) {
			restarts++
			require.NoError(c.t, c.cluster.Restart())
		}
		if open, ok := c.open(); ok && 2*open > n {
			c.early++
		}
		c.kills++
		if c.r.IntN(4) == 0 {
			c.balancer.replace(c.r.IntN(2), func() *actor { return c.spawn("receiver") })
			continue
		}
		i := c.r.IntN(len(c.workers))
		c.workers[i].kill()
		time.Sleep(time.Duration(c.r.IntN(2000)) * time.Millisecond)
		c.workers[i] = c.spawn("worker")
	}
	c.t.Logf("the last of %d kills fell after %v", c.kills, time.Since(began).Round(time.Second))
	return time.Now()
}

// outcomes reads the last outcome of each recording, and checks that none comes
// twice or out of order.
func (c *chaos) outcomes(n int) map[string]fleet.Outcome {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	got := make(map[string]fleet.Outcome)
	var last fleet.Cursor
	for o, err := range c.fleet.Outcomes(ctx, 0) {
		if err != nil {
			c.t.Logf("outcomes: %v", err)
			continue
		}
		require.Greater(c.t, o.Cursor, last, "outcomes come in order")
		last = o.Cursor
		got[o.Key] = o
		if len(got) < n {
			continue
		}
		if open, ok := c.open(); ok && open == c.unknowns(got) {
			break
		}
	}
	if len(got) < n {
		status, _ := c.fleet.Status(c.t.Context())
		c.t.Fatalf("after all that time %d of %d have an outcome: %v", len(got), n, status.Counts)
	}
	return got
}

func (c *chaos) unknowns(got map[string]fleet.Outcome) (n int) {
	for _, o := range got {
		if o.State == batch.StateUnknown {
			n++
		}
	}
	return n
}

func (c *chaos) check(keys map[string]string, outcomes map[string]fleet.Outcome) {
	jobs, failed := c.service.jobs(), c.service.failed()
	states := make(map[batch.State]int)
	for sum, key := range keys {
		o := outcomes[key]
		states[o.State]++
		assert.LessOrEqual(c.t, jobs[sum], 1, "%s was paid for %d times", key, jobs[sum])
		switch o.State {
		case batch.StateDone:
			transcript, err := c.fleet.Transcript(c.t.Context(), key)
			assert.NoError(c.t, err, key)
			assert.Equal(c.t, o.JobID, transcript.JobID)
			assert.False(c.t, failed[sum], "%s is done, and was to fail", key)
		case batch.StateFailed:
			assert.True(c.t, failed[sum], "%s failed, and was not to: %v", key, o.Err)
		case batch.StateUnknown:
			c.t.Logf("%s is unknown (%d jobs at the service): %v", key, jobs[sum], o.Err)
			assert.ErrorIs(c.t, o.Err, scriptix.ErrUnknownOutcome)
		default:
			c.t.Errorf("%s is %s: %v", key, o.State, o.Err)
		}
	}
	refused, perMinute, concurrent := c.service.usage()
	assert.Zero(c.t, refused, "the plan refused nothing")
	assert.LessOrEqual(c.t, perMinute, c.limits.PerMinute)
	assert.LessOrEqual(c.t, concurrent, c.limits.Concurrent)
	c.t.Logf("outcomes: %v", states)
}

// balancer hands each callback to one of the receivers that live.
type balancer struct {
	server *httptest.Server
	mu     sync.Mutex
	live   []*actor
	next   int
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(b.pick()) }, ErrorLog: silent}
	b.server = httptest.NewServer(proxy)
	t.Cleanup(b.server.Close)
	return b
}

func (b *balancer) pick() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return &url.URL{Scheme: "http", Host: b.live[b.next%len(b.live)].addr}
}

func (b *balancer) add(a *actor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = append(b.live, a)
}

// replace kills a receiver, and has another one take its place a moment later.
func (b *balancer) replace(i int, spawn func() *actor) {
	b.mu.Lock()
	old := b.live[i]
	b.mu.Unlock()
	old.kill()
	fresh := spawn()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live[i] = fresh
}

// fakeService is the fake of scriptixtest, with faults.
type fakeService struct{ *scriptixtest.Server }

func newFakeService(t *testing.T, l scriptix.Limits, seed uint64) *fakeService {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	fake := scriptixtest.New(t,
		scriptixtest.WithPlan(scriptixtest.Limits{PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay, Concurrent: l.Concurrent}),
		scriptixtest.WithCallbackRetries(time.Second, 3*time.Second, 9*time.Second), scriptixtest.WithHistory(100_000))
	fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		mu.Lock()
		defer mu.Unlock()
		o := scriptixtest.Outcome{Processing: time.Duration(500+r.IntN(4000)) * time.Millisecond, Text: u.SHA256}
		if scriptedToFail(u.SHA256) {
			o.Failure = "scripted"
		}
		switch n := r.IntN(100); {
		case n < 5:
			o.Callback.Lose = true
		case n < 10:
			o.Callback.Repeat, o.Callback.RepeatEvery = 2, 300*time.Millisecond
		case n < 15:
			o.Callback.Before = true
		case n < 20:
			o.Callback.Contradict = true
		case n < 23:
			o.Callback.Untrue = o.Failure == "" // a failure is confirmed; a success that is none, too
		case n < 27:
			o.ResultDelay = time.Second
		}
		return o
	})
	faults(fake, r, *chaosRecordings)
	return &fakeService{fake}
}

// faults has a twentieth of the requests go wrong.
func faults(fake *scriptixtest.Server, r *rand.Rand, recordings int) {
	kinds := []scriptixtest.Fault{
		{On: scriptixtest.Submit, Status: http.StatusServiceUnavailable, RetryAfter: "1"},
		{On: scriptixtest.Submit, Cut: scriptixtest.BeforeBody},
		{On: scriptixtest.Submit, Cut: scriptixtest.WithinBody},
		{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody},
		{On: scriptixtest.Submit, Cut: scriptixtest.WithinAnswer},
		{On: scriptixtest.Submit, Delay: 2 * time.Second},
		{On: scriptixtest.Submit, BodyStall: 3 * time.Second},
		{On: scriptixtest.Result, Status: http.StatusBadGateway},
		{On: scriptixtest.Result, Cut: scriptixtest.WithinAnswer},
		{On: scriptixtest.Status, Status: http.StatusInternalServerError},
	}
	for range 2 * recordings / 20 {
		fault := kinds[r.IntN(len(kinds))]
		fault.Skip = r.IntN(recordings)
		fake.Fault(fault)
	}
}

func scriptedToFail(sum string) bool { return sum[0] == '0' && sum[1] < '8' }

func (f *fakeService) base() (base, key, secret string) {
	return f.URL(), f.APIKey(), f.WebhookSecret()
}

func (f *fakeService) jobs() map[string]int {
	jobs := make(map[string]int)
	for _, job := range f.Jobs() {
		jobs[job.SHA256]++
	}
	return jobs
}

func (f *fakeService) failed() map[string]bool {
	failed := make(map[string]bool)
	for _, job := range f.Jobs() {
		failed[job.SHA256] = scriptedToFail(job.SHA256)
	}
	return failed
}

func (f *fakeService) usage() (refused, perMinute, concurrent int) {
	stats := f.Stats()
	return stats.Refused, stats.PerMinute, stats.Concurrent
}
