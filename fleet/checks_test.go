package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

var latencyCallbacks = flag.Int("latency.callbacks", 60, "callbacks of the latency test, 20 a second")

// ownCluster is a server of the test's own, which it may stop.
func ownCluster(t *testing.T, settings ...string) *fleettest.Cluster {
	t.Helper()
	cluster, err := fleettest.Start(append([]string{"fsync=off"}, settings...)...)
	if errors.Is(err, fleettest.ErrMissing) && os.Getenv(fleettest.RequireVariable) == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, cluster.Close()) })
	return cluster
}

// submitted makes a record whose job runs, without an upload.
func submitted(t *testing.T, l batch.Ledger, key, jobID string) {
	t.Helper()
	_, _, err := l.Claim(t.Context(), batch.Record{Key: key, Token: "token of " + key, Phase: batch.Claimed, ClaimedAt: time.Now()})
	require.NoError(t, err)
	_, err = l.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) {
		return ledger.Accepted(r, jobID, time.Minute, time.Now().Add(time.Hour), time.Now()), nil
	})
	require.NoError(t, err)
}

// callback posts a signed callback and returns the answer's status.
func callback(t *testing.T, url, secret, jobID string) int {
	t.Helper()
	body := fmt.Appendf(nil, `{"event":"transcription.completed","timestamp":"2026-01-17T10:30:00Z","data":{"id":%q,"status":"completed"}}`, jobID)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, body))
	answer, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, answer.Body)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func TestWhileTheDatabaseIsDownCallbacksGet503AndTheNextTryIsStored(t *testing.T) {
	t.Parallel()
	cluster := ownCluster(t)
	pool := poolOn(t, cluster.URL(""))
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	f := newFleet(t, pool, fleet.Options{})
	handler, err := f.Handler("secret")
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	submitted(t, f.Ledger(), "k", "job")

	require.NoError(t, cluster.Stop())
	began := time.Now()
	assert.Equal(t, http.StatusServiceUnavailable, callback(t, server.URL, "secret", "job"))
	assert.Less(t, time.Since(began), 10*time.Second, "while the service still waits for an answer")
	require.NoError(t, cluster.Resume())
	require.Equal(t, http.StatusOK, callback(t, server.URL, "secret", "job"))
	r, err := f.Ledger().Get(t.Context(), batch.ByKey, "k")
	require.NoError(t, err)
	assert.Equal(t, batch.Completed, r.Phase, "200 comes after the commit")
}

