package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestWhatIsForgottenWhileItWaitsForAWorkerStaysClaimed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Concurrency = 1
	opened, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(opened) })
	o.Openers = map[string]fleet.Opener{"mem": func(context.Context, string) (scriptix.Audio, error) {
		once()
		<-goOn
		return scriptix.Bytes("call.wav", wav(time.Second, 1)), nil
	}}
	f := s.start(t, o)
	var in []fleet.Input
	for _, key := range []string{"a", "b", "c", "d"} {
		in = append(in, fleet.Input{Source: "mem:" + key, Key: key, Params: scriptix.SubmitParams{Language: "en"}})
	}
	_, err := f.Enqueue(t.Context(), slices.Values(in))
	require.NoError(t, err)
	<-opened
	var waiting int
	require.Eventually(t, func() bool {
		const count = "select count(*) from scriptix.river_job where state = 'available' and queue like 'submit%'"
		return s.pool.QueryRow(t.Context(), count).Scan(&waiting) == nil && waiting == 3
	}, 20*time.Second, 20*time.Millisecond)
	left := 0
	for _, key := range []string{"a", "b", "c", "d"} {
		if f.Forget(t.Context(), key) == nil {
			left++
		}
	}
	close(goOn)
	assert.Equal(t, 3, left, "one is in hand")
	require.Eventually(t, func() bool {
		const count = "select count(*) from scriptix.river_job where state <> 'completed' and queue like 'submit%'"
		return s.pool.QueryRow(t.Context(), count).Scan(&waiting) == nil && waiting == 0
	}, 20*time.Second, 20*time.Millisecond)
	await(t, f, 1)
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 3, batch.Done: 1}, status.Counts)
}

// declareDead has the others take every process for dead until it renews its
// lease.
func declareDead(t *testing.T, s *site) {
	t.Helper()
	_, err := s.pool.Exec(t.Context(), "delete from scriptix.scriptix_process")
	require.NoError(t, err)
}

// forgetAsOfTheDead forgets a recording that a process has in hand which the
// others take for dead.
func forgetAsOfTheDead(t *testing.T, s *site, f *fleet.Fleet, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		declareDead(t, s)
		err := f.Forget(t.Context(), key)
		return err == nil || !errors.Is(err, fleet.ErrInHand)
	}, 20*time.Second, time.Millisecond)
}

// words are all texts that the database has of recordings, but for keys.
func words(t *testing.T, s *site) (all string) {
	t.Helper()
	const read = "select coalesce(string_agg(concat(source, params, meta, rec, job_id), ' '), '') from scriptix.scriptix_record"
	require.NoError(t, s.pool.QueryRow(t.Context(), read).Scan(&all))
	return all
}

func TestARefusalThatComesAfterForgetWritesNoLocatorDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	opened, goOn := make(chan struct{}), make(chan struct{})
	o.Openers = map[string]fleet.Opener{"mem": func(context.Context, string) (scriptix.Audio, error) {
		close(opened)
		<-goOn
		return scriptix.Audio{}, fmt.Errorf("%w: no recording of Jane Doe", scriptix.ErrAudio)
	}}
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "mem:jane-doe", Key: "1"}}))
	require.NoError(t, err)
	<-opened
	forgetAsOfTheDead(t, s, f, "1")
	close(goOn)
	ended(t, s)
	assert.NotContains(t, words(t, s), "Jane")
	assert.NotContains(t, words(t, s), "jane")
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 1}, status.Counts)
}

// ended waits until no job of River's is left to do.
func ended(t *testing.T, s *site) {
	t.Helper()
	require.Eventually(t, func() bool {
		var left int
		const count = "select count(*) from scriptix.river_job where state <> 'completed' and kind like 'scriptix%'"
		return s.pool.QueryRow(t.Context(), count).Scan(&left) == nil && left == 0
	}, 20*time.Second, 20*time.Millisecond)
}

// afterCommit calls a function once a transaction was committed.
type afterCommit struct{ fn func() }

// statement is the key of a statement in its context.
type statement struct{}

// TraceQueryStart notes what a statement is.
func (afterCommit) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, statement{}, data.SQL)
}

// TraceQueryEnd calls the function.
func (a afterCommit) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(statement{}) == "commit" {
		a.fn()
	}
}

func TestForgetErasesTheTranscriptTogetherWithTheRest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.start(t, s.options())
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	await(t, f, 1)
	ctx, cancel := context.WithCancel(t.Context())
	config := s.pool.Config()
	config.ConnConfig.Tracer = afterCommit{cancel}
	dying := newFleet(t, poolWith(t, config), fleet.Options{})
	require.ErrorIs(t, dying.Forget(ctx, "call-0.wav"), context.Canceled, "it ends as a process would that dies after the commit")
	_, err = f.Transcript(t.Context(), "call-0.wav")
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
}

