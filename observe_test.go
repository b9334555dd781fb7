package scriptix_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/observe"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// recorder keeps what it is told.
type recorder struct {
	mu        sync.Mutex
	calls     []observe.Call
	answers   []observe.Answer
	submitted []observe.Submitted
	ended     []observe.Ended
	callbacks []observe.Callback
}

type observedKey struct{}

func (r *recorder) Call(ctx context.Context, c observe.Call) (context.Context, func(observe.Answer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	return context.WithValue(ctx, observedKey{}, c.Op), func(a observe.Answer) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answers = append(r.answers, a)
	}
}

func (r *recorder) Submitted(_ context.Context, s observe.Submitted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.submitted = append(r.submitted, s)
}

func (r *recorder) Ended(e observe.Ended) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, e)
}

func (r *recorder) Callback(_ context.Context, c observe.Callback) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.callbacks = append(r.callbacks, c)
}

// seen are the callbacks so far.
func (r *recorder) seen() []observe.Callback {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.callbacks)
}

func TestAnObserverIsToldOfCallsJobsAndCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		const receiver = "https://jobs.example.com/hook"
		c := newClient(t, fake, scriptix.WithWebhook(receiver, fake.WebhookSecret()))
		fake.Handle(receiver, c.WebhookHandler())
		told := new(recorder)
		stop := c.Observe(told)

		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		_, err = c.STT.WaitResult(t.Context(), job.ID)
		require.NoError(t, err)
		synctest.Wait()
		stop()
		_, err = c.STT.Status(t.Context(), job.ID)
		require.NoError(t, err)

		require.Len(t, told.calls, 2, "the submit and the result; after stop nothing is told")
		assert.Equal(t, "stt.submit", told.calls[0].Op)
		assert.Equal(t, "/api/v3/stt", told.calls[0].Route)
		assert.Equal(t, "/api/v3/stt/{id}/result", told.calls[1].Route)
		assert.Equal(t, http.MethodGet, told.calls[1].Method)
		require.Len(t, told.answers, 2)
		assert.Equal(t, http.StatusCreated, told.answers[0].StatusCode)
		assert.Equal(t, 1, told.answers[0].Attempts)
		require.Len(t, told.submitted, 1)
		assert.Equal(t, job.ID, told.submitted[0].JobID)
		require.Len(t, told.ended, 1)
		assert.Equal(t, observe.ByCallback, told.ended[0].Source)
		assert.True(t, told.ended[0].Succeeded)
		assert.Less(t, told.ended[0].Late, 2*time.Second, "the event's own time has whole seconds")
		require.Len(t, told.callbacks, 1)
		assert.Equal(t, observe.Accepted, told.callbacks[0].Verdict)
		assert.Equal(t, job.ID, told.callbacks[0].JobID)
	})
}

func TestAnObserverIsToldOfAnEndThatAPollFoundAndHowLateThatIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Queue: -1, Processing: 20 * time.Second, Failure: "no speech"}
		})
		c := newClient(t, fake)
		told := new(recorder)
		c.Observe(told)
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		begun := time.Now()
		_, err = c.STT.Wait(t.Context(), job.ID)
		require.NoError(t, err)
		synctest.Wait()

		require.Len(t, told.ended, 1)
		end := told.ended[0]
		assert.Equal(t, observe.ByPoll, end.Source)
		assert.False(t, end.Succeeded)
		late := time.Since(begun) - 20*time.Second
		assert.GreaterOrEqual(t, end.Late, late, "it is the most that it can be")
		assert.WithinDuration(t, begun, end.Submitted, time.Second)
	})
}

func TestAnObserverIsToldOfUnknownOutcomesAndForgedCallbacks(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
	c := newClient(t, fake, scriptix.WithWebhook("https://jobs.example.com/hook", "a secret of the test"))
	told := new(recorder)
	c.Observe(told)

	_, err := c.STT.Submit(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
	answer := httptest.NewRecorder()
	forged := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", strings.NewReader(`{"event":"transcription.completed","data":{"id":"x"}}`))
	forged.Header.Set("X-Scriptix-Signature", "sha256="+strings.Repeat("0", 64))
	c.WebhookHandler().ServeHTTP(answer, forged)

	assert.Equal(t, http.StatusUnauthorized, answer.Code)
	require.Len(t, told.answers, 1+variantOf(t).probes)
	assert.True(t, told.answers[variantOf(t).probes].Unknown)
	require.Len(t, told.callbacks, 1)
	assert.Equal(t, observe.Refused, told.callbacks[0].Verdict)
	assert.Empty(t, told.callbacks[0].JobID, "what is not authentic is not passed on")
	assert.Empty(t, told.submitted)
}

func TestTheObserversContextGoesThroughTheTransport(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	var seen any
	hc := fake.HTTPClient()
	inner := hc.Transport
	hc = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		seen = r.Context().Value(observedKey{})
		return inner.RoundTrip(r)
	})}
	c := newClient(t, fake, scriptix.WithHTTPClient(hc))
	c.Observe(new(recorder))

	_, err := c.STT.Status(t.Context(), "stt_1")

	require.ErrorIs(t, err, scriptix.ErrNotFound)
	assert.Equal(t, "stt.status", seen, "a span of the call is the parent of the transport's")
}

