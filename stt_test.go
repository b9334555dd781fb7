package scriptix_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// fault is one way in which a call can go wrong, and what the client makes of
// it: how many requests it sends, how many jobs there are, and what it says.
type fault struct {
	name   string
	fault  scriptixtest.Fault
	refuse int // dials refused

	submitErr      error // nil: the retry succeeds
	submitStatus   int
	submitRequests int
	submitJobs     int

	statusErr      error
	statusRequests int
}

const page = "<html><body>Bad Gateway http://internal.example/?token=secret</body></html>"

// html is a page as a gateway puts it in the service's place.
func html(status int) scriptixtest.Fault {
	return scriptixtest.Fault{Status: status, Body: page, Header: http.Header{"Content-Type": {"text/html"}}}
}

var faults = []fault{
	{name: "connection refused", refuse: 1, submitRequests: 1, submitJobs: 1, statusRequests: 1},
	{name: "cut before the body", fault: scriptixtest.Fault{Cut: scriptixtest.BeforeBody}, submitRequests: 2, submitJobs: 1, statusRequests: 2},
	{name: "cut within the body", fault: scriptixtest.Fault{Cut: scriptixtest.WithinBody}, submitRequests: 2, submitJobs: 1, statusRequests: 2},
	{name: "cut after the body", fault: scriptixtest.Fault{Cut: scriptixtest.AfterBody}, submitErr: scriptix.ErrUnknownOutcome, submitRequests: 1, submitJobs: 1, statusRequests: 2},
	{name: "answer cut", fault: scriptixtest.Fault{Cut: scriptixtest.WithinAnswer}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusRequests: 2},
	{name: "400", fault: scriptixtest.Fault{Status: 400}, submitErr: scriptix.ErrInvalid, submitStatus: 400, submitRequests: 1, statusErr: scriptix.ErrInvalid, statusRequests: 1},
	{name: "401", fault: scriptixtest.Fault{Status: 401}, submitErr: scriptix.ErrUnauthorized, submitStatus: 401, submitRequests: 1, statusErr: scriptix.ErrUnauthorized, statusRequests: 1},
	{name: "402", fault: scriptixtest.Fault{Status: 402}, submitErr: scriptix.ErrQuota, submitStatus: 402, submitRequests: 1, statusErr: scriptix.ErrQuota, statusRequests: 1},
	{name: "403", fault: scriptixtest.Fault{Status: 403}, submitErr: scriptix.ErrForbidden, submitStatus: 403, submitRequests: 1, statusErr: scriptix.ErrForbidden, statusRequests: 1},
	{name: "409", fault: scriptixtest.Fault{Status: 409}, submitErr: scriptix.ErrConflict, submitStatus: 409, submitRequests: 1, statusErr: scriptix.ErrConflict, statusRequests: 1},
	{name: "413", fault: scriptixtest.Fault{Status: 413}, submitErr: scriptix.ErrTooLarge, submitStatus: 413, submitRequests: 1, statusErr: scriptix.ErrTooLarge, statusRequests: 1},
	{name: "408", fault: scriptixtest.Fault{Status: 408}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 408, submitRequests: 1, statusRequests: 2},
	{name: "429", fault: scriptixtest.Fault{Status: 429, RetryAfter: "7"}, submitRequests: 2, submitJobs: 1, statusRequests: 2},
	{name: "429 without Retry-After", fault: scriptixtest.Fault{Status: 429, Body: "{}"}, submitRequests: 2, submitJobs: 1, statusRequests: 2},
	{name: "429 that asks for an hour", fault: scriptixtest.Fault{Status: 429, RetryAfter: "3600"}, submitErr: scriptix.ErrRateLimited, submitStatus: 429, submitRequests: 1, statusErr: scriptix.ErrRateLimited, statusRequests: 1},
	{name: "500", fault: scriptixtest.Fault{Status: 500}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 500, submitRequests: 1, statusRequests: 2},
	{name: "500 after a job was made", fault: scriptixtest.Fault{Status: 500, Accept: true}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 500, submitRequests: 1, submitJobs: 1, statusRequests: 2},
	{name: "501", fault: scriptixtest.Fault{Status: 501}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 501, submitRequests: 1, statusRequests: 2},
	{name: "502 as HTML", fault: html(502), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 502, submitRequests: 1, statusRequests: 2},
	{name: "503 that refuses", fault: scriptixtest.Fault{Status: 503, RetryAfter: "2", Body: `{"error":"maintenance"}`}, submitRequests: 2, submitJobs: 1, statusRequests: 2},
	{name: "503 without Retry-After", fault: scriptixtest.Fault{Status: 503, Body: `{"error":"maintenance"}`}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 503, submitRequests: 1, statusRequests: 2},
	{name: "503 as HTML", fault: html(503), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 503, submitRequests: 1, statusRequests: 2},
	{name: "503 as HTML with Retry-After", fault: func() scriptixtest.Fault { f := html(503); f.RetryAfter = "2"; return f }(), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 503, submitRequests: 1, statusRequests: 2},
	{name: "503 with Retry-After and an empty object", fault: scriptixtest.Fault{Status: 503, RetryAfter: "2", Body: `{}`}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 503, submitRequests: 1, statusRequests: 2},
	{name: "503 with Retry-After and nulls", fault: scriptixtest.Fault{Status: 503, RetryAfter: "2", Body: `{"error":null,"message":null}`}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 503, submitRequests: 1, statusRequests: 2},
	{name: "504", fault: html(504), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 504, submitRequests: 1, statusRequests: 2},
	{name: "520", fault: html(520), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 520, submitRequests: 1, statusRequests: 2},
	{name: "a 201 that is empty", fault: scriptixtest.Fault{Status: 201, NoBody: true}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusErr: scriptix.ErrBadAnswer, statusRequests: 1},
	{name: "a 201 that is {}", fault: scriptixtest.Fault{Status: 201, Body: "{}"}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusErr: scriptix.ErrBadAnswer, statusRequests: 1},
	{name: "a 201 that is null", fault: scriptixtest.Fault{Status: 201, Body: "null"}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusErr: scriptix.ErrBadAnswer, statusRequests: 1},
	{name: "a 201 that is HTML", fault: html(201), submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusErr: scriptix.ErrBadAnswer, statusRequests: 1},
	{name: "slow headers", fault: scriptixtest.Fault{Delay: 50 * time.Second}, submitRequests: 1, submitJobs: 1, statusRequests: 1},
	{name: "silence for an hour", fault: scriptixtest.Fault{Delay: time.Hour}, submitErr: scriptix.ErrUnknownOutcome, submitRequests: 1, submitJobs: 1, statusRequests: 2},
	{name: "an answer's body that stalls", fault: scriptixtest.Fault{Stall: time.Hour}, submitErr: scriptix.ErrUnknownOutcome, submitStatus: 201, submitRequests: 1, submitJobs: 1, statusRequests: 2},
	{name: "302", fault: scriptixtest.Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/login?next=secret"}}}, submitErr: errAny, submitStatus: 302, submitRequests: 1, statusErr: errAny, statusRequests: 1},
	{name: "307 to another host", fault: scriptixtest.Fault{Status: 307, Header: http.Header{"Location": {"https://elsewhere.example/api/v3/stt"}}}, submitErr: errAny, submitStatus: 307, submitRequests: 1, statusErr: errAny, statusRequests: 1},
	{name: "308 to the same host", fault: scriptixtest.Fault{Status: 308, Header: http.Header{"Location": {"/api/v3/stt"}}}, submitErr: errAny, submitStatus: 308, submitRequests: 1, statusErr: errAny, statusRequests: 2},
}

// errAny stands for an *Error of no sentinel's kind.
var errAny = errors.New("any")

func TestSubmitNeverMakesTwoJobsWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				c := newClient(t, fake)
				tt := tt.in(variantOf(t))
				tt.fault.On = scriptixtest.Submit
				if tt.refuse > 0 {
					fake.RefuseConnections(tt.refuse)
				} else {
					fake.Fault(tt.fault)
				}

				job, err := c.STT.Submit(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})

				assert.Len(t, fake.Jobs(), tt.submitJobs, "jobs")
				assert.Len(t, sent(t, fake), tt.submitRequests, "requests")
				if tt.submitErr == nil {
					require.NoError(t, err)
					assert.Equal(t, fake.Jobs()[0].ID, job.ID)
					return
				}
				checkError(t, err, tt.submitErr, tt.submitStatus)
				if unknown, ok := errors.AsType[*scriptix.UnknownOutcomeError](err); ok && !variantOf(t).byURL {
					assert.EqualValues(t, len(wav), unknown.Sent)
					assert.EqualValues(t, len(wav), unknown.Size)
				}
			})
		})
	}
}

