package watch_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// stubborn is a transport that takes its time to notice that a request was
// given up.
type stubborn struct {
	http.RoundTripper
	takes time.Duration
}

func (s stubborn) RoundTrip(req *http.Request) (*http.Response, error) {
	r, err := s.RoundTripper.RoundTrip(req)
	if req.Context().Err() != nil {
		time.Sleep(s.takes)
	}
	return r, err
}

func TestWaitThatBeginsWhileAnEarlierOnesPollIsGivenUpWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.latency = 10 * time.Second
		c := s.client(scriptix.WithHTTPClient(&http.Client{Transport: stubborn{s, time.Second}}))
		s.start("job", time.Minute)
		short, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		_, err := c.STT.Wait(short, "job")
		require.ErrorIs(t, err, scriptix.ErrWaitEnded)
		require.Equal(t, 1, s.requests())

		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		job, err := c.STT.Wait(ctx, "job", scriptix.SubmittedAt(time.Now().Add(-10*time.Second)))

		require.NoError(t, err)
		assert.Equal(t, scriptix.StatusCompleted, job.Status)
	})
}

func TestWaitsShorterThanAnAnswerDoNotSpendTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.latency = 2 * time.Second
		c := s.client()
		s.start("job", time.Hour)
		for range 600 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.STT.Wait(ctx, "job")
			cancel()
			require.ErrorIs(t, err, scriptix.ErrWaitEnded)
		}
		assert.LessOrEqual(t, s.requests(), 20, "in ten minutes")
	})
}

func TestWaitWhoseContextHasEndedCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks(), scriptix.WithLimits(scriptix.Limits{}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 200 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, time.Second)
			_, err := c.STT.Wait(ctx, id, scriptix.SubmittedAt(time.Now().Add(-24*time.Hour)))
			require.ErrorIs(t, err, scriptix.ErrWaitEnded)
			synctest.Wait()
		}
		assert.Zero(t, s.requests())

		require.NoError(t, c.Deliver(t.Context(), completed("job_000", time.Now())))
		job, err := c.STT.Wait(ctx, "job_000")
		require.NoError(t, err, "what is known needs no time")
		assert.Equal(t, scriptix.StatusCompleted, job.Status)
	})
}

func TestWatchWhoseContextEndsWithItsLastJobSaysNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		ctx, cancel := context.WithCancel(t.Context())
		w := c.STT.NewWatcher()
		w.Add(scriptix.Job{ID: "a"}, scriptix.Job{ID: "b"})
		time.AfterFunc(time.Second, func() {
			cancel()
			assert.NoError(t, c.Deliver(t.Context(), completed("a", time.Now())))
			assert.NoError(t, c.Deliver(t.Context(), completed("b", time.Now())))
		})
		ended := 0
		for job, err := range w.All(ctx) {
			if err != nil {
				// Whichever the loop saw first: then the rest is still open.
				e := new(scriptix.WaitError)
				require.ErrorAs(t, err, &e)
				assert.Len(t, e.Pending, 2-ended)
				assert.NotEmpty(t, e.Pending)
				continue
			}
			assert.True(t, job.Status.Terminal())
			ended++
		}
	})
}

