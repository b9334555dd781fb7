package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestAJobThatFailedIsConfirmedOnceAndReported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Failure: "no speech"} })
	f := s.start(t, s.options())
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)

	o := await(t, f, 1)["call-0.wav"]
	assert.Equal(t, batch.StateFailed, o.State)
	require.ErrorIs(t, o.Err, scriptix.ErrJobFailed)
	failed, _ := errors.AsType[*scriptix.JobFailedError](o.Err)
	assert.Equal(t, "no speech", failed.Job.Failure)
	_, err = f.Transcript(t.Context(), o.Key)
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
	assert.Equal(t, 2, s.fake.Stats().Requests, "a submit, and one status request")
}

func TestAnUntrueFailureIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Callback: scriptixtest.Callback{Untrue: true}}
	})
	f := s.start(t, s.options())
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	assert.Equal(t, batch.StateDone, await(t, f, 1)["call-0.wav"].State)
}

func TestWithoutCallbacksThePollerFindsTheEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Client = func(b scriptix.Budget) (*scriptix.Client, error) {
		return scriptix.New(s.fake.APIKey(), scriptix.WithBaseURL(s.fake.URL()), scriptix.WithBudget(b))
	}
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 3)))
	require.NoError(t, err)
	for _, o := range await(t, f, 3) {
		assert.Equal(t, batch.StateDone, o.State)
		assert.Equal(t, scriptix.SourcePoll, o.Source)
	}
}

func TestASourceThatIsRefusedIsRejectedWithinSecondsAndOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	outside := filepath.Join(t.TempDir(), "secret.wav")
	require.NoError(t, os.WriteFile(outside, wav(time.Second, 0), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(s.root, "link.wav")))
	require.NoError(t, os.Mkdir(filepath.Join(s.root, "folder"), 0o700))
	f := s.start(t, s.options())
	enqueuer := newFleet(t, s.pool, fleet.Options{Root: s.root, Openers: map[string]fleet.Opener{
		"ftp": func(context.Context, string) (scriptix.Audio, error) { return scriptix.Audio{}, errors.New("not here") },
	}})
	began := time.Now()
	locators := []string{"file:link.wav", "file:folder", "file:missing.wav", "ftp://x.example/a.wav", "https://127.0.0.1:1/a.wav", "https://[::1]/a.wav"}
	for _, locator := range locators {
		_, err := enqueuer.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: locator, Key: locator}}))
		require.NoError(t, err)
	}
	for key, o := range await(t, f, len(locators)) {
		assert.Equal(t, batch.StateRejected, o.State, key)
		assert.Error(t, o.Err, key)
		assert.Zero(t, o.Attempts, key)
	}
	assert.Less(t, time.Since(began), 10*time.Second)
	assert.Empty(t, s.fake.Requests(), "nothing was sent")
}

func TestAnUnknownOutcomeIsReportedAndItsCallbackStillResolvesIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Callback: scriptixtest.Callback{Delay: 3 * time.Second}}
	})
	o := s.options()
	o.UnknownAfter = time.Second
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)

	early, late := history(t, f, 2), history(t, f, 2)
	assert.Equal(t, []batch.State{batch.StateUnknown, batch.StateDone}, []batch.State{early[0].State, early[1].State})
	require.ErrorIs(t, early[0].Err, scriptix.ErrUnknownOutcome)
	assert.JSONEq(t, `{"number":0}`, string(early[0].Meta))
	assert.Empty(t, early[0].JobID)
	assert.Equal(t, early, late, "a reader that comes later sees the same")
	assert.Len(t, s.fake.Jobs(), 1)

	require.NoError(t, f.Forget(t.Context(), "call-0.wav"))
	forgotten := history(t, f, 2)
	for i, o := range forgotten {
		assert.Equal(t, early[i].State, o.State)
		assert.Equal(t, early[i].Cursor, o.Cursor)
		assert.Empty(t, o.JobID)
		assert.Empty(t, o.Meta)
	}
	assert.NotContains(t, forgotten[0].Err.Error(), "EOF", "nothing of the service's or the network's words is left")
}