func TestStatusSitsOutWhatPasses(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		if !variantOf(t).dialect.SignedCallbacks() && tt.fault.Status == http.StatusPermanentRedirect {
			continue // it leads to a path that is not there, so that the other call is asked
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				c := newClient(t, fake)
				job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
				require.NoError(t, err)
				_, err = c.STT.Status(t.Context(), job.ID) // and by that the call that tells
				require.NoError(t, err)
				tt, before := tt.in(variantOf(t)), len(fake.Requests())
				tt.fault.On = variantOf(t).poll
				if tt.refuse > 0 {
					c.CloseIdleConnections()
					fake.RefuseConnections(tt.refuse)
				} else {
					fake.Fault(tt.fault)
				}

				got, err := c.STT.Status(t.Context(), job.ID)

				assert.Len(t, fake.Requests(), before+tt.statusRequests, "requests")
				assert.Len(t, fake.Jobs(), 1)
				if tt.statusErr == nil {
					require.NoError(t, err)
					assert.Equal(t, job.ID, got.ID)
					return
				}
				checkError(t, err, tt.statusErr, 0)
			})
		})
	}
}

// in is a fault as a variant has it. A submit of a URL is out whole at once. A
// status request that fails for the key's sake is made once more with the key in
// another header; and where the result is all that there is to ask for, a conflict
// says that the job runs, without any body.
func (f fault) in(v variant) fault {
	legacy := v.poll == scriptixtest.Result
	if v.byURL && (f.fault.Cut == scriptixtest.BeforeBody || f.fault.Cut == scriptixtest.WithinBody) {
		f.submitErr, f.submitRequests, f.submitJobs = scriptix.ErrUnknownOutcome, 1, 0
	}
	switch {
	case v.dialect.SignedCallbacks():
	case f.fault.Status == http.StatusUnauthorized:
		f.statusRequests++
	case legacy && f.fault.Status == http.StatusConflict:
		f.statusErr = nil
	case legacy && (f.fault.Cut == scriptixtest.WithinAnswer || f.fault.Stall > 0):
		f.statusRequests = 1
	}
	return f
}

