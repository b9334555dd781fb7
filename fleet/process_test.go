//go:build unix

package fleet_test

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// role is a worker of the site in a process of its own.
func (s *site) role() role {
	return role{
		Kind: "worker", Database: s.url, Service: s.fake.URL(), APIKey: s.fake.APIKey(), Callback: s.callback,
		Secret: s.fake.WebhookSecret(), Root: s.root, Lease: 2 * time.Second, Verbose: testing.Verbose(),
	}
}

// large makes one recording that no socket's buffers hold.
func (s *site) large(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.root, "large.wav"), wav(30*time.Minute, 0), 0o600))
	_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "file:large.wav", Key: "large", Params: scriptix.SubmitParams{Language: "en"}}}))
	require.NoError(t, err)
}

// owned waits until a process has begun the record.
func owned(t *testing.T, pool *pgxpool.Pool, key string) (owner string) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := pool.QueryRow(t.Context(), "select owner from scriptix.scriptix_record where key = $1 and owner <> ''", key).Scan(&owner)
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return owner
}

// inFlight waits until the service has seen a request.
func (s *site) inFlight(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return s.fake.Stats().Requests > 0 }, 20*time.Second, 10*time.Millisecond)
}

func TestAWorkerThatIsKilledInMidUploadIsTakenOverSoon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Minute})
	reader := newFleet(t, s.pool, fleet.Options{Root: s.root})
	s.large(t, reader)
	first := s.role().begin(t)
	s.inFlight(t)
	second := s.role().begin(t)
	defer second.kill()
	first.kill()
	killed := time.Now()

	assert.Equal(t, batch.StateDone, await(t, reader, 1)["large"].State)
	assert.Less(t, time.Since(killed), 2*time.Second+10*time.Second)
	assert.Len(t, s.fake.Jobs(), 1)
}

func TestNothingStaysInTheHandsOfTheDeadWhileABacklogWaitsOnThePlan(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const recordings = 60
	r := s.role()
	r.Limits, r.Concurrency = scriptix.Limits{PerMinute: 4, Concurrent: 4}, 6
	f := newFleet(t, s.pool, fleet.Options{Root: s.root})
	first := r.begin(t)
	second := r.begin(t)
	defer second.kill()
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, recordings)))
	require.NoError(t, err)
	owned := func() (n int) {
		const count = "select count(*) from scriptix.scriptix_record where phase in ('claimed', 'sent') and owner <> ''"
		_ = s.pool.QueryRow(t.Context(), count).Scan(&n)
		return n
	}
	require.Eventually(t, func() bool { return len(s.fake.Jobs()) >= 2 && owned() >= 8 }, 30*time.Second, 20*time.Millisecond,
		"the minute is used up, and both have begun uploads that wait")

	var owner string
	require.NoError(t, s.pool.QueryRow(t.Context(), "select id from scriptix.scriptix_process where (info ->> 'pid')::int = $1", first.cmd.Process.Pid).Scan(&owner))
	first.kill() // who leads, too
	killed := time.Now()
	require.Eventually(t, func() bool {
		var left int
		const count = "select count(*) from scriptix.scriptix_record where phase in ('claimed', 'sent') and owner = $1"
		return s.pool.QueryRow(t.Context(), count, owner).Scan(&left) == nil && left == 0
	}, r.Lease+10*time.Second, 50*time.Millisecond)
	freed := time.Since(killed)
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Greater(t, status.Counts[batch.Claimed], recordings/2, "the backlog still waits")
	t.Logf("nothing was the dead's %v after the kill, with %v", freed.Round(10*time.Millisecond), status.Counts)
}

var stopSeconds = flag.Int("stop.seconds", 6, "how long the test of a stopped worker stops it, whose lease is two seconds")