// history reads the first n outcomes, of whatever keys.
func history(t *testing.T, f *fleet.Fleet, n int) (all []fleet.Outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for o, err := range f.Outcomes(ctx, 0) {
		require.NoError(t, err)
		if all = append(all, o); len(all) == n {
			break
		}
	}
	require.Len(t, all, n)
	return all
}

func TestResubmitAfterSendsAnUnknownOutcomeAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
	s.fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Callback: scriptixtest.Callback{Lose: len(s.fake.Jobs()) == 0}}
	})
	o := s.options()
	o.ResubmitAfter = 2 * time.Second
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	got := await(t, f, 1)["call-0.wav"]
	assert.Equal(t, batch.StateDone, got.State)
	assert.Equal(t, 2, got.Attempts)
}

func TestTheSinkHasTheTranscriptBeforeTheOutcomeIsThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var mu sync.Mutex
	seen := make(map[string]int)
	o := s.options()
	o.Sink = func(_ context.Context, o fleet.Outcome) error {
		mu.Lock()
		defer mu.Unlock()
		seen[o.Key]++
		if o.Transcript == nil || o.State != batch.StateDone || len(o.Meta) == 0 {
			return errors.New("incomplete")
		}
		switch {
		case seen[o.Key] == 1 && o.Key == "call-0.wav":
			return errors.New("busy")
		case seen[o.Key] == 1 && o.Key == "call-1.wav":
			panic("a sink that panics")
		}
		return nil
	}
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 3)))
	require.NoError(t, err)
	await(t, f, 3)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]int{"call-0.wav": 2, "call-1.wav": 2, "call-2.wav": 1}, seen)
}

// states says what each outcome is of, and what it is.
func states(outcomes []fleet.Outcome) (all []string) {
	for _, o := range outcomes {
		all = append(all, o.Key+" "+string(o.State))
	}
	return all
}

func TestAResultThatCannotBeReadIsReportedOnceAndFetchedLater(t *testing.T) {
	t.Parallel()
	for _, erase := range []bool{false, true} {
		t.Run(fmt.Sprint("erase ", erase), func(t *testing.T) {
			t.Parallel()
			s, o := erasing(t)
			o.Erase = erase
			var sunk atomic.Int32
			o.Sink = func(_ context.Context, o fleet.Outcome) error {
				sunk.Add(1)
				assert.Equal(t, batch.StateDone, o.State)
				return nil
			}
			s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Result, Skip: 1, Times: -1, Status: 200, Body: `{"result":{"status":"done","results":7}}`})
			f := s.start(t, o)
			s.enqueue(t, f, 1)
			again := func(tries int) {
				const due = "update scriptix.scriptix_record set tries = $1, due = now()"
				_, err := s.pool.Exec(t.Context(), due, tries)
				require.NoError(t, err)
			}
			inPhase(t, f, "call-0.wav", batch.Completed)
			again(10) // as if it had been asked for so often
			reported := await(t, f, 1)["call-0.wav"]
			assert.Equal(t, batch.StateInterrupted, reported.State)
			require.ErrorIs(t, reported.Err, scriptix.ErrBadAnswer)
			assert.NotEmpty(t, reported.JobID)
			require.ErrorContains(t, reported.Err, "RawResult")

			s.fake.ClearFaults()
			again(11)
			inPhase(t, f, "call-0.wav", batch.Done)
			var states []batch.State
			for o, err := range f.OutcomesSoFar(t.Context(), 0) {
				require.NoError(t, err)
				states = append(states, o.State)
			}
			assert.Equal(t, []batch.State{batch.StateInterrupted, batch.StateDone}, states)
			assert.Equal(t, int32(1), sunk.Load())
			assert.Len(t, s.fake.Jobs(), 1)
		})
	}
}
