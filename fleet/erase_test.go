package fleet_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// sessions are the options of a fleet that speaks the session dialect.
func (s *site) sessions() fleet.Options {
	o := s.options()
	o.Client = func(b scriptix.Budget) (*scriptix.Client, error) {
		return scriptix.New(s.fake.APIKey(), scriptix.WithBaseURL(s.fake.URL()), scriptix.WithBudget(b),
			scriptix.WithWebhook(s.callback, s.fake.WebhookSecret()), scriptix.WithDialect(scriptix.DialectSession))
	}
	return o
}

// erasing is a site of such a fleet, which is to erase its jobs.
func erasing(t *testing.T) (*site, fleet.Options) {
	t.Helper()
	s := newSite(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(time.Millisecond))
	o := s.sessions()
	o.Erase = true
	return s, o
}

// enqueue enqueues n recordings.
func (s *site) enqueue(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, n)))
	require.NoError(t, err)
}

// inPhase waits until a record is in a phase.
func inPhase(t *testing.T, f *fleet.Fleet, key string, phase batch.Phase) (r batch.Record) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		r, err = f.Ledger().Get(t.Context(), batch.ByKey, key)
		return err == nil && r.Phase == phase
	}, 30*time.Second, 20*time.Millisecond, "%s", key)
	return r
}

// allErased checks what has to hold of n recordings once they are done.
func (s *site) allErased(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	require.Len(t, s.fake.Jobs(), n, "none was paid for twice")
	for _, job := range s.fake.Jobs() {
		assert.False(t, job.DeletedAt.IsZero())
	}
	told := 0
	for o, err := range f.OutcomesSoFar(t.Context(), 0) {
		require.NoError(t, err)
		told++
		assert.Equal(t, batch.StateDone, o.State, "%v", o.Err)
		_, err = f.Transcript(t.Context(), o.Key)
		require.NoError(t, err)
		r, err := f.Ledger().Get(t.Context(), batch.ByKey, o.Key)
		require.NoError(t, err)
		assert.Equal(t, batch.Done, r.Phase)
		assert.False(t, r.ErasedAt.IsZero())
		assert.Equal(t, "session", r.Dialect)
	}
	assert.Equal(t, n, told, "each of them comes once")
}

func TestAFleetErasesAJobOnceItsTranscriptIsStoredAndTellsItsOutcomeThen(t *testing.T) {
	t.Parallel()
	s, o := erasing(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 503, Times: 4})
	o.Sink = func(_ context.Context, o fleet.Outcome) error {
		for _, job := range s.fake.Jobs() {
			assert.True(t, job.ID != o.JobID || job.DeletedAt.IsZero(), "the sink comes first")
		}
		return nil
	}
	f := s.start(t, o)
	s.enqueue(t, f, 3)
	await(t, f, 3)
	s.allErased(t, f, 3)
}

func TestAFleetReportsWhatCannotBeErasedAndErasesItLaterAllTheSame(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"it is forbidden": 403, "the key is refused": 401} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := erasing(t)
			s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: status, Times: -1})
			f := s.start(t, o)
			s.enqueue(t, f, 1)

			reported := await(t, f, 1)["call-0.wav"]
			assert.Equal(t, batch.StateInterrupted, reported.State)
			require.ErrorIs(t, reported.Err, batch.ErrErase)
			_, err := f.Transcript(t.Context(), "call-0.wav")
			require.NoError(t, err, "it is stored all the same")
			assert.Equal(t, batch.Erasing, inPhase(t, f, "call-0.wav", batch.Erasing).Phase)

			s.fake.ClearFaults()
			_, err = f.Ledger().Apply(t.Context(), "call-0.wav", func(r batch.Record) (batch.Record, error) {
				r.Due = time.Now() // the pause is over
				return r, nil
			})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for o, err := range f.Outcomes(ctx, reported.Cursor) {
				require.NoError(t, err)
				assert.Equal(t, batch.StateDone, o.State, "%v", o.Err)
				break
			}
			require.NoError(t, ctx.Err())
			assert.False(t, s.fake.Jobs()[0].DeletedAt.IsZero())
		})
	}
}

func TestWhatIsStillToBeErasedIsNotForgottenBeforeThatIsReported(t *testing.T) {
	t.Parallel()
	s, o := erasing(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 503, Times: -1})
	f := s.start(t, o)
	s.enqueue(t, f, 1)
	inPhase(t, f, "call-0.wav", batch.Erasing)
	require.ErrorIs(t, f.Forget(t.Context(), "call-0.wav"), fleet.ErrErasing)
	require.ErrorIs(t, batch.Forget(t.Context(), f.Ledger(), "call-0.wav"), batch.ErrMoved)
	s.fake.ClearFaults()
	await(t, f, 1)
	require.NoError(t, f.Forget(t.Context(), "call-0.wav"))
}