func TestAWorkerThatIsStoppedInMidUploadAndGoesOnLaterSendsNoSecondJob(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: 3 * time.Second})
	reader := newFleet(t, s.pool, fleet.Options{Root: s.root})
	s.large(t, reader)
	first := s.role().begin(t)
	owner := owned(t, s.pool, "large")
	s.inFlight(t)
	first.signal(syscall.SIGSTOP)
	stopped := time.Now()
	second := s.role().begin(t)
	defer second.kill()

	done := await(t, reader, 1)["large"]
	assert.Equal(t, batch.StateDone, done.State)
	took := time.Since(stopped)
	_, err := s.pool.Exec(t.Context(), "select pg_sleep($1)", (time.Duration(*stopSeconds)*time.Second - took).Seconds())
	require.NoError(t, err)
	first.signal(syscall.SIGCONT)
	// It may try until its lease's watch has cut it: nothing else must come of that.
	require.Eventually(t, func() bool {
		var alive bool
		err := s.pool.QueryRow(t.Context(), "select until > clock_timestamp() from scriptix.scriptix_process where id = $1", owner).Scan(&alive)
		return err == nil && alive
	}, 10*time.Second, 50*time.Millisecond)
	assert.Len(t, s.fake.Jobs(), 1)
	first.signal(syscall.SIGTERM)
	<-first.ended
	assert.Len(t, s.fake.Jobs(), 1)
	t.Logf("stopped for %d s; the other worker was done %v after the stop", *stopSeconds, took.Round(time.Millisecond))
}

func TestTheAnswerOfAWorkerThatWasStoppedBringsNothingBackOfWhatWasForgottenMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Delay: 5 * time.Second})
	reader := newFleet(t, s.pool, fleet.Options{Root: s.root})
	r := s.role()
	r.Callback, r.Verbose = "", true // a callback is not about the answer
	_, err := reader.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	first := r.begin(t)
	// The mark comes before the last byte, and what is stopped between them makes no job.
	require.Eventually(t, func() bool { return len(s.fake.Jobs()) == 1 }, 10*time.Second, 10*time.Millisecond)
	first.signal(syscall.SIGSTOP)
	second := r.begin(t)
	inPhase(t, reader, "call-0.wav", batch.Unknown)
	require.NoError(t, reader.Forget(t.Context(), "call-0.wav"))
	before, err := reader.Ledger().Get(t.Context(), batch.ByKey, "call-0.wav")
	require.NoError(t, err)
	job := s.fake.Jobs()[0].ID

	first.signal(syscall.SIGCONT)
	require.Eventually(t, func() bool { return strings.Contains(first.said.String(), job) }, 20*time.Second, 20*time.Millisecond,
		"the job was paid for, so its id is told")
	// What the leader would poll for and store comes within that time.
	for range 20 {
		after, err := reader.Ledger().Get(t.Context(), batch.ByKey, "call-0.wav")
		require.NoError(t, err)
		require.Equal(t, before, after)
		_, err = s.pool.Exec(t.Context(), "select pg_sleep(0.1)")
		require.NoError(t, err)
	}
	_, err = reader.Transcript(t.Context(), "call-0.wav")
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
	for _, a := range []*actor{first, second} {
		a.signal(syscall.SIGTERM)
		<-a.ended
	}
	assert.Len(t, s.fake.Jobs(), 1)
}

func TestStopReturnsNilOnceAllHasEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Delay: time.Second})
	f := newFleet(t, s.pool, s.options())
	require.NoError(t, f.Start(t.Context()))
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r, err := f.Ledger().Get(t.Context(), batch.ByKey, "call-0.wav")
		return err == nil && r.Phase == batch.Sent
	}, 10*time.Second, 10*time.Millisecond)

	require.NoError(t, f.Stop(t.Context()))
	require.Len(t, s.fake.Jobs(), 1)
	r, err := f.Ledger().Get(t.Context(), batch.ByKey, "call-0.wav")
	require.NoError(t, err)
	assert.NotEmpty(t, r.JobID, "the answer was stored: %+v", r)
	require.NoError(t, f.Stop(t.Context()), "a second Stop does nothing")
}

func TestWhatTheEndOfStopsContextCutsIsFreeForOthersAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Minute})
	f := newFleet(t, s.pool, s.options())
	require.NoError(t, f.Start(t.Context()))
	s.large(t, f)
	s.inFlight(t)

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, f.Stop(ctx), context.DeadlineExceeded)
	r, err := f.Ledger().Get(t.Context(), batch.ByKey, "large")
	require.NoError(t, err)
	assert.Equal(t, batch.Claimed, r.Phase)
	assert.Empty(t, r.Owner)

	s.start(t, s.options())
	assert.Equal(t, batch.StateDone, await(t, f, 1)["large"].State)
	assert.Len(t, s.fake.Jobs(), 1)
}

