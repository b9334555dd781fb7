package scriptix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

const testKey = "sk_live_0123456789abcdef"

// answering makes a client of a server that gives one answer to everything.
func answering(t *testing.T, status int, header http.Header, body string, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	c, err := scriptix.New(testKey, append([]scriptix.Option{scriptix.WithBaseURL(server.URL), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1})}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestEveryErrorBodyTheServiceSendsIsDecoded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		body   string
		want   scriptix.Error
		header http.Header
	}{
		{
			name: "the reference generation",
			body: `{"error":"Validation Error","message":"The request is invalid","error_code":"VALIDATION_ERROR","details":{"language":"Language 'xx' is not supported"}}`,
			want: scriptix.Error{Code: "VALIDATION_ERROR", Message: "The request is invalid", Fields: map[string]string{"language": "Language 'xx' is not supported"}},
		},
		{
			name: "a nested error with field and issue",
			body: `{"error":{"code":422,"message":"Bad field","details":{"field":"language","issue":"unknown"}}}`,
			want: scriptix.Error{Code: "422", Message: "Bad field", Fields: map[string]string{"language": "unknown"}},
		},
		{name: "a word and a message", body: `{"error":"rate_limit_exceeded","message":"Slow down"}`, want: scriptix.Error{Message: "Slow down"}},
		{name: "an OAuth body", body: `{"error":"invalid_token","error_description":"The token expired","detail":"x"}`, want: scriptix.Error{Message: "The token expired"}},
		{name: "a detail alone", body: `{"detail":"Not here"}`, want: scriptix.Error{Message: "Not here"}},
		{name: "an error alone", body: `{"error":"Nope"}`, want: scriptix.Error{Message: "Nope"}},
		{name: "a message that is no string", body: `{"message":{"a":1},"detail":"Still here"}`, want: scriptix.Error{Message: "Still here"}},
		{name: "details as a list", body: `{"message":"m","details":{"language":["is unknown","is empty"]}}`, want: scriptix.Error{Message: "m", Fields: map[string]string{"language": "is unknown, is empty"}}},
		{name: "a retry_after in the body", body: `{"error":"e","retry_after":60}`, want: scriptix.Error{Message: "e", RetryAfter: time.Minute}},
		{name: "a Retry-After in the header goes first", body: `{"error":"e","retry_after":60}`, header: http.Header{"Retry-After": {"90"}}, want: scriptix.Error{Message: "e", RetryAfter: 90 * time.Second}},
		{name: "a request id", body: `{"error":"e"}`, header: http.Header{"X-Request-Id": {"req_1"}}, want: scriptix.Error{Message: "e", RequestID: "req_1"}},
		{name: "HTML keeps the status alone", body: "<html>go to https://x.example/?token=t</html>", want: scriptix.Error{Message: "Unprocessable Entity"}},
		{name: "plain text keeps the status alone", body: "upstream connect error", want: scriptix.Error{Message: "Unprocessable Entity"}},
		{name: "nothing keeps the status", body: "", want: scriptix.Error{Message: "Unprocessable Entity"}},
		{name: "a list keeps the status", body: `["error"]`, want: scriptix.Error{Message: "Unprocessable Entity"}},
		{name: "an echoed key is hidden", body: `{"message":"key ` + testKey + ` is bad"}`, want: scriptix.Error{Message: "key [key] is bad"}},
		{name: "a URL's query is hidden", body: `{"message":"cannot reach https://me.example/cb?token=abc now"}`, want: scriptix.Error{Message: "cannot reach https://me.example/cb?[query] now"}},
		{name: "control characters become blanks", body: `{"message":"a\nb\u0000c"}`, want: scriptix.Error{Message: "a b c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, http.StatusUnprocessableEntity, tt.header, tt.body)

			_, err := c.STT.Status(t.Context(), "stt_1")

			got, ok := errors.AsType[*scriptix.Error](err)
			require.True(t, ok)
			tt.want.Op, tt.want.JobID, tt.want.StatusCode, tt.want.Attempts = "stt.status", "stt_1", 422, 1
			assert.Equal(t, &tt.want, got)
		})
	}
}

func TestALongErrorBodyIsReadNoFurtherThanNeeded(t *testing.T) {
	t.Parallel()
	c := answering(t, 500, nil, `{"message":"`+strings.Repeat("x", 1<<20)+`"}`)

	_, err := c.STT.Status(t.Context(), "stt_1")

	require.ErrorIs(t, err, scriptix.ErrServer)
	assert.Less(t, len(err.Error()), 200)
}