func TestATranscriptThatTheSinkHasWhileItIsForgottenIsNotStored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	taken, goOn := make(chan struct{}), make(chan struct{})
	o.Sink = func(context.Context, fleet.Outcome) error {
		close(taken)
		<-goOn
		return nil
	}
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	<-taken
	require.NoError(t, f.Forget(t.Context(), "call-0.wav"))
	close(goOn)
	ended(t, s)
	_, err = f.Transcript(t.Context(), "call-0.wav")
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
	var kept int
	require.NoError(t, s.pool.QueryRow(t.Context(), "select count(*) from scriptix.scriptix_transcript").Scan(&kept))
	assert.Zero(t, kept)
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Completed: 1}, status.Counts, "the phase stays")
}

func TestAJobThatIsMadeOfWhatWasForgottenIsErasedWhereJobsAre(t *testing.T) {
	t.Parallel()
	s, o := erasing(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Delay: 3 * time.Second})
	var log speech
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	inPhase(t, f, "call-0.wav", batch.Sent)
	forgetAsOfTheDead(t, s, f, "call-0.wav")
	require.Eventually(t, func() bool {
		jobs := s.fake.Jobs()
		return len(jobs) == 1 && strings.Contains(log.String(), jobs[0].ID) && strings.Contains(log.String(), "was erased")
	}, 20*time.Second, 20*time.Millisecond)
	assert.False(t, s.fake.Jobs()[0].DeletedAt.IsZero())
}

func TestWhatHasNoSourceAnyMoreIsNotResubmittedForNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := newFleet(t, s.pool, fleet.Options{Root: s.root})
	records := f.Ledger()
	in := s.record(t, 2)
	in[0].Key, in[1].Key = "forgotten", "kept"
	_, err := f.Enqueue(t.Context(), slices.Values(in))
	require.NoError(t, err)
	_, _, err = records.Claim(t.Context(), ledger.New("a run's own", "call.wav", "token of a run", "", time.Now()))
	require.NoError(t, err)
	for _, key := range []string{"forgotten", "kept", "a run's own"} {
		_, err = records.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) { return ledger.Refused(r, "why", ""), nil })
		require.NoError(t, err)
	}
	require.NoError(t, f.Forget(t.Context(), "forgotten", "a run's own"))
	for range 2 {
		err = batch.Resubmit(t.Context(), records, "forgotten")
		require.ErrorIs(t, err, fleet.ErrSourceErased)
		require.ErrorContains(t, err, "enqueue it under another key")
	}
	r, err := records.Get(t.Context(), batch.ByKey, "forgotten")
	require.NoError(t, err)
	assert.Equal(t, batch.Rejected, r.Phase, "claimed it would wait for ever")
	require.NoError(t, batch.Resubmit(t.Context(), records, "kept"))
	require.NoError(t, batch.Resubmit(t.Context(), records, "a run's own"), "the next run brings the audio")
	_, err = records.Apply(t.Context(), "forgotten", func(r batch.Record) (batch.Record, error) { return ledger.Reclaimed(r, "a run") })
	require.NoError(t, err, "this run has the audio")
}

func TestAnOutcomeOfAnOpenRecordIsTheSameOnceThatIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := newFleet(t, s.pool, fleet.Options{})
	records := f.Ledger()
	for key, is := range map[string]struct {
		end   func(batch.Record) batch.Record
		state batch.State
		err   error
	}{
		"a result that cannot be read": {func(r batch.Record) batch.Record {
			r = ledger.Polled(ledger.Accepted(r, "job 1", 0, time.Now(), time.Now()), true, "", "poll", 0, time.Now())
			r.Failure = "Jane's words"
			return r
		}, batch.StateInterrupted, scriptix.ErrBadAnswer},
		"a job of another dialect": {func(r batch.Record) batch.Record {
			r = ledger.Accepted(r, "job 2", 0, time.Now(), time.Now())
			r.Failure = ledger.CheckDialect(r, "stt").Error()
			return r
		}, batch.StateInterrupted, batch.ErrDialect},
		"an unknown outcome": {func(r batch.Record) batch.Record {
			return ledger.Lost(r, "", nil, "cut while Jane was sent", time.Now())
		}, batch.StateUnknown, scriptix.ErrUnknownOutcome},
	} {
		_, _, err := records.Claim(t.Context(), ledger.New(key, "call.wav", "token of "+key, "", time.Now()))
		require.NoError(t, err)
		_, err = records.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) {
			return ledger.Sending(ledger.Speaking(r, "session"), "", time.Now())
		})
		require.NoError(t, err)
		_, err = records.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) { return is.end(r), nil })
		require.NoError(t, err)
		_, err = s.pool.Exec(t.Context(), "update scriptix.scriptix_record set outcome = case key when $1 then 1 end", key) // it was reported
		require.NoError(t, err)
		same := func() {
			t.Helper()
			outcomes := soFar(t, f)
			require.Len(t, outcomes, 1, key)
			assert.Equal(t, is.state, outcomes[0].State, key)
			require.ErrorIs(t, outcomes[0].Err, is.err, key)
		}
		same()
		require.NoError(t, f.Forget(t.Context(), key))
		same()
		r, err := records.Get(t.Context(), batch.ByKey, key)
		require.NoError(t, err)
		require.NoError(t, ledger.CheckDialect(r, "session"), "%s: it is no news to those who speak its dialect", key)
	}
	assert.NotContains(t, words(t, s), "Jane")
}