func TestWatchEndsWithItsContextHoweverFastChangesCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		progress := 0
		s.respond = func(id string, _ int) *http.Response {
			progress = (progress + 1) % 100
			return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"processing","progress":%d}`, id, progress))
		}
		c := s.client(scriptix.WithLimits(scriptix.Limits{}))
		w := c.STT.NewWatcher()
		for i := range 20 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, time.Hour)
			w.Add(scriptix.Job{ID: id})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var last error
		after := 0
		for _, err := range w.All(ctx) {
			if last = err; err == nil && ctx.Err() != nil {
				after++
				require.Less(t, after, 3)
			}
			time.Sleep(time.Minute) // slower than the jobs change
		}
		require.ErrorIs(t, last, scriptix.ErrWaitEnded)
	})
}

// Not parallel: it measures the whole process.
func TestWaitThatIsRefusedAllocatesNothingThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		const n = 20_000
		before, _ := heap()
		for i := range n {
			_, err := c.STT.Wait(t.Context(), fmt.Sprintf("job_%05d", i), scriptix.ExpectDuration(-1))
			require.ErrorIs(t, err, scriptix.ErrInvalid)
		}
		after, _ := heap()
		assert.Less(t, float64(after)-float64(before), 400.0*n, "a record that nobody can follow takes 900")
		runtime.KeepAlive(c)
	})
}

func TestDurationThatCannotBeDoesNotPutAPollOffForDays(t *testing.T) {
	t.Parallel()
	for _, seconds := range []string{"3600000", "1e300", "-5"} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			s.create = func(string) (serviceJob, bool) {
				return serviceJob{started: time.Now(), ended: time.Now().Add(12 * time.Minute)}, true
			}
			s.durations = seconds
			c := s.client(withCallbacks()) // which do not come
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
			begin := time.Now()

			_, err = c.STT.Wait(t.Context(), job.ID)

			require.NoError(t, err)
			assert.Less(t, time.Since(begin), 6*time.Hour)
		})
	}
}

// A gateway that is being deployed answers 404 for everything.
func TestMinuteOf404sEndsNoWait(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"polled": false, "told by a callback that it failed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				begin := time.Now()
				s.respond = func(string, int) *http.Response {
					if time.Since(begin) < 50*time.Second {
						return response(http.StatusNotFound, `<html>`)
					}
					return nil
				}
				c := s.client()
				s.start("job", time.Second)
				s.jobs["job"].failure = "noise"
				if told {
					time.AfterFunc(time.Second, func() { assert.NoError(t, c.Deliver(t.Context(), failed("job", time.Now()))) })
				}
				job, err := c.STT.Wait(t.Context(), "job")
				require.NoError(t, err)
				assert.Equal(t, "noise", job.Failure)
			})
		})
	}
}

func TestFailuresThatTheServiceNeverConfirmsDoNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 10}))
		w := c.STT.NewWatcher()
		for i := range 300 {
			id := fmt.Sprintf("denied_%03d", i)
			s.start(id, 100*time.Hour)
			w.Add(scriptix.Job{ID: id})
		}
		for i := range 30 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, time.Minute)
			w.Add(scriptix.Job{ID: id})
		}
		begin := time.Now()
		time.AfterFunc(time.Second, func() {
			for i := range 300 {
				assert.NoError(t, c.Deliver(t.Context(), failed(fmt.Sprintf("denied_%03d", i), time.Now())))
			}
		})
		left := 30
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				if left--; left == 0 {
					break
				}
			}
		}
		t.Logf("after %v", time.Since(begin))
		assert.Less(t, time.Since(begin), 5*time.Hour)
	})
}

func TestPlanThatIsOverCostsAPollAMinuteHoweverManyJobsWait(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusPaymentRequired, http.StatusBadRequest, http.StatusConflict} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			s.respond = func(string, int) *http.Response { return response(status, `{"error":"no"}`) }
			c := s.client()
			w := c.STT.NewWatcher()
			for i := range 500 {
				id := fmt.Sprintf("job_%03d", i)
				s.start(id, time.Minute)
				w.Add(scriptix.Job{ID: id})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
			defer cancel()
			for _, err := range w.All(ctx) {
				require.ErrorIs(t, err, scriptix.ErrWaitEnded)
			}
			assert.LessOrEqual(t, s.polls, 200)
		})
	}
}

func TestEndKeepsItsOwnLanguageWhateverWordsTheServiceHasUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		for i := range 70_000 {
			id := fmt.Sprintf("job_%05d", i)
			e := completed(id, time.Now())
			e.Data.Language = fmt.Sprintf("x-%05d", i)
			require.NoError(t, c.Deliver(t.Context(), e))
			job, err := c.STT.Wait(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, e.Data.Language, job.Language)
		}
	})
}

func TestSubmissionInAnotherAgeIsPolledAtOnce(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			c := s.client(withCallbacks())
			s.start("job", 3*time.Hour)
			begin := time.Now()

			_, err := c.STT.Wait(t.Context(), "job", scriptix.SubmittedAt(at))

			require.NoError(t, err)
			assert.Less(t, time.Since(begin), 5*time.Hour)
			assert.LessOrEqual(t, s.polls, 60)
		})
	}
}

// Not parallel: it measures the whole process.
func TestWatcherThatIsFedAndEmptiedAllocatesNothingThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		require.NoError(t, c.Deliver(t.Context(), completed("job", time.Now())))
		w := c.STT.NewWatcher()
		before, _ := heap()
		for range 500_000 {
			w.Add(scriptix.Job{ID: "job"})
			w.Remove("job")
		}
		after, _ := heap()
		assert.Less(t, float64(after)-float64(before), 8e6)
		runtime.KeepAlive(w)
	})
}

// Not parallel: it measures the whole process.
func TestLargeCallbacksOfEndedJobsAllocateWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		before, _ := heap()
		for i := range 5_000 {
			id := fmt.Sprintf("job_%05d", i)
			e := completed(id, time.Now())
			e.Raw = make([]byte, 60<<10)
			time.AfterFunc(time.Second, func() { assert.NoError(t, c.Deliver(t.Context(), e)) })
			job, err := c.STT.Wait(t.Context(), id)
			require.NoError(t, err)
			require.Len(t, job.Raw, 60<<10)
		}
		after, _ := heap()
		assert.Less(t, float64(after)-float64(before), 50e6)
		runtime.KeepAlive(c)
	})
}

func TestOneLoopAtATimeOverAWatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client()
		s.start("a", 10*time.Second)
		s.start("b", 20*time.Second)
		w := c.STT.NewWatcher()
		w.Add(scriptix.Job{ID: "a"}, scriptix.Job{ID: "b"})
		ended := 0
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				ended++
			}
			for _, err := range w.All(t.Context()) {
				require.ErrorIs(t, err, scriptix.ErrInvalid)
			}
		}
		assert.Equal(t, 2, ended)
	})
}
