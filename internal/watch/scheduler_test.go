package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/webhook"
)

func TestRefusedKeyEndsEveryWaitAtTheCostOfAFewPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.respond = func(string, int) *http.Response {
			return response(http.StatusUnauthorized, `{"error":"Unauthorized","message":"The key was revoked.","error_code":"KEY_REVOKED"}`)
		}
		c := s.client()
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = fmt.Sprintf("job_%04d", i)
			s.start(ids[i], time.Hour)
		}
		ended := make(map[string]bool)
		for job, err := range c.STT.Watch(t.Context(), ids...) {
			require.ErrorIs(t, err, scriptix.ErrUnauthorized)
			e, ok := errors.AsType[*scriptix.Error](err)
			require.True(t, ok)
			assert.Equal(t, job.ID, e.JobID)
			ended[job.ID] = true
		}
		assert.Len(t, ended, 1000)
		assert.LessOrEqual(t, s.polls, 4)
	})
}

func TestWaitEndsWithTheJobsIDWhenTheServiceWillNotTell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		polls  int
		want   error
	}{
		{"the key may not see it", http.StatusForbidden, 1, scriptix.ErrForbidden},
		{"the third answer in a row does not know it", http.StatusNotFound, 3, scriptix.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				s.start("other", 10*time.Minute)
				s.start("mine", time.Hour)
				s.respond = func(id string, _ int) *http.Response {
					if id == "mine" {
						return response(tt.status, `{"error":"no"}`)
					}
					return nil
				}
				c := s.client()
				other := make(chan error, 1)
				go func() {
					_, err := c.STT.Wait(t.Context(), "other")
					other <- err
				}()

				_, err := c.STT.Wait(t.Context(), "mine")

				require.ErrorIs(t, err, tt.want)
				e, ok := errors.AsType[*scriptix.Error](err)
				require.True(t, ok)
				assert.Equal(t, "mine", e.JobID)
				assert.Len(t, s.job("mine").polls, tt.polls)
				assert.NoError(t, <-other, "the other job is none of it")
			})
		})
	}
}

func TestTransientFailuresNeverEndAWait(t *testing.T) {
	t.Parallel()
	garbled := func(status int) func(string, int) *http.Response {
		return func(_ string, n int) *http.Response {
			if n > 12 {
				return nil
			}
			return response(status, `<html>gateway</html>`)
		}
	}
	for name, respond := range map[string]func(string, int) *http.Response{
		"the server fails":             garbled(http.StatusInternalServerError),
		"a gateway times out":          garbled(http.StatusGatewayTimeout),
		"the plan is over":             garbled(http.StatusPaymentRequired),
		"the request is called bad":    garbled(http.StatusBadRequest),
		"an answer is no JSON":         garbled(http.StatusOK),
		"a redirect leads to a log-in": garbled(http.StatusFound),
		"every other answer is a 404": func(_ string, n int) *http.Response {
			if n > 12 || n%2 == 0 {
				return nil
			}
			return response(http.StatusNotFound, `{}`)
		},
		"the rate limit is hit": func(_ string, n int) *http.Response {
			if n > 3 {
				return nil
			}
			r := response(http.StatusTooManyRequests, `{}`)
			r.Header.Set("Retry-After", "30")
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				s.respond = respond
				c := s.client()
				s.start("job", time.Second)

				job, err := c.STT.Wait(t.Context(), "job")

				require.NoError(t, err)
				assert.Equal(t, scriptix.StatusCompleted, job.Status)
			})
		})
	}
}

func TestServiceThatIsDownCostsAPollAMinuteHoweverManyJobsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		down := true
		s.respond = func(string, int) *http.Response {
			if down {
				return response(http.StatusBadGateway, ``)
			}
			return nil
		}
		c := s.client()
		w := c.STT.NewWatcher()
		for i := range 500 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, time.Minute)
			w.Add(scriptix.Job{ID: id})
		}
		go func() {
			time.Sleep(3 * time.Hour)
			s.mu.Lock()
			assert.LessOrEqual(t, s.polls, 200)
			down = false
			s.mu.Unlock()
		}()
		begin := time.Now()
		ended := 0
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				ended++
			}
		}
		assert.Equal(t, 500, ended)
		assert.Less(t, time.Since(begin), 3*time.Hour+30*time.Minute)
	})
}

