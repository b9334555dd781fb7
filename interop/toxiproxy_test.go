package interop_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// startProxy puts toxiproxy in front of the service.
func startProxy(t *testing.T, upstream string) *toxiproxy.Proxy {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := toxiproxy.NewProxy(api, t.Name(), "127.0.0.1:0", upstream)
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

func poison(t *testing.T, p *toxiproxy.Proxy, toxic string) {
	t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(t, err)
}

// ear hears each time an upload is interrupted and goes on.
type ear struct {
	slog.Handler
	times atomic.Int32
	first func()
	once  sync.Once
}

func (e *ear) Enabled(context.Context, slog.Level) bool { return true }

func (e *ear) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "scriptix: upload interrupted, going on" {
		e.times.Add(1)
		if e.first != nil {
			e.once.Do(e.first)
		}
	}
	return nil
}

func TestUploadSurvivesAProxyThatCutsEachConnection(t *testing.T) { //nolint:paralleltest // they would fight for the disk
	size := int64(128 << 20)
	if *full {
		size = 1 << 30
	}
	s := startServer(t)
	proxy := startProxy(t, s.addr)
	poison(t, proxy, `{"type":"limit_data","stream":"upstream","attributes":{"bytes":33333333}}`)
	heard := new(ear)
	c := newClient(t, "http://"+proxy.Listen, scriptix.WithLogger(slog.New(heard)))
	p := tape{size}

	job, err := c.STT.Submit(t.Context(), p.audio(), scriptix.SubmitParams{Language: "en"}, scriptix.Resumable())

	require.NoError(t, err)
	requireStored(t, s.dir, job, p)
	assert.GreaterOrEqual(t, int64(heard.times.Load()), size/33333333-1)
	t.Logf("%d MiB, cut %d times, identical", size>>20, heard.times.Load())
}

func TestUploadSurvivesANetworkThatStalls(t *testing.T) { //nolint:paralleltest // as above
	s := startServer(t)
	proxy := startProxy(t, s.addr)
	heard := &ear{first: func() {
		assert.NoError(t, proxy.Toxics.RemoveToxic(context.WithoutCancel(t.Context()), "stall"))
	}}
	c := newClient(t, "http://"+proxy.Listen, scriptix.WithLogger(slog.New(heard)), scriptix.WithIdleTimeout(time.Second))
	p := tape{128 << 20}
	done := make(chan struct{})
	go func() {
		if stored(s.dir, 40<<20, done) {
			_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"stall","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`))
			assert.NoError(t, err)
		}
	}()

	job, err := c.STT.Submit(t.Context(), p.audio(), scriptix.SubmitParams{Language: "en"}, scriptix.Resumable())

	close(done)
	require.NoError(t, err)
	requireStored(t, s.dir, job, p)
	assert.Positive(t, heard.times.Load(), "it stalled, and was noticed")
}

func TestUploadThroughASlowNetworkIsNotInterrupted(t *testing.T) { //nolint:paralleltest // as above
	s := startServer(t)
	proxy := startProxy(t, s.addr)
	poison(t, proxy, `{"type":"bandwidth","stream":"upstream","attributes":{"rate":20000}}`)
	heard := new(ear)
	c := newClient(t, "http://"+proxy.Listen, scriptix.WithLogger(slog.New(heard)), scriptix.WithIdleTimeout(time.Second))
	p := tape{64 << 20}
	started := time.Now()

	job, err := c.STT.Submit(t.Context(), p.audio(), scriptix.SubmitParams{Language: "en"}, scriptix.Resumable())

	require.NoError(t, err)
	requireStored(t, s.dir, job, p)
	assert.Zero(t, heard.times.Load())
	assert.Greater(t, time.Since(started), 2*time.Second, "64 MiB at 20 MB/s")
}