func TestAFleetThatIsToEraseDoesNotStartInADialectThatCannot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Erase = true
	require.ErrorIs(t, newFleet(t, s.pool, o).Start(t.Context()), scriptix.ErrUnsupported)
	assert.Empty(t, s.fake.Requests())
}

func TestWhatWasDoneBeforeIsErasedWithoutASecondOutcome(t *testing.T) {
	t.Parallel()
	s, o := erasing(t)
	o.Erase = false
	f := s.start(t, o)
	s.enqueue(t, f, 1)
	await(t, f, 1)
	require.True(t, s.fake.Jobs()[0].DeletedAt.IsZero())
	_, err := f.Ledger().Apply(t.Context(), "call-0.wav", func(r batch.Record) (batch.Record, error) {
		return ledger.Handed(r, time.Now()), nil
	})
	require.NoError(t, err)
	inPhase(t, f, "call-0.wav", batch.Done)
	s.allErased(t, f, 1)
}

func TestAJobOfAnotherDialectIsReportedOnceAndNothingIsAskedAboutIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(batch.Record) batch.Record{
		"while it runs":         func(r batch.Record) batch.Record { return r },
		"when it is to be read": func(r batch.Record) batch.Record { return ledger.Polled(r, true, "", "poll", time.Minute, time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, scriptixtest.WithDialect(scriptixtest.DialectBoth), scriptixtest.WithProcessing(time.Second))
			f := newFleet(t, s.pool, s.sessions())
			require.NoError(t, f.Start(t.Context()))
			s.enqueue(t, f, 1)
			r := inPhase(t, f, "call-0.wav", batch.Submitted)
			assert.Equal(t, "session", r.Dialect)
			require.NoError(t, f.Stop(t.Context()))
			asked := len(s.fake.Requests())
			_, err := f.Ledger().Apply(t.Context(), r.Key, func(r batch.Record) (batch.Record, error) { return end(r), nil })
			require.NoError(t, err)

			other := newFleet(t, s.pool, s.options())
			require.NoError(t, other.Start(t.Context()))
			o := await(t, other, 1)[r.Key]
			assert.Equal(t, batch.StateInterrupted, o.State)
			require.ErrorIs(t, o.Err, batch.ErrDialect)
			assert.Equal(t, r.JobID, o.JobID)
			require.NoError(t, other.Stop(t.Context()))
			assert.Len(t, s.fake.Requests(), asked)

			again := s.start(t, s.sessions())
			_, err = s.pool.Exec(t.Context(), "update scriptix.scriptix_record set due = now()")
			require.NoError(t, err)
			inPhase(t, again, r.Key, batch.Done)
			var states []batch.State
			for o, err := range again.OutcomesSoFar(t.Context(), 0) {
				require.NoError(t, err)
				states = append(states, o.State)
			}
			assert.Equal(t, []batch.State{batch.StateInterrupted, batch.StateDone}, states)
			assert.Len(t, s.fake.Jobs(), 1)
		})
	}
}

// saysOf is a handler of slog that says when a message comes.
type saysOf struct {
	slog.Handler
	message string
	said    chan struct{}
}

// Handle looks at the message.
func (h saysOf) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.said <- struct{}{}
	}
	return nil
}

// Enabled is true of every level.
func (saysOf) Enabled(context.Context, slog.Level) bool { return true }

func TestWhoLostARecordMeanwhileDoesNotKeepTheOthersFromReportingIt(t *testing.T) {
	t.Parallel()
	s, o := erasing(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 403, Times: -1, Delay: 2 * time.Second})
	failed := make(chan struct{}, 100)
	o.Logger = slog.New(saysOf{slog.DiscardHandler, "fleet: a job could not be erased", failed})
	f := s.start(t, o)
	s.enqueue(t, f, 1)
	inPhase(t, f, "call-0.wav", batch.Erasing)
	_, err := s.pool.Exec(t.Context(), "update scriptix.scriptix_record set owner = 'another', due = now() + interval '1 hour'")
	require.NoError(t, err)
	<-failed
	assert.Empty(t, soFar(t, f), "it is another's")
	_, err = s.pool.Exec(t.Context(), "update scriptix.scriptix_record set owner = '', due = now()")
	require.NoError(t, err)
	reported := await(t, f, 1)["call-0.wav"]
	assert.Equal(t, batch.StateInterrupted, reported.State)
	require.ErrorIs(t, reported.Err, batch.ErrErase)
}