func TestFailureToldByCallbackIsConfirmedByOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		s.start("job", 20*time.Second)
		s.jobs["job"].failure = "no speech"
		time.AfterFunc(20*time.Second, func() {
			assert.NoError(t, c.Deliver(t.Context(), failed("job", time.Now())))
			assert.NoError(t, c.Deliver(t.Context(), failed("job", time.Now())))
		})
		begin := time.Now()

		job, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, "no speech", job.Failure)
		assert.ErrorIs(t, job.Err(), scriptix.ErrJobFailed)
		assert.Less(t, time.Since(begin), 21*time.Second)
		assert.Equal(t, 1, s.polls)
		assert.Equal(t, 1, c.Stats().EndedByCallback)
		assert.Equal(t, 1, c.Stats().Duplicates)
	})
}

func TestFailureThatTheServiceDeniesIsACompletedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		s.start("job", time.Minute)
		time.AfterFunc(20*time.Second, func() { assert.NoError(t, c.Deliver(t.Context(), failed("job", time.Now()))) })
		begin := time.Now()

		job, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, scriptix.StatusCompleted, job.Status)
		assert.Equal(t, 1, c.Stats().Contradictions)
		assert.Less(t, time.Since(begin), 90*time.Second, "it is asked again soon while the API lags behind")
		assert.LessOrEqual(t, s.polls, 8)
	})
}

func TestTheFirstEndStaysWhateverComesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		s.start("job", time.Hour)
		time.AfterFunc(time.Second, func() { assert.NoError(t, c.Deliver(t.Context(), completed("job", time.Now()))) })
		job, err := c.STT.Wait(t.Context(), "job")
		require.NoError(t, err)

		for _, e := range []webhook.Event{completed("job", time.Now()), failed("job", time.Now()), {Type: "transcription.archived", Data: webhook.Data{ID: "job"}}} {
			require.NoError(t, c.Deliver(t.Context(), e))
		}
		again, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, job, again)
		assert.Equal(t, scriptix.SourceWebhook, again.Source)
		assert.Zero(t, s.requests())
		assert.Equal(t, 1, c.Stats().Duplicates)
		assert.Equal(t, 1, c.Stats().Contradictions)
	})
}

func TestCallbacksOfUnknownJobsAreParkedUntilSomebodyAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		for i := range 10_050 {
			require.NoError(t, c.Deliver(t.Context(), completed(fmt.Sprintf("job_%05d", i), time.Now())))
		}
		require.NoError(t, c.Deliver(t.Context(), completed("job_10049", time.Now())))
		stats := c.Stats()
		assert.Equal(t, 10_000, stats.Parked)
		assert.Equal(t, 50, stats.ParkedDropped)
		assert.Equal(t, 1, stats.Duplicates)

		job, err := c.STT.Wait(t.Context(), "job_00050")
		require.NoError(t, err)
		assert.Equal(t, scriptix.SourceWebhook, job.Source)
		assert.Equal(t, 9_999, c.Stats().Parked)
		assert.Zero(t, s.requests())

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.STT.Wait(ctx, "job_00049")
		require.ErrorIs(t, err, scriptix.ErrWaitEnded, "the oldest went first")

		time.Sleep(72*time.Hour + time.Minute)
		assert.Zero(t, c.Stats().Parked)
	})
}

func TestCallbackThatWeCouldNotStoreIsLeftToTheSendersNextTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		s.start("job", 150*time.Second)
		var tries atomic.Int32
		c.OnEvent(func(context.Context, webhook.Event) error {
			if tries.Add(1) <= 2 {
				return errors.New("the disk is full")
			}
			return nil
		})
		for _, after := range []time.Duration{0, time.Minute, 6 * time.Minute} {
			time.AfterFunc(150*time.Second+after, func() { _ = c.Deliver(t.Context(), completed("job", time.Now())) })
		}
		begin := time.Now()

		job, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, scriptix.SourceWebhook, job.Source)
		assert.Equal(t, 150*time.Second+6*time.Minute, time.Since(begin))
		assert.Zero(t, s.polls)
	})
}

func TestWhenTheSenderHasGivenUpAPollFindsTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		s.start("job", 10*time.Second)
		c.OnEvent(func(context.Context, webhook.Event) error { return errors.New("the disk is full") })
		for _, after := range []time.Duration{0, time.Minute, 6 * time.Minute, 21 * time.Minute} {
			time.AfterFunc(10*time.Second+after, func() { _ = c.Deliver(t.Context(), completed("job", time.Now())) })
		}
		begin := time.Now()

		job, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, scriptix.SourcePoll, job.Source)
		assert.InDelta(t, (21*time.Minute + 10*time.Second).Seconds(), time.Since(begin).Seconds(), 5)
		assert.Equal(t, 1, s.polls)
	})
}

