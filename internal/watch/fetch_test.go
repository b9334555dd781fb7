package watch_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// old are jobs that should have ended long ago, of which nobody has heard.
func old() scriptix.WaitOption { return scriptix.SubmittedAt(time.Now().Add(-10 * time.Minute)) }

func (s *service) kindsSoFar() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.kinds...)
}

func TestAResultThatIsReadyIsAskedForAndFetchedInOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.start("job", 0)
		// So tight a plan leaves nothing to spare: the job is asked about when it is due.
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))

		got, err := c.STT.WaitResult(t.Context(), "job", old())

		require.NoError(t, err)
		assert.Equal(t, "Hello.", got.Text)
		assert.Equal(t, "job", got.JobID)
		assert.Equal(t, []string{"result"}, s.kindsSoFar())
		assert.Equal(t, 1, c.Stats().EndedByPoll)
	})
}

func TestAfterAResultThatIsNotReadyTheStatusIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, notReady := range map[string]func() *http.Response{
		"409":                func() *http.Response { return response(http.StatusConflict, `{"error":"Conflict"}`) },
		"404":                func() *http.Response { return response(http.StatusNotFound, `{"error":"Not Found"}`) },
		"202":                func() *http.Response { return response(http.StatusAccepted, ``) },
		"200 without an end": func() *http.Response { return response(http.StatusOK, `{"id":"job","status":"processing"}`) },
		"200 for a failed job": func() *http.Response {
			return response(http.StatusOK, `{"id":"job","status":"failed","error":"noise"}`)
		},
		"429, which is neither": func() *http.Response { return response(http.StatusTooManyRequests, `{"error":"slow down"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				s.start("job", 0)
				s.jobs["job"].failure = "noise"
				s.result = func(string) *http.Response { return notReady() }
				c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))

				_, err := c.STT.WaitResult(t.Context(), "job", old())

				require.ErrorIs(t, err, scriptix.ErrJobFailed)
				kinds := s.kindsSoFar()
				assert.Equal(t, "result", kinds[0])
				assert.Equal(t, "poll", kinds[len(kinds)-1])
				assert.LessOrEqual(t, len(kinds), 3)
			})
		})
	}
}

func TestResultsThatAreNotFoundDoNotCountTowardTheThreeThatEndAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.result = func(string) *http.Response { return response(http.StatusNotFound, `{}`) }
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))

		_, err := c.STT.WaitResult(t.Context(), "unknown", old())

		require.ErrorIs(t, err, scriptix.ErrNotFound)
		polls := 0
		for _, kind := range s.kindsSoFar() {
			if kind == "poll" {
				polls++
			}
		}
		assert.Equal(t, 3, polls)
	})
}

func TestAResultWithoutAStatusIsConfirmedByOneStatusRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.start("job", 0)
		s.result = func(id string) *http.Response {
			return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"transcript":"Hello.","segments":[]}`, id))
		}
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 3}))

		got, err := c.STT.WaitResult(t.Context(), "job", old())

		require.NoError(t, err)
		assert.Equal(t, "Hello.", got.Text)
		assert.Equal(t, []string{"result", "poll"}, s.kindsSoFar(), "what was fetched is not fetched again")
	})
}

