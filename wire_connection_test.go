package scriptix_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// permitCounter counts what a budget grants.
type permitCounter struct{ granted atomic.Int64 }

func (p *permitCounter) Acquire(context.Context, scriptix.Class) (scriptix.Permit, error) {
	p.granted.Add(1)
	return freePermit{}, nil
}

type freePermit struct{}

func (freePermit) Done(scriptix.RateInfo) {}

func TestEveryRequestOnTheWireHoldsAPermit(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, secure bool) {
		t.Helper()
		// Every second request on a connection ends it without an answer.
		server := serveRaw(t, secure, func(x *rawExchange) bool {
			if x.onConn > 1 {
				return false
			}
			x.answer(http.StatusOK, `{"id":"stt_1","status":"completed","transcript":"hello"}`)
			return true
		})
		budget := new(permitCounter)
		c := server.connect(t, scriptix.WithBudget(budget), quick)
		once := server.connect(t, scriptix.WithBudget(budget), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))

		for range 20 {
			_, err := c.STT.Status(t.Context(), "stt_1")
			require.NoError(t, err, "the policy repeats it")
			_, err = c.STT.Result(t.Context(), "stt_1")
			require.NoError(t, err)
			before := server.requests.Load()
			_, _ = once.STT.Status(t.Context(), "stt_1")
			assert.Equal(t, before+1, server.requests.Load(), "retries are off")
		}

		assert.Equal(t, budget.granted.Load(), server.requests.Load())
	})
}

func TestConnectionsThatAllEndWithoutAnAnswerCostNoMoreThanTheAttempts(t *testing.T) {
	t.Parallel()
	var silent atomic.Bool
	server := serveRaw(t, false, func(x *rawExchange) bool {
		if silent.Load() {
			return false
		}
		x.answer(http.StatusOK, `{"id":"stt_1","status":"queued"}`)
		return true
	})
	c := server.connect(t, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 3, MinWait: time.Millisecond, MaxWait: time.Millisecond}))
	_, err := c.STT.Status(t.Context(), "stt_1")
	require.NoError(t, err)
	silent.Store(true)

	_, err = c.STT.Status(t.Context(), "stt_1")

	require.Error(t, err)
	assert.Equal(t, int64(1+3), server.requests.Load())
}

func TestPollWhoseKeptConnectionEndedIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"it was closing": 1, "all are": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
					return scriptixtest.Outcome{Processing: 3 * time.Minute, Callback: scriptixtest.Callback{Lose: true}}
				})
				c := newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
				other, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
				require.NoError(t, err)
				job, err := c.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), english)
				require.NoError(t, err)
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Status, JobID: job.ID, Kept: true, Cut: scriptixtest.BeforeBody, Times: times})
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
				defer cancel()
				var keeping sync.WaitGroup
				keeping.Go(func() { // a connection open
					for ctx.Err() == nil {
						_, _ = c.STT.Status(ctx, other.ID)
						time.Sleep(7 * time.Second)
					}
				})

				done, err := c.STT.Wait(ctx, job.ID)

				require.NoError(t, err)
				assert.Equal(t, scriptix.StatusCompleted, done.Status)
				var polls []scriptixtest.Request
				for _, r := range requestsTo(fake, scriptixtest.Status) {
					if r.Path == "/api/v3/stt/"+job.ID+"/status" {
						polls = append(polls, r)
					}
				}
				require.GreaterOrEqual(t, len(polls), 2)
				assert.Zero(t, polls[0].Status)
				assert.NotZero(t, polls[1].Status, "on a connection of its own")
				assert.Less(t, polls[1].Time.Sub(polls[0].Time), time.Second)
				cancel()
				keeping.Wait()
			})
		})
	}
}

func TestSubmitSharesItsConnectionWithNothing(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, secure bool) {
		t.Helper()
		// The server says nothing of closing and closes right after its answer.
		server := serveRaw(t, secure, func(x *rawExchange) bool {
			x.answer(http.StatusCreated, fmt.Sprintf(`{"id":"stt_%d","status":"uploaded"}`, x.all))
			return false
		})
		c := server.connect(t, quick)
		for range 100 {
			_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
		}
		assert.Equal(t, int64(100), server.requests.Load())
	})
}