func TestAfterARestartTheSendersNextTryIsAwaitedBeforeManyPollsAreSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		w := c.STT.NewWatcher()
		// They ended, probably, four minutes before this process began: the sender
		// has tried twice, and comes again six minutes after the end.
		for i := range 200 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, 0)
			w.Add(scriptix.Job{ID: id, CreatedAt: time.Now().Add(-5 * time.Minute)})
			time.AfterFunc(2*time.Minute, func() { assert.NoError(t, c.Deliver(t.Context(), completed(id, time.Now()))) })
		}
		ended := 0
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				ended++
			}
		}
		assert.Equal(t, 200, ended)
		assert.Equal(t, 200, c.Stats().EndedByCallback)
		assert.Zero(t, s.polls)
	})
}

func TestWaitWithADeadlineIsPolledBeforeTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))
		w := c.STT.NewWatcher()
		for i := range 100 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, 24*time.Hour)
			w.Add(scriptix.Job{ID: id, CreatedAt: time.Now().Add(-time.Hour)})
		}
		watching, stop := context.WithCancel(t.Context())
		go func() {
			drain(w.All(watching))
		}()
		time.Sleep(10 * time.Minute)
		s.start("mine", time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		begin := time.Now()

		_, err := c.STT.Wait(ctx, "mine", scriptix.SubmittedAt(time.Now().Add(-2*time.Minute)))

		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(begin), 2*time.Minute)
		stop()
		synctest.Wait()
	})
}

func TestJobThatLaterOnesOvertookIsPolledAfterTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		w := c.STT.NewWatcher()
		add := func(id string, took time.Duration, callback bool) {
			s.start(id, took)
			w.Add(scriptix.Job{ID: id, Duration: 10 * time.Minute, CreatedAt: time.Now()})
			if callback {
				time.AfterFunc(took, func() { assert.NoError(t, c.Deliver(t.Context(), completed(id, time.Now()))) })
			}
		}
		// The queue was two hours long, so that is what the lost one is given.
		add("endless", 48*time.Hour, false)
		go func() {
			for i := range 30 {
				add(fmt.Sprintf("slow_%02d", i), 2*time.Hour, true)
			}
			time.Sleep(2*time.Hour + time.Minute)
			add("lost", 5*time.Minute, false)
			time.Sleep(2 * time.Minute)
			for i := range 8 {
				add(fmt.Sprintf("later_%d", i), 5*time.Minute, true)
			}
		}()
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.ID == "lost" && job.Status.Terminal() {
				break
			}
		}
		late := time.Since(s.job("lost").ended)
		t.Logf("found %v late, %d polls", late, s.polls)
		assert.LessOrEqual(t, late, 6*time.Minute)
	})
}

func TestDeadReceiverIsNoticedAndSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s := newService(t)
		c := s.client(withCallbacks(), scriptix.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))))

		late := night{jobs: 200, every: 10 * time.Second, queue: unqueued, lost: func(int) bool { return true }}.play(s, c, 3)

		assert.Less(t, c.Stats().HookHealth, 0.5)
		assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte("callbacks do not arrive")))
		assert.NotContains(t, logged.String(), "receiver.example")
		assert.Less(t, late[len(late)-1], 20*time.Minute)
	})
}

func TestWatchersFollowGrowingSetsAndShareTheirPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client()
		for _, id := range []string{"a", "b", "c"} {
			s.start(id, 20*time.Second)
		}
		w := c.STT.NewWatcher(scriptix.ExpectDuration(8 * time.Second))
		w.Add(scriptix.Job{ID: "a"}, scriptix.Job{ID: "a"})
		done := make(chan *scriptix.Job, 1)
		go func() {
			job, err := c.STT.Wait(t.Context(), "a")
			assert.NoError(t, err)
			done <- job
		}()
		var ended []string
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.ID == "a" && !job.Status.Terminal() {
				w.Add(scriptix.Job{ID: "b"}, scriptix.Job{ID: "c"})
				w.Remove("c", "unknown")
			}
			if job.Status.Terminal() {
				ended = append(ended, job.ID)
			}
		}
		slices.Sort(ended)
		assert.Equal(t, []string{"a", "b"}, ended)
		assert.Equal(t, scriptix.StatusCompleted, (<-done).Status)
		assert.Empty(t, s.job("c").polls)
		polls := s.requests()

		again := c.STT.NewWatcher()
		again.Add(scriptix.Job{ID: "a"})
		for job, err := range again.All(t.Context()) {
			require.NoError(t, err)
			assert.Equal(t, scriptix.StatusCompleted, job.Status)
		}
		assert.Equal(t, polls, s.requests(), "what has ended is remembered")
	})
}

func TestNothingRunsWhileNobodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left at its end
		s := newService(t)
		s.latency = 10 * time.Second
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 1}))
		s.start("job", 24*time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()

		_, err := c.STT.Wait(ctx, "job")
		require.ErrorIs(t, err, scriptix.ErrWaitEnded)
		synctest.Wait()
		before := s.requests()
		time.Sleep(24 * time.Hour)
		assert.Equal(t, before, s.requests())
		assert.Zero(t, c.Stats().Waiting)

		c.STT.Watch(t.Context(), "job")(func(*scriptix.Job, error) bool { return false })
		job, err := c.STT.Wait(t.Context(), "job")
		require.NoError(t, err)
		assert.Equal(t, scriptix.StatusCompleted, job.Status)
	})
}

func TestPollWaitingForTheBudgetIsForgottenWhenTheCallbackComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerHour: 1}))
		s.start("first", time.Hour)
		_, err := c.STT.Status(t.Context(), "first")
		require.NoError(t, err)
		s.start("job", 10*time.Minute)
		time.AfterFunc(10*time.Minute, func() { assert.NoError(t, c.Deliver(t.Context(), completed("job", time.Now()))) })

		job, err := c.STT.Wait(t.Context(), "job")

		require.NoError(t, err)
		assert.Equal(t, scriptix.SourceWebhook, job.Source)
		synctest.Wait()
		assert.Equal(t, 1, s.requests())
		time.Sleep(50*time.Minute + time.Second)
		begin := time.Now()
		_, err = c.STT.Status(t.Context(), "first")
		require.NoError(t, err)
		assert.Less(t, time.Since(begin), time.Second, "the place in the budget's queue was given back")
	})
}

func TestWaitThatIsInterruptedNamesTheLastPollsFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.respond = func(string, int) *http.Response {
			return response(http.StatusInternalServerError, `{"message":"try later"}`)
		}
		c := s.client()
		s.start("job", time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		_, err := c.STT.Wait(ctx, "job")

		require.ErrorIs(t, err, scriptix.ErrWaitEnded)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, scriptix.ErrServer)
		e, ok := errors.AsType[*scriptix.WaitError](err)
		require.True(t, ok)
		assert.Equal(t, "job", e.JobID)
		assert.Equal(t, []string{"job"}, e.Pending)
	})
}

func TestIDThatCannotBeAskedForEndsItsWait(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			c := s.client()
			_, err := c.STT.Wait(t.Context(), id)
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			assert.Zero(t, s.requests())
		})
	}
}

func TestTightBudgetServesResultsBeforeSubmitsBeforePolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.result = func(id string) *http.Response {
			return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","transcript":"Hello.","segments":[]}`, id))
		}
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 20, Concurrent: 4}))
		ctx, cancel := context.WithCancel(t.Context())
		w := c.STT.NewWatcher()
		for i := range 500 {
			id := fmt.Sprintf("job_%03d", i)
			s.start(id, 100*time.Hour)
			w.Add(scriptix.Job{ID: id, CreatedAt: time.Now().Add(-time.Duration(i) * time.Minute)})
		}
		var running sync.WaitGroup
		for range 200 {
			running.Go(func() {
				_, err := c.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
				assert.NoError(t, err)
			})
		}
		for range 200 {
			running.Go(func() {
				_, err := c.STT.Result(ctx, "job_000")
				assert.NoError(t, err)
			})
		}
		running.Go(func() {
			drain(w.All(ctx))
		})
		time.Sleep(2 * time.Minute)
		s.mu.Lock()
		s.refuse = 1
		s.mu.Unlock()
		time.Sleep(40 * time.Minute)
		cancelled := s.requests()
		require.Greater(t, cancelled, 400)
		cancel()
		running.Wait()

		count := map[string]int{}
		for i, kind := range s.kinds {
			switch count[kind]++; {
			case count["result"] == 200 && kind == "result":
				t.Logf("results served after %d requests: %v", i+1, count)
				assert.LessOrEqual(t, i, 260)
				assert.GreaterOrEqual(t, count["submit"], 15)
				assert.GreaterOrEqual(t, count["poll"], 15)
				assert.Less(t, count["submit"], 50)
			case count["submit"] == 200 && kind == "submit":
				t.Logf("submits served after %d requests: %v", i+1, count)
				assert.GreaterOrEqual(t, count["poll"], 38)
				assert.Less(t, count["poll"], 100)
			}
		}
		assert.InDelta(t, 400, count["result"]+count["submit"], 1, "one that was refused came again")
		assert.LessOrEqual(t, s.within(time.Minute), 20)
		for _, at := range s.seen {
			after := at.Sub(s.refused)
			assert.False(t, after > 0 && after < 20*time.Second, "a 429 with Retry-After: 20 stops all of them; one came after %v", after)
		}
	})
}

