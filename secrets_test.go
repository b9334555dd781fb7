package scriptix_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// reply is an answer of a RoundTripper.
func reply(r *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// shown is all that can be printed of an error.
func shown(t *testing.T, err error) []string {
	t.Helper()
	encoded, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	return []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), string(encoded)}
}

func TestNoErrorShowsWhatAnAnswerOrTheNetworkEchoes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 120) + testKey
	tests := map[string]trip{
		"a request id beside a 2xx that cannot be read": func(r *http.Request) (*http.Response, error) {
			return reply(r, 200, http.Header{"X-Request-Id": {testKey}}, "no"), nil
		},
		"a key that the limit would cut": func(r *http.Request) (*http.Response, error) {
			return reply(r, 422, http.Header{"X-Request-Id": {long}}, `{"error_code":"`+long+`","message":"`+strings.Repeat("x", 1010)+testKey+`"}`), nil
		},
		"the name of a field": func(r *http.Request) (*http.Response, error) {
			return reply(r, 422, nil, `{"details":{"`+testKey+`":"bad"}}`), nil
		},
		"another job's id": func(r *http.Request) (*http.Response, error) {
			return reply(r, 200, nil, `{"id":"`+testKey+`","status":"completed"}`), nil
		},
		"the error of a RoundTripper": func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("cannot send: %w", &url.Error{Op: "Get", URL: "https://x.example/?q=" + testKey, Err: errors.New("refused")})
		},
		"a proxy's password": func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf(`invalid proxy address "socks5://me:%s@proxy:1": refused`, testKey[:12])
		},
		"a proxy's URL that cannot be parsed": func(*http.Request) (*http.Response, error) {
			_, err := url.Parse("http://me:" + testKey[:12] + " x@proxy:1")
			return nil, err
		},
		"a header line": func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("malformed MIME header line: Location https://x.example/?q=%s%s", testKey[:12], strings.Repeat("x", 1<<20))
		},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c := over(t, f, scriptix.WithLogger(logger), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))

			_, err := c.STT.Status(t.Context(), "stt_1")

			require.Error(t, err)
			for _, got := range append(shown(t, err), log.String()) {
				assert.NotContains(t, got, testKey[:8])
				assert.Less(t, len(got), 4096)
			}
		})
	}
}

func TestAnObjectStoresSignedURLStaysOutOfTheError(t *testing.T) {
	t.Parallel()
	c := answering(t, 500, nil, "")
	broken := errors.New("no such bucket")
	audio := scriptix.Opener("a", 9, func(context.Context, int64) (io.ReadCloser, error) {
		return nil, &url.Error{Op: "Get", URL: "https://store.example/a?signature=secret", Err: broken}
	})
	for _, opts := range [][]scriptix.SubmitOption{nil, {scriptix.Resumable()}, {scriptix.Resumable(), scriptix.ExpectDigest(scriptix.Digest{})}} {
		_, err := c.STT.Submit(t.Context(), audio, english, opts...)

		require.ErrorIs(t, err, scriptix.ErrAudio)
		require.ErrorIs(t, err, broken)
		for _, got := range shown(t, err) {
			assert.NotContains(t, got, "secret")
			assert.Contains(t, got, "store.example/a")
		}
	}
}

func TestTheReasonOfAFailureShowsNoSignedURLAndNoAnswer(t *testing.T) {
	t.Parallel()
	c := answering(t, 200, nil, `{"id":"stt_1","status":"failed","error":"cannot fetch https://me.example/a?signature=secret"}`)

	_, err := c.STT.Result(t.Context(), "stt_1")

	require.ErrorIs(t, err, scriptix.ErrJobFailed)
	for _, got := range shown(t, err) {
		assert.NotContains(t, got, "secret")
		assert.NotContains(t, got, "0x7b")
		assert.Contains(t, got, "cannot fetch")
	}
}