// results answers every result at once, and says when it was asked for.
func results(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.Split(r.URL.Path, "/")[4]
		_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "status": "completed", "transcript": "hello", "segments": []any{}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestACallbackOnOneReplicaIsWorkOnAnotherAtOnce(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	receiver := newFleet(t, pool, fleet.Options{})
	handler, err := receiver.Handler("secret")
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	service := results(t)
	worker := newFleet(t, pool, fleet.Options{
		Limits: scriptix.Limits{PerMinute: 100_000, Concurrent: 20},
		Client: func(b scriptix.Budget) (*scriptix.Client, error) {
			return scriptix.New("key", scriptix.WithBaseURL(service), scriptix.WithBudget(b))
		},
	})
	require.NoError(t, worker.Start(t.Context()))
	defer func() { assert.NoError(t, worker.Stop(t.Context())) }()
	n := *latencyCallbacks
	for i := range n {
		submitted(t, receiver.Ledger(), fmt.Sprint("k", i), fmt.Sprint("job", i))
	}

	sent := make([]time.Time, n)
	ticker := time.NewTicker(time.Second / 20)
	defer ticker.Stop()
	for i := range n {
		<-ticker.C
		sent[i] = time.Now()
		require.Equal(t, http.StatusOK, callback(t, server.URL, "secret", fmt.Sprint("job", i)))
	}
	await(t, receiver, n)
	var late []time.Duration
	for i := range n {
		var at time.Time
		const first = "select min(attempted_at) from scriptix.river_job where kind = 'scriptix_finish' and args ->> 'key' = $1"
		require.NoError(t, pool.QueryRow(t.Context(), first, fmt.Sprint("k", i)).Scan(&at))
		late = append(late, at.Sub(sent[i]))
	}
	slices.Sort(late)
	t.Logf("%d callbacks: p50 %v, p99 %v, the last %v", n, late[n/2], late[n*99/100], late[n-1])
	if n >= 1000 { // a machine that runs other tests, too, is slower
		assert.Less(t, late[n/2], 10*time.Millisecond)
		assert.Less(t, late[n*99/100], 250*time.Millisecond)
	}
}

func TestWithManyWritersACursorMissesNoneAndRepeatsNone(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	f := newFleet(t, pool, fleet.Options{})
	const writers, each = 8, 40
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	read := func() (seen []string) {
		var last fleet.Cursor
		for o, err := range f.Outcomes(ctx, 0) {
			if err != nil {
				continue // its connection was one of those that were ended
			}
			assert.Greater(t, o.Cursor, last)
			last = o.Cursor
			if seen = append(seen, o.Key+" "+string(o.State)); len(seen) == 2*writers*each {
				break
			}
		}
		return seen
	}
	early := make(chan []string)
	go func() { early <- read() }()
	stop := make(chan struct{})
	var wg, killer sync.WaitGroup
	killer.Go(func() {
		const kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1"
		for {
			select {
			case <-time.After(30 * time.Millisecond):
				_, _ = pool.Exec(ctx, kill)
			case <-stop:
				return
			}
		}
	})
	for w := range writers {
		wg.Go(func() {
			l := newFleet(t, pool, fleet.Options{}).Ledger()
			for i := range each {
				rejectAndFail(ctx, l, fmt.Sprint(w, "-", i))
			}
		})
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	seen := <-early
	assert.Equal(t, seen, read(), "a reader that comes after all of them sees the same, in the same order")
	counts := make(map[string]int)
	for _, one := range seen {
		counts[one]++
	}
	assert.Len(t, counts, 2*writers*each, "each recording was rejected, and then failed")
	for one, n := range counts {
		assert.Equal(t, 1, n, one)
	}
}

// rejectAndFail gives a recording two outcomes, of which the second takes the
// first one's place. A step that was cut is made again.
func rejectAndFail(ctx context.Context, l batch.Ledger, key string) {
	now := time.Now()
	steps := []func(batch.Record) (batch.Record, error){
		func(r batch.Record) (batch.Record, error) { return ledger.Refused(r, "no", ""), nil },
		func(r batch.Record) (batch.Record, error) {
			return ledger.Accepted(r, "job of "+key, 0, now, now), nil
		},
		func(r batch.Record) (batch.Record, error) {
			return ledger.Polled(r, false, "no speech", "poll", 0, now), nil
		},
	}
	for ctx.Err() == nil {
		if _, _, err := l.Claim(ctx, batch.Record{Key: key, Token: "token of " + key, Phase: batch.Claimed, ClaimedAt: now}); err == nil {
			break
		}
	}
	for _, change := range steps {
		for ctx.Err() == nil {
			if _, err := l.Apply(ctx, key, change); err == nil {
				break
			}
		}
	}
}

func TestNoSecretIsStoredAndForgetErasesTheRest(t *testing.T) {
	t.Parallel()
	cluster := ownCluster(t)
	pool := poolOn(t, cluster.URL(""))
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	s := &site{url: cluster.URL(""), pool: pool, fake: scriptixtest.New(t), root: t.TempDir()}
	receiver := newFleet(t, pool, fleet.Options{})
	handler, err := receiver.Handler(s.fake.WebhookSecret())
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	s.callback = server.URL
	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Text: "the patient's words"}
	})
	f := s.start(t, s.options())
	in := s.record(t, 2)
	for i := range in {
		in[i].Key, in[i].Meta = fmt.Sprint("recording ", i), json.RawMessage(`{"patient":"Jane"}`)
	}
	_, err = f.Enqueue(t.Context(), slices.Values(in))
	require.NoError(t, err)
	job := await(t, f, 2)["recording 0"].JobID

	dump, err := cluster.Dump(t.Context())
	require.NoError(t, err)
	for _, secret := range []string{s.fake.APIKey(), s.fake.WebhookSecret()} {
		assert.NotContains(t, string(dump), secret)
	}
	for _, there := range []string{"call-0.wav", "Jane", job} {
		assert.Contains(t, string(dump), there)
	}
	require.NoError(t, f.Forget(t.Context(), "recording 0", "recording 1"))
	dump, err = cluster.Dump(t.Context())
	require.NoError(t, err)
	for _, gone := range []string{"call-0.wav", "Jane", "patient", job} {
		assert.NotContains(t, string(dump), gone)
	}

	_, err = f.Transcript(t.Context(), "recording 0")
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
	counted, err := f.Enqueue(t.Context(), slices.Values(in))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Known: 2}, counted, "none is paid for again")
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Done: 2}, status.Counts)
	require.ErrorIs(t, f.Forget(t.Context(), "nobody"), batch.ErrNoRecord)
}

