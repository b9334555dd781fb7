package scriptix_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const callback = "https://receiver.example/scriptix"

// connect makes a client of the fake that receives its callbacks.
func connect(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	c := newClient(t, fake, append([]scriptix.Option{scriptix.WithWebhook(callback, fake.WebhookSecret())}, opts...)...)
	fake.Handle(callback, c.WebhookHandler())
	return c
}

// call posts a callback to h and returns the status of the answer.
func call(t *testing.T, h http.Handler, body, signature string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scriptix", strings.NewReader(body))
	if signature != "" {
		r.Header.Set(webhook.SignatureHeader, signature)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestTheWebhookHandlerIsThereEvenWhenNothingIs(t *testing.T) {
	t.Parallel()
	var none *scriptix.Client
	plain, err := scriptix.New("k")
	require.NoError(t, err)
	for _, c := range []*scriptix.Client{none, {}, plain} {
		assert.Equal(t, http.StatusNotFound, call(t, c.WebhookHandler(), "{}", ""))
	}
	assert.Empty(t, plain.CallbackURL())
}

func TestAnUnauthenticCallbackChangesNothing(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]scriptixtest.Callback{"unsigned": {Unsigned: true}, "forged": {Forged: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
					return scriptixtest.Outcome{Processing: 5 * time.Second, Text: "Hi.", Callback: how}
				})
				c := connect(t, fake)

				job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
				require.NoError(t, err)
				job, err = c.STT.Wait(t.Context(), job.ID)

				require.NoError(t, err)
				assert.Equal(t, scriptix.SourcePoll, job.Source, "the poll found it, not the callback")
				require.NotEmpty(t, fake.Jobs()[0].Deliveries)
				assert.Equal(t, http.StatusUnauthorized, fake.Jobs()[0].Deliveries[0].Status)
			})
		})
	}
}

func TestACallbackMayComeBeforeSubmitsOwnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Text: "Hi.", Callback: scriptixtest.Callback{Before: true}}
		})
		c := connect(t, fake)

		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		job, err = c.STT.Wait(t.Context(), job.ID)

		require.NoError(t, err)
		assert.Equal(t, scriptix.SourceWebhook, job.Source)
		assert.True(t, job.Status.Succeeded())
		assert.Len(t, fake.Requests(), 1, "no poll was needed")
	})
}

func TestAFailureIsConfirmedAndItsReasonFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Minute, Failure: "no speech found"}
		})
		c := connect(t, fake)

		_, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", makeWAV(time.Hour/100)), scriptix.SubmitParams{Language: "en"})

		failed, ok := errors.AsType[*scriptix.JobFailedError](err)
		require.True(t, ok, "%v", err)
		require.ErrorIs(t, err, scriptix.ErrJobFailed)
		assert.Equal(t, "no speech found", failed.Job.Failure)
		assert.Equal(t, fake.Jobs()[0].ID, failed.Job.ID)
	})
}

func TestAFailureThatIsNotTrueIsNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Minute, Text: "Hi.", Callback: scriptixtest.Callback{Untrue: true}}
		})
		c := connect(t, fake)

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Equal(t, "Hi.", got.Text)
	})
}

func TestAResultThatLagsBehindItsCallbackIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Minute, Text: "Hi.", ResultDelay: 20 * time.Second}
		})
		c := connect(t, fake)

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", makeWAV(5*time.Second)), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Equal(t, "Hi.", got.Text)
		results := 0
		for _, r := range fake.Requests() {
			if r.Endpoint == scriptixtest.Result {
				results++
			}
		}
		assert.Equal(t, 4, results, "at once, and after 5, 12 and 23 seconds")
	})
}

func TestAResultThatNeverComesIsWaitedForUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Minute, Text: "Hi.", ResultDelay: 1000 * time.Hour}
		})
		c := connect(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Hour)
		defer cancel()

		_, err := c.STT.Transcribe(ctx, scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

		ended, ok := errors.AsType[*scriptix.WaitError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, fake.Jobs()[0].ID, ended.JobID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Less(t, len(sent(t, fake)), 60)
	})
}

func TestAContextThatEndsWhileTheResultIsFetchedEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Result, Skip: variantOf(t).probes, Delay: time.Hour})
		c := connect(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()

		_, err := c.STT.Transcribe(ctx, scriptix.Bytes("a.wav", wav), english)

		require.ErrorIs(t, err, scriptix.ErrWaitEnded)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		ended, ok := errors.AsType[*scriptix.WaitError](err)
		require.True(t, ok)
		assert.Equal(t, fake.Jobs()[0].ID, ended.JobID)
		assert.True(t, ended.Last.Succeeded(), "%s", ended.Last)

		got, err := c.STT.WaitResult(t.Context(), ended.JobID)
		require.NoError(t, err)
		assert.Equal(t, ended.JobID, got.JobID)
	})
}

func TestTheSenderTriesAgainUntilTheEventIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := connect(t, fake)
		var seen []string
		stop := c.OnEvent(func(_ context.Context, e webhook.Event) error {
			seen = append(seen, e.Data.ID)
			if len(seen) < 4 {
				return errBroken
			}
			return nil
		})

		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		time.Sleep(22 * time.Minute)
		synctest.Wait()

		assert.Equal(t, []string{job.ID, job.ID, job.ID, job.ID}, seen, "at once and after 1, 6 and 21 minutes")
		var statuses []int
		for _, d := range fake.Jobs()[0].Deliveries {
			statuses = append(statuses, d.Status)
		}
		assert.Equal(t, []int{503, 503, 503, 200}, statuses)
		stop()
		require.NoError(t, fake.Redeliver(job.ID))
		synctest.Wait()
		assert.Len(t, seen, 4, "stop removes the function")
		c.OnEvent(nil)()
	})
}

func TestDeliverHandsOverAnEventFromElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Hour, Text: "Hi."}
		})
		c := newClient(t, fake)
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() {
			assert.NoError(t, c.Deliver(t.Context(), webhook.Event{Type: "transcription.archived", Data: webhook.Data{ID: job.ID}}), "unknown events are nothing")
			assert.NoError(t, c.Deliver(t.Context(), webhook.Event{Type: webhook.TranscriptionCompleted, Data: webhook.Data{ID: job.ID, Status: "completed", DocumentID: "7"}}))
		})

		got, err := c.STT.Wait(t.Context(), job.ID)

		require.NoError(t, err)
		assert.Equal(t, "7", got.DocumentID)
		assert.Equal(t, scriptix.SourceWebhook, got.Source)
	})
}

func TestAFunctionOfOnEventMayStopItselfAndDeliver(t *testing.T) {
	t.Parallel()
	c := answering(t, 200, nil, `{}`)
	var seen []string
	var stop func()
	stop = c.OnEvent(func(ctx context.Context, e webhook.Event) error {
		seen = append(seen, e.Data.ID)
		stop()
		stop()
		e.Data.ID = "within"
		return c.Deliver(ctx, e)
	})
	c.OnEvent(func(_ context.Context, e webhook.Event) error {
		seen = append(seen, "second "+e.Data.ID)
		return nil
	})
	e := webhook.Event{Type: webhook.TranscriptionCompleted, Data: webhook.Data{ID: "first"}}

	require.NoError(t, c.Deliver(t.Context(), e))
	require.NoError(t, c.Deliver(t.Context(), e))

	assert.Equal(t, []string{"first", "second within", "second first", "second first"}, seen)
}