func TestTheEndOfStartsContextStopsTheFleet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := newFleet(t, s.pool, s.options())
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, f.Start(ctx))
	require.ErrorIs(t, f.Start(ctx), fleet.ErrStarted)
	cancel()
	require.Eventually(t, func() bool {
		var n int
		err := s.pool.QueryRow(t.Context(), "select count(*) from scriptix.scriptix_process").Scan(&n)
		return err == nil && n == 0
	}, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, f.Stop(t.Context()))
	require.NoError(t, f.Start(t.Context()), "it can be started again")
	require.NoError(t, f.Stop(t.Context()))
}

func TestStartNamesBothLimitsWhereMembersDiffer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	silver, gold := s.options(), s.options()
	silver.Limits, gold.Limits = scriptix.PlanSilver, scriptix.PlanGold
	s.start(t, silver)
	f := newFleet(t, s.pool, gold)
	err := f.Start(t.Context())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "60 a minute")
	assert.Contains(t, err.Error(), "120 a minute")

	other := s.options()
	other.Account, other.Limits = "other", scriptix.PlanGold
	s.start(t, other)
	receiver := newFleet(t, s.pool, fleet.Options{})
	require.NoError(t, receiver.Start(t.Context()), "who has none takes those of the others")
	require.NoError(t, receiver.Stop(t.Context()))
}

func TestStartSaysWhatIsNotMigrated(t *testing.T) {
	t.Parallel()
	pool := emptyPool(t)
	f := newFleet(t, pool, fleet.Options{})
	require.ErrorIs(t, f.Start(t.Context()), fleet.ErrNotMigrated)
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	require.NoError(t, f.Start(t.Context()), "it may be started again after that")
	require.NoError(t, f.Stop(t.Context()))
}

func TestAnyReplicaTakesCallbacksAndNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	answer, err := http.Post(s.callback, "application/json", strings.NewReader(`{"event":"transcription.completed","data":{"id":"j"}}`)) //nolint:noctx // of a test
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)
}

func TestAWorkerThatIsKilledBetweenThePhasesLeavesTheErasingToAnother(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for name, kill := range map[string]struct {
		fault scriptixtest.Fault
		asked int         // requests until the one that the first one is killed in
		phase batch.Phase // and the phase that it is then in
	}{
		"while it fetches the transcript":       {scriptixtest.Fault{On: scriptixtest.Result, Skip: 1, Times: -1, Delay: hour}, 5, batch.Submitted},
		"when the transcript is stored":         {scriptixtest.Fault{On: scriptixtest.Delete, Delay: hour}, 6, batch.Erasing},
		"when the job is gone and nobody knows": {scriptixtest.Fault{On: scriptixtest.Delete, Accept: true, Status: 204, Delay: hour}, 6, batch.Erasing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := erasing(t)
			s.fake.Fault(kill.fault)
			reader := newFleet(t, s.pool, fleet.Options{Root: s.root})
			s.enqueue(t, reader, 1)
			eraser := s.role()
			eraser.Erase = true
			first := eraser.begin(t)
			inPhase(t, reader, "call-0.wav", kill.phase)
			require.Eventually(t, func() bool { return s.fake.Stats().Requests >= kill.asked }, 20*time.Second, 10*time.Millisecond)
			first.kill()
			s.fake.ClearFaults()

			eraser.Erase = kill.phase != batch.Erasing // what was begun is gone on with, whatever the options
			second := s.sessions()
			second.Erase = eraser.Erase
			s.start(t, second)
			await(t, reader, 1)
			s.allErased(t, reader, 1)
		})
	}
}

func TestAPhaseOfALaterVersionIsLeftToThoseWhoKnowIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := newFleet(t, s.pool, fleet.Options{Root: s.root})
	s.enqueue(t, f, 1)
	_, err := s.pool.Exec(t.Context(), "update scriptix.scriptix_record set phase = 'of a later version', due = now() - interval '1 min'")
	require.NoError(t, err)
	s.start(t, s.options())
	var due *time.Time
	eventually(t, func() bool {
		err := s.pool.QueryRow(t.Context(), "select due from scriptix.scriptix_record where rev > 1").Scan(&due)
		return err == nil
	})
	require.NotNil(t, due, "whoever leads next may know it, and finds what is due")
	assert.True(t, due.After(time.Now()))
}