func TestAnotherProgramsRiverKeepsItsStuckJobs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), `
		insert into public.river_job (state, kind, queue, args, max_attempts, attempt, attempted_at, attempted_by)
		values ('running', 'theirs', 'default', '{}', 5, 1, now() - interval '3 days', '{"them"}')`)
	require.NoError(t, err)
	f := s.start(t, s.options())
	_, err = f.Enqueue(t.Context(), slices.Values(s.record(t, 3)))
	require.NoError(t, err)
	await(t, f, 3)
	var state string
	require.NoError(t, s.pool.QueryRow(t.Context(), "select state from public.river_job").Scan(&state))
	assert.Equal(t, "running", state)
}

// fill puts n records into the database, as many as a large account has: their
// jobs run, and every so many of them is a claim that waits.
func fill(t *testing.T, pool *pgxpool.Pool, n, claimedEvery int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
		insert into scriptix.scriptix_record (account, key, rev, phase, token, job_id, due, rec, source, params)
		select 'default', 'key ' || i, 4, case when i % $2 = 0 then 'claimed' else 'submitted' end, md5(i::text),
			case when i % $2 = 0 then null else 'job ' || i end, clock_timestamp() + i * interval '0.03 s' + interval '1 min',
			jsonb_build_object('key', '', 'revision', 0, 'phase', '', 'name', 'call-' || i || '.wav', 'attempts', 1, 'duration_ns', 1800000000000,
				'claimed_at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
				'submitted_at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
			'file:call-' || i || '.wav', '{"Language":"en"}'
		from generate_series(1, $1) as i`, n, claimedEvery)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "analyze scriptix.scriptix_record")
	require.NoError(t, err)
}

// scans counts the times that a table was read from its first row to its last.
func scans(t *testing.T, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), "select pg_sleep(1.1)") // the counters are written once a second
	require.NoError(t, err)
	const count = "select coalesce(seq_scan, 0) from pg_stat_user_tables where schemaname = 'scriptix' and relname = $1"
	require.NoError(t, pool.QueryRow(t.Context(), count, table).Scan(&n))
	return n
}

func TestNoHotStatementScansATableOfAHundredThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("it stores 100,000 rows")
	}
	t.Parallel()
	s := newSite(t)
	fill(t, s.pool, 100_000, 3)
	for _, statement := range []string{ // that come before the first cursor
		"insert into scriptix.scriptix_outcome select account, -row_number() over (), key, phase, job_id, rec from scriptix.scriptix_record",
		"analyze scriptix.scriptix_outcome",
	} {
		_, err := s.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	before, earlier := scans(t, s.pool, "scriptix_record"), scans(t, s.pool, "scriptix_outcome")
	f := s.start(t, s.options())
	s.start(t, s.options())
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 20)))
	require.NoError(t, err)
	await(t, f, 20)
	hints, err := f.HintHandler(hintSecret)
	require.NoError(t, err)
	for i := range 5 {
		body := fmt.Sprintf(`{"sessionId":"job %d"}`, 1+3*i)
		status, _ := hint(t, hints, http.MethodPost, "/hook/"+hintSecret, body)
		assert.Equal(t, http.StatusOK, status)
		require.NoError(t, f.Forget(t.Context(), fmt.Sprint("key ", 90_001+3*i)))
	}
	for range 5 {
		callback(t, s.callback, s.fake.WebhookSecret(), fmt.Sprint("job ", 1+3*rand.N(30_000)))
	}
	_, err = f.Ledger().Due(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, before, scans(t, s.pool, "scriptix_record"))
	assert.Equal(t, earlier, scans(t, s.pool, "scriptix_outcome"))
}