func TestAResultThatTheStatusDoesNotConfirmIsNoEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.start("job", 10*time.Minute)
		s.result = func(id string) *http.Response {
			return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"transcript":"Hel","segments":[]}`, id))
		}
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 3}))
		begin := time.Now()

		_, err := c.STT.WaitResult(t.Context(), "job", old())

		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(begin), 10*time.Minute)
	})
}

func TestTwoOddAnswersInARowEndThePollsForResults(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func() *http.Response{
		"a refusal":    func() *http.Response { return response(http.StatusForbidden, `{"error":"billed"}`) },
		"a bad answer": func() *http.Response { return response(http.StatusOK, `<html>`) },
		"a failure":    func() *http.Response { return response(http.StatusInternalServerError, `{"error":"boom"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				s := newService(t)
				early := 0
				s.result = func(id string) *http.Response {
					if time.Now().Before(s.jobs[id].ended) {
						early++
						return odd()
					}
					return nil
				}
				logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c := s.client(scriptix.WithLogger(logger), scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))
				var all sync.WaitGroup
				for i := range 10 {
					id := fmt.Sprintf("job_%d", i)
					s.start(id, time.Hour)
					all.Go(func() {
						got, err := c.STT.WaitResult(t.Context(), id, old())
						assert.NoError(t, err)
						assert.Equal(t, "Hello.", got.Text)
					})
				}
				all.Wait()
				assert.Equal(t, 2, early)
				assert.Equal(t, 1, bytes.Count(logged.Bytes(), []byte("only statuses are asked for")))
			})
		})
	}
}

func TestResultsAreNotAskedForEarlyWhereThatIsNotWanted(t *testing.T) {
	t.Parallel()
	tight := scriptix.WithLimits(scriptix.Limits{PerMinute: 5})
	for name, wait := range map[string]func(ctx context.Context, s *service) error{
		"with WithStatusPolls": func(ctx context.Context, s *service) error {
			_, err := s.client(tight, scriptix.WithStatusPolls()).STT.WaitResult(ctx, "job", old())
			return err
		},
		"by Wait, which wants no transcript": func(ctx context.Context, s *service) error {
			_, err := s.client(tight).STT.Wait(ctx, "job", old())
			return err
		},
		"while somebody else waits for the end alone": func(ctx context.Context, s *service) error {
			c := s.client(tight)
			w := c.STT.NewWatcher()
			w.Add(scriptix.Job{ID: "job"})
			ctx, cancel := context.WithCancel(ctx)
			var other sync.WaitGroup
			other.Go(func() { drain(w.All(ctx)) })
			_, err := c.STT.WaitResult(ctx, "job", old())
			cancel()
			other.Wait()
			return err
		},
		"while callbacks are expected": func(ctx context.Context, s *service) error {
			_, err := s.client(tight, withCallbacks()).STT.WaitResult(ctx, "job", old())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				s.start("job", time.Minute)
				s.result = func(id string) *http.Response {
					assert.False(t, time.Now().Before(s.jobs[id].ended), "the result was asked for before the end")
					return nil
				}
				require.NoError(t, wait(t.Context(), s))
				assert.Equal(t, "poll", s.kindsSoFar()[0])
			})
		})
	}
}

func TestWhereRequestsAreDearTheFirstOneForAResultComesALittleLater(t *testing.T) {
	t.Parallel()
	after := func(ask func(ctx context.Context, c *scriptix.Client) error) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			s.start("job", time.Second)
			begin := time.Now()
			require.NoError(t, ask(t.Context(), s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 1}))))
			took = s.seen[0].Sub(begin)
		})
		return took
	}
	status := after(func(ctx context.Context, c *scriptix.Client) error {
		_, err := c.STT.Wait(ctx, "job")
		return err
	})
	result := after(func(ctx context.Context, c *scriptix.Client) error {
		_, err := c.STT.WaitResult(ctx, "job")
		return err
	})
	assert.InDelta(t, 60, (result - status).Seconds(), 1, "one that is not ready costs a second request")
}

func TestTranscriptsOfAllWhoWaitForOneJobCostOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.start("job", 0)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 2}))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				got, err := c.STT.WaitResult(t.Context(), "job", old())
				assert.NoError(t, err)
				assert.Equal(t, "Hello.", got.Text)
				got.Text = "mine"
			})
		}
		all.Wait()
		assert.Equal(t, 1, s.requests())

		got, err := c.STT.WaitResult(t.Context(), "job")
		require.NoError(t, err)
		assert.Equal(t, "Hello.", got.Text)
		assert.Equal(t, 2, s.requests(), "an end is remembered, its transcript is not kept")
	})
}