func TestAnswerThatBelongsToAnotherSubmitIsNotTaken(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, secure bool) {
		t.Helper()
		// What comes beyond an answer would be taken for the next one.
		server := serveRaw(t, secure, func(x *rawExchange) bool {
			body := fmt.Sprintf(`{"id":"stt_%d","status":"uploaded"}`, x.all)
			x.answer(http.StatusCreated, body)
			x.answer(http.StatusCreated, body)
			return true
		})
		c := server.connect(t, quick)
		for i := range 20 {
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("stt_%d", i+1), job.ID)
		}
	})
}

func TestJobOfAnotherRecordingIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]string{
		"the id of an earlier submit": {`{"id":"stt_1"}`, `{"id":"stt_1"}`},
		"as a number":                 {`{"id":7}`, `{"id":"7"}`},
		"a blank one":                 {`{"id":"stt_1"}`, `{"id":" \t "}`},
		"null":                        {`{"id":"stt_1"}`, `{"id":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveRaw(t, false, func(x *rawExchange) bool {
				x.answer(http.StatusCreated, answers[x.all-1])
				return true
			})
			c := server.connect(t, quick)
			_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)

			_, err = c.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), english)

			require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
			require.ErrorIs(t, err, scriptix.ErrBadAnswer)
		})
	}
}

func TestRoundTripperOfTheCallersDoesNotRepeatEither(t *testing.T) {
	t.Parallel()
	server := serveRaw(t, false, func(x *rawExchange) bool {
		if x.onConn > 1 {
			return false
		}
		x.answer(http.StatusOK, `{"id":"stt_1","status":"queued"}`)
		return true
	})
	budget := new(permitCounter)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	wrapped := &http.Client{Transport: trip(transport.RoundTrip)}
	c := server.connect(t, scriptix.WithHTTPClient(wrapped), scriptix.WithBudget(budget), quick)
	for range 10 {
		_, err := c.STT.Status(t.Context(), "stt_1")
		require.NoError(t, err)
	}
	assert.Equal(t, budget.granted.Load(), server.requests.Load())
}

// An answer that was left on a connection would be taken for that of the next
// request on it: as the answer to a creation it sends one recording's bytes to
// another one's upload.
func TestNewUploadSharesItsConnectionWithNothing(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, secure bool) {
		t.Helper()
		var created atomic.Int64
		stored := new(sync.Map)
		server := serveRaw(t, secure, func(x *rawExchange) bool {
			upload := created.Load()
			switch x.request.Method {
			case http.MethodPost:
				if x.onConn == 1 {
					upload = created.Add(1)
				} // on a used connection stands the answer to an earlier creation
				_, _ = fmt.Fprintf(x, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /api/v3/files/f%d\r\n\r\n", upload)
			case http.MethodPatch:
				_, before := stored.LoadOrStore(x.request.URL.Path, string(x.body))
				assert.False(t, before, "two recordings went to %s", x.request.URL.Path)
				_, _ = fmt.Fprintf(x, "HTTP/1.1 204 No Content\r\nUpload-Offset: %d\r\n\r\n", len(x.body))
			default:
				x.answer(http.StatusOK, fmt.Sprintf(`{"id":"stt_%d","status":"uploaded"}`, upload))
			}
			return true
		})
		c := server.connect(t, quick)
		for n := range 10 {
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english, scriptix.Resumable())
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("stt_%d", n+1), job.ID)
		}
	})
}

func TestUploadThatAnotherRecordingWasGivenIsNotUsed(t *testing.T) {
	t.Parallel()
	server := serveRaw(t, false, func(x *rawExchange) bool {
		switch x.request.Method {
		case http.MethodPost:
			_, _ = io.WriteString(x, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /api/v3/files/f1\r\n\r\n")
		case http.MethodPatch:
			_, _ = fmt.Fprintf(x, "HTTP/1.1 204 No Content\r\nUpload-Offset: %d\r\n\r\n", len(x.body))
		default:
			x.answer(http.StatusOK, `{"id":"stt_1","status":"uploaded"}`)
		}
		return true
	})
	c := server.connect(t, quick)
	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english, scriptix.Resumable())
	require.NoError(t, err)
	before := server.requests.Load()

	_, err = c.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), english, scriptix.Resumable())

	require.ErrorIs(t, err, scriptix.ErrBadAnswer)
	require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
	assert.Contains(t, err.Error(), "another recording was given")
	assert.Equal(t, before+1, server.requests.Load(), "nothing of the second went there")
}
