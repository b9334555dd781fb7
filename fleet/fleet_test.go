package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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

// site is a fleet with all that it needs: a database, the fake service, a folder
// of recordings, and a receiver of callbacks.
type site struct {
	url      string // of the database
	pool     *pgxpool.Pool
	fake     *scriptixtest.Server
	root     string
	callback string
}

func newSite(t *testing.T, opts ...scriptixtest.Option) *site {
	t.Helper()
	url := fleettest.Database(t)
	s := &site{url: url, pool: poolOn(t, url), fake: scriptixtest.New(t, opts...), root: t.TempDir()}
	require.NoError(t, fleet.Migrate(t.Context(), s.pool, ""))
	receiver := newFleet(t, s.pool, fleet.Options{})
	handler, err := receiver.Handler(s.fake.WebhookSecret())
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.callback = server.URL + "/callbacks"
	return s
}

// options are those of a worker that leases are short for.
func (s *site) options() fleet.Options {
	return fleet.Options{
		Root: s.root, Lease: 2 * time.Second,
		Client: func(b scriptix.Budget) (*scriptix.Client, error) {
			return scriptix.New(s.fake.APIKey(), scriptix.WithBaseURL(s.fake.URL()), scriptix.WithBudget(b),
				scriptix.WithWebhook(s.callback, s.fake.WebhookSecret()))
		},
	}
}

// start starts a worker that the test's end stops.
func (s *site) start(t *testing.T, o fleet.Options) *fleet.Fleet {
	t.Helper()
	if testing.Verbose() && o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	f := newFleet(t, s.pool, o)
	require.NoError(t, f.Start(context.WithoutCancel(t.Context()))) // t's own ends before its cleanups
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		assert.NoError(t, f.Stop(ctx))
	})
	return f
}

// record makes n recordings of a second and returns what to enqueue.
func (s *site) record(t *testing.T, n int) []fleet.Input {
	t.Helper()
	var in []fleet.Input
	for i := range n {
		name := fmt.Sprintf("call-%d.wav", i)
		require.NoError(t, os.WriteFile(filepath.Join(s.root, name), wav(time.Second, i), 0o600))
		in = append(in, fleet.Input{
			Source: "file:" + name, Key: name, Params: scriptix.SubmitParams{Language: "en"},
			Meta: json.RawMessage(fmt.Sprintf(`{"number":%d}`, i)),
		})
	}
	return in
}

// await reads n outcomes.
func await(t *testing.T, f *fleet.Fleet, n int) map[string]fleet.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	got := make(map[string]fleet.Outcome)
	for o, err := range f.Outcomes(ctx, 0) {
		require.NoError(t, err)
		got[o.Key] = o
		if len(got) == n {
			break
		}
	}
	require.Len(t, got, n)
	return got
}

func TestRecordingsGoInAndTranscriptsComeOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.start(t, s.options())
	s.start(t, s.options())
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 12)))
	require.NoError(t, err)

	outcomes := await(t, f, 12)
	for key, o := range outcomes {
		assert.Equal(t, batch.StateDone, o.State, "%s: %v", key, o.Err)
		transcript, err := f.Transcript(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, o.JobID, transcript.JobID)
		assert.NotEmpty(t, transcript.Text)
		assert.NotEmpty(t, transcript.Raw)
	}
	assert.JSONEq(t, `{"number":7}`, string(outcomes["call-7.wav"].Meta))
	assert.Len(t, s.fake.Jobs(), 12, "each recording is paid for once")
}