func TestAnObserverIsToldOfCallbacksThatNeverReachedTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const secret = "a secret of the test"
		c, err := scriptix.New("k", scriptix.WithWebhook("https://jobs.example.com/hook", secret))
		require.NoError(t, err)
		told := new(recorder)
		c.Observe(told)
		deliver := func(body string) int {
			answer := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", strings.NewReader(body))
			r.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(body)))
			c.WebhookHandler().ServeHTTP(answer, r)
			return answer.Code
		}
		const body = `{"event":"transcription.completed","data":{"id":"stt_1"}}`
		stop := c.OnEvent(func(context.Context, webhook.Event) error { panic("out of luck") })
		assert.Equal(t, http.StatusServiceUnavailable, deliver(body))
		stop()
		require.Len(t, told.seen(), 1)
		assert.Equal(t, observe.Failed, told.seen()[0].Verdict)

		c.OnEvent(func(ctx context.Context, _ webhook.Event) error { <-ctx.Done(); return ctx.Err() })
		var slow sync.WaitGroup
		for range 64 {
			slow.Go(func() { deliver(body) })
		}
		synctest.Wait()
		assert.Equal(t, http.StatusServiceUnavailable, deliver(body))
		seen := told.seen()
		require.Len(t, seen, 2, "there was no place for the last one, and the others are not through")
		assert.Equal(t, observe.Failed, seen[1].Verdict)
		require.ErrorIs(t, seen[1].Err, webhook.ErrBusy)
		slow.Wait()
		synctest.Wait()
		assert.Len(t, told.seen(), 66, "each once")
	})
}

func TestARouteHoldsNoIDs(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	for dialect, want := range map[scriptix.Dialect][]string{
		scriptix.DialectSTT: {
			"/api/v3/documents/{id}", "/api/v3/documents/{id}/export", "/api/v3/stt/{id}/status", "/api/v3/stt/{id}/result",
			"/api/v3/custom_models", "/api/v3/glossaries",
		},
		scriptix.DialectSession: {
			"/api/v3/speech-to-text/session/{id}/document/{id}", "/api/v3/speech-to-text/session/{id}/result", "/api/v3/speech-to-text/session/{id}",
			"/api/v3/speech-to-text/session/{id}/result", "/api/v3/custom_models", "/api/v3/glossaries",
		},
	} {
		c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick, scriptix.WithDialect(dialect))
		require.NoError(t, err)
		told := new(recorder)
		c.Observe(told)
		document := scriptix.Document{JobID: "job-of-letters", ID: "doc_of_letters"}
		_, err = c.Documents.Get(t.Context(), document)
		require.ErrorIs(t, err, scriptix.ErrNotFound)
		require.Error(t, c.Documents.Export(t.Context(), document, "srt", io.Discard))
		_, err = c.STT.Status(t.Context(), document.JobID)
		require.Error(t, err)
		_, err = c.STT.Result(t.Context(), document.JobID)
		require.Error(t, err)
		for _, err := range c.Models.List(t.Context()) {
			require.ErrorIs(t, err, scriptix.ErrNotFound)
		}
		for _, err := range c.Glossaries.List(t.Context()) {
			require.ErrorIs(t, err, scriptix.ErrNotFound)
		}
		var routes []string
		for _, call := range told.calls {
			routes = append(routes, call.Route)
		}
		for _, route := range want {
			assert.Contains(t, routes, route)
		}
		assert.Subset(t, want, routes)
	}
}

func TestAnObserverIsToldOfAJobThatHadEndedWhenItWasSubmitted(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"id":"stt_1","status":"completed"}`)
	}))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL))
	require.NoError(t, err)
	told := new(recorder)
	c.Observe(told)
	_, err = c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
	require.NoError(t, err)
	_, err = c.STT.Wait(t.Context(), "stt_1")
	require.NoError(t, err)
	require.Len(t, told.ended, 1)
	assert.True(t, told.ended[0].Succeeded)
}

// A client without an observer spends nothing on it.
func BenchmarkStatusObserved(b *testing.B) {
	fake, err := scriptixtest.Start()
	require.NoError(b, err)
	b.Cleanup(fake.Close)
	for name, observer := range map[string]scriptix.Observer{"without": nil, "with": new(silent)} {
		b.Run(name, func(b *testing.B) {
			c, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithLimits(scriptix.Limits{}))
			require.NoError(b, err)
			c.Observe(observer)
			b.ReportAllocs()
			for b.Loop() {
				_, err = c.STT.Status(b.Context(), "stt_1")
			}
			require.ErrorIs(b, err, scriptix.ErrNotFound)
		})
	}
}

// silent is an observer that does nothing.
type silent struct{}

func (*silent) Call(ctx context.Context, _ observe.Call) (context.Context, func(observe.Answer)) {
	return ctx, func(observe.Answer) {}
}
func (*silent) Submitted(context.Context, observe.Submitted) {}
func (*silent) Ended(observe.Ended)                          {}
func (*silent) Callback(context.Context, observe.Callback)   {}