func TestAnErrorSaysItsKind(t *testing.T) {
	t.Parallel()
	kinds := map[int]error{
		400: scriptix.ErrInvalid, 401: scriptix.ErrUnauthorized, 402: scriptix.ErrQuota, 403: scriptix.ErrForbidden, 404: scriptix.ErrNotFound,
		408: scriptix.ErrServer, 409: scriptix.ErrConflict, 413: scriptix.ErrTooLarge, 415: scriptix.ErrInvalid, 422: scriptix.ErrInvalid,
		429: scriptix.ErrRateLimited, 500: scriptix.ErrServer, 503: scriptix.ErrServer, 599: scriptix.ErrServer,
	}
	all := []error{
		scriptix.ErrUnauthorized, scriptix.ErrQuota, scriptix.ErrForbidden, scriptix.ErrNotFound, scriptix.ErrConflict, scriptix.ErrTooLarge, scriptix.ErrInvalid,
		scriptix.ErrRateLimited, scriptix.ErrServer, scriptix.ErrUnknownOutcome, scriptix.ErrAudio, scriptix.ErrBudget, scriptix.ErrBadAnswer, scriptix.ErrNotReady, scriptix.ErrJobFailed, scriptix.ErrWaitEnded,
	}
	for status, kind := range kinds {
		for _, sentinel := range all {
			assert.Equal(t, errors.Is(kind, sentinel), errors.Is(&scriptix.Error{StatusCode: status}, sentinel), "%d and %v", status, sentinel)
		}
	}
}

func TestAnErrorReadsAsOneLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want string
		err  error
	}{
		{`stt.submit: 422 VALIDATION: bad: language: unknown; model: missing (req_1)`, &scriptix.Error{Op: "stt.submit", StatusCode: 422, Code: "VALIDATION", Message: "bad", Fields: map[string]string{"model": "missing", "language": "unknown"}, RequestID: "req_1"}},
		{`stt.status "stt_1": connection reset`, &scriptix.Error{Op: "stt.status", JobID: "stt_1", Err: errors.New("connection reset")}},
		{`unknown outcome: 10 of 10 bytes of audio went out and a job may exist, so it is not sent again: stt.submit: 502`, &scriptix.UnknownOutcomeError{Sent: 10, Size: 10, Err: &scriptix.Error{Op: "stt.submit", StatusCode: 502}}},
		{`unknown outcome: 10 of an unknown number of bytes of audio went out and a job may exist, so it is not sent again: x`, &scriptix.UnknownOutcomeError{Sent: 10, Size: -1, Err: errors.New("x")}},
		{`transcription "stt_1" failed: the service gave no reason`, &scriptix.JobFailedError{Job: scriptix.Job{ID: "stt_1"}}},
		{`stopped waiting for "stt_1" and 2 more (processing), which goes on; wait for the id again to resume: x`, &scriptix.WaitError{JobID: "stt_1", Last: "processing", Pending: []string{"stt_1", "b", "c"}, Err: errors.New("x")}},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, tt.err.Error())
	}
}

// everyPrint is what the verbs of fmt, JSON and slog make of v.
func everyPrint(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v %+v %#v %s %q\n", v, v, v, v, v)
	encoded, _ := json.Marshal(v)
	b.Write(encoded)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	return b.String()
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	const secret = "whsec_0123456789"
	const callback = "https://me.example/cb?token=t0ken"
	opts := []scriptix.Option{scriptix.WithWebhook(callback, secret)}
	c := answering(t, 500, nil, `{"message":"`+testKey+` and `+callback+`"}`, opts...)
	_, answered := c.STT.Status(t.Context(), "stt_1")
	refused, err := scriptix.New(testKey, scriptix.WithBaseURL("http://127.0.0.1:1/"), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	_, unanswered := refused.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en", WebhookURL: callback})
	_, badKey := scriptix.New(testKey + "\n")
	_, badURL := scriptix.New(testKey, scriptix.WithBaseURL("https://user:"+testKey+"@host\x7f"))

	for name, v := range map[string]any{"client": c, "client by value": *c, "service": c.STT, "options": opts, "option": opts[0], "answered": answered, "unanswered": unanswered, "bad key": badKey, "bad URL": badURL} {
		text := everyPrint(t, v)
		for _, s := range []string{testKey, secret, "t0ken"} {
			assert.NotContains(t, text, s, name)
		}
	}
	require.Error(t, badKey)
	require.Error(t, badURL)
	require.Error(t, unanswered)
}

func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{`{"error":{"code":1,"details":{"field":"a","issue":"b"}}}`, `{"details":{"a":["b"]}}`, `{"retry_after":1e999}`, page, `null`, `{"error":"a?b https://x?y"}`} {
		f.Add(429, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 300 || status > 599 {
			status = 500
		}
		e := scriptix.DecodeError(status, []byte(body), testKey)
		require.Equal(t, status, e.StatusCode)
		require.NotContains(t, e.Error(), testKey)
		require.NotContains(t, e.Error(), "\n")
		require.GreaterOrEqual(t, e.RetryAfter, time.Duration(0))
		require.Less(t, len(e.Message), 1100)
		if !json.Valid([]byte(body)) {
			require.Equal(t, http.StatusText(status), e.Message, "what is no JSON is no message")
		}
		_, err := json.Marshal(e)
		require.NoError(t, err)
	})
}