func TestParkedCallbacksStayWithinEightMebibytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		for i := range 5_000 {
			e := completed(fmt.Sprintf("job_%05d", i), time.Now())
			e.Raw = make([]byte, 4<<10)
			require.NoError(t, c.Deliver(t.Context(), e))
		}
		stats := c.Stats()
		assert.InDelta(t, 1_870, stats.Parked, 30, "of 4 KiB and a little each")
		assert.Equal(t, 5_000, stats.Parked+stats.ParkedDropped)

		job, err := c.STT.Wait(t.Context(), "job_04999")
		require.NoError(t, err)
		assert.Len(t, job.Raw, 4<<10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.STT.Wait(ctx, "job_00000")
		require.ErrorIs(t, err, scriptix.ErrWaitEnded, "the oldest went first")
	})
}

func TestWaitsWithDeadlinesLeaveEveryTenthPollToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Hour)
		defer cancel()
		var all sync.WaitGroup
		for i := range 100 {
			id := fmt.Sprintf("urgent_%03d", i)
			s.start(id, 100*time.Hour)
			all.Go(func() {
				_, err := c.STT.Wait(ctx, id, scriptix.SubmittedAt(time.Now().Add(-time.Hour)))
				assert.ErrorIs(t, err, scriptix.ErrWaitEnded)
			})
		}
		synctest.Wait()
		s.start("mine", time.Second)
		begin := time.Now()
		w := c.STT.NewWatcher()
		w.Add(scriptix.Job{ID: "mine", CreatedAt: time.Now().Add(-10 * time.Minute)})
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			assert.Equal(t, scriptix.StatusCompleted, job.Status)
		}
		t.Logf("found after %v", time.Since(begin))
		assert.LessOrEqual(t, time.Since(begin), 10*time.Minute, "ten polls at two a minute, and a few under way")
		cancel()
		all.Wait()
	})
}

func TestAWaitThatOutlastsItsEstimateIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s := newService(t)
		c := s.client(scriptix.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
		s.start("quick", 10*time.Second)
		s.start("slow", 10*time.Minute)
		for _, id := range []string{"quick", "slow"} {
			_, err := c.STT.Wait(t.Context(), id)
			require.NoError(t, err)
		}
		assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte("takes longer than expected")))
		assert.Contains(t, logged.String(), "level=INFO")
		assert.Contains(t, logged.String(), "job_id=slow")
	})
}

func TestAnEndThatACallbackBroughtStaysWhateverAPollOnItsWaySays(t *testing.T) {
	t.Parallel()
	for _, answer := range []struct {
		status        int
		callbackFirst bool
	}{{http.StatusForbidden, true}, {http.StatusUnauthorized, true}, {http.StatusForbidden, false}} {
		synctest.Test(t, func(t *testing.T) {
			svc := newService(t)
			svc.respond = func(string, int) *http.Response { return response(answer.status, `{"error":"no"}`) }
			svc.start("first", time.Hour)
			svc.start("second", time.Hour)
			c := svc.client()
			time.AfterFunc(time.Second, func() { assert.NoError(t, c.Deliver(t.Context(), completed("first", time.Now()))) })
			var ended []string
			for job, err := range c.STT.Watch(t.Context(), "first", "second") {
				require.NoError(t, err)
				if ended = append(ended, job.ID); job.ID != "first" {
					continue
				}
				for polls := 0; polls == 0; {
					time.Sleep(10 * time.Millisecond)
					svc.mu.Lock()
					polls = svc.open
					svc.mu.Unlock()
				}
				if answer.callbackFirst {
					require.NoError(t, c.Deliver(t.Context(), completed("second", time.Now())))
				}
				time.Sleep(time.Second) // the poll of the second is answered, and what came of it not taken yet
				if !answer.callbackFirst {
					require.NoError(t, c.Deliver(t.Context(), completed("second", time.Now())))
				}
			}
			assert.Equal(t, []string{"first", "second"}, ended)
		})
	}
}