// checkError asserts what holds for every error: it has its kind and status,
// and nothing secret in it.
func checkError(t *testing.T, err, kind error, status int) {
	t.Helper()
	require.Error(t, err)
	e, ok := errors.AsType[*scriptix.Error](err)
	require.True(t, ok, "%T is no *Error", err)
	if !errors.Is(kind, errAny) {
		require.ErrorIs(t, err, kind)
	}
	if status != 0 {
		assert.Equal(t, status, e.StatusCode)
	}
	assert.Positive(t, e.Attempts)
	assert.NotContains(t, err.Error(), "secret")
	assert.NotContains(t, err.Error(), "html")
}

func TestSubmitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   scriptixtest.Fault
		unknown bool
		jobs    int
	}{
		{"before the body went out", scriptixtest.Fault{BodyStall: time.Hour}, false, 0},
		{"after its last byte", scriptixtest.Fault{Delay: time.Hour}, true, 1},
		{"while a refusal is waited out", scriptixtest.Fault{Status: 429, RetryAfter: "50"}, false, 0},
	}
	for _, tt := range tests {
		if tt.fault.BodyStall > 0 && variantOf(t).byURL {
			continue // all of it is out at once
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				c := newClient(t, fake)
				tt.fault.On = scriptixtest.Submit
				fake.Fault(tt.fault)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, cancel)
				start := time.Now()

				_, err := c.STT.Submit(ctx, sourceOf(t, makeWAV(10*time.Minute)), scriptix.SubmitParams{Language: "en"})

				require.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, tt.unknown, errors.Is(err, scriptix.ErrUnknownOutcome))
				assert.NotErrorIs(t, err, scriptix.ErrAudio)
				assert.Equal(t, 10*time.Second, time.Since(start))
				assert.Len(t, sent(t, fake), 1)
				time.Sleep(2 * time.Hour)
				assert.Len(t, fake.Jobs(), tt.jobs)
				if tt.fault.Status == 429 {
					e, _ := errors.AsType[*scriptix.Error](err)
					assert.Equal(t, 429, e.StatusCode, "the refusal stays beside the context's end")
				}
			})
		})
	}
}

func TestSubmitThatCannotBeRepeatedInTimeFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 429, RetryAfter: "50"})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()

		_, err := c.STT.Submit(ctx, sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})

		require.ErrorIs(t, err, scriptix.ErrRateLimited)
		e, _ := errors.AsType[*scriptix.Error](err)
		assert.Equal(t, 50*time.Second, e.RetryAfter)
		assert.Zero(t, time.Since(start))
	})
}

func TestTranscribeHandsOverTheTranscriptWhenTheCallbackComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 20 * time.Second, Text: "Speaker 1: Good morning.\nSpeaker 2: Hello."}
		})
		const callback = "https://receiver.example/scriptix"
		c := newClient(t, fake, scriptix.WithWebhook(callback, fake.WebhookSecret()))
		fake.Handle(callback, c.WebhookHandler())

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", makeWAV(4*time.Minute)), scriptix.SubmitParams{Language: "en", Diarization: true})

		require.NoError(t, err)
		require.Len(t, got.Segments, 2)
		assert.Equal(t, "Good morning.", got.Segments[0].Text)
		assert.Equal(t, "Speaker 2", got.Segments[1].Speaker)
		require.Len(t, fake.Jobs(), 1)
		assert.Len(t, fake.Requests(), 2, "one submit, one result, no poll")
	})
}

func TestTranscribeFallsBackToPollingWhenNoCallbackComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 20 * time.Second, Text: "Hello."}
		})
		c := newClient(t, fake)

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Equal(t, "Hello.", got.Text)
		assert.Equal(t, fake.Jobs()[0].ID, got.JobID)
	})
}
