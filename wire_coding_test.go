package scriptix_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// encoded is a text in a content coding.
func encoded(t *testing.T, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip", "GZIP":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare deflate":
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	default:
		return text
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// proxied makes a client of a server whose answers a proxy has encoded.
func proxied(t *testing.T, coding string, answer func(r *http.Request) (status int, header http.Header, body string)) *scriptix.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		status, header, body := answer(r)
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.Header().Set("Content-Encoding", strings.TrimPrefix(coding, "bare "))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, encoded(t, coding, body))
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := scriptix.New(testKey, scriptix.WithBaseURL(server.URL), scriptix.WithHTTPClient(&http.Client{Transport: transport}), quick)
	require.NoError(t, err)
	return c
}

func TestAnswersInACodingThatWasNotAskedForAreRead(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "x-gzip", "GZIP", "deflate", "bare deflate", "identity", ""} {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			var refused atomic.Bool
			c := proxied(t, coding, func(r *http.Request) (int, http.Header, string) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/bad/status"):
					return http.StatusUnprocessableEntity, nil, `{"message":"no such language","details":{"language":"is unknown"}}`
				case strings.HasSuffix(r.URL.Path, "/status"):
					return http.StatusOK, nil, `{"id":"stt_1","status":"completed"}`
				case strings.HasSuffix(r.URL.Path, "/result"):
					return http.StatusOK, nil, `{"id":"stt_1","status":"completed","transcript":"hello"}`
				case refused.CompareAndSwap(false, true):
					return http.StatusServiceUnavailable, http.Header{"Retry-After": {"0"}}, `{"error":"overloaded","message":"later"}`
				}
				return http.StatusCreated, nil, `{"id":"stt_1","status":"uploaded"}`
			})

			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err, "a 503 that refuses is repeated")
			assert.Equal(t, "stt_1", job.ID)
			job, err = c.STT.Status(t.Context(), "stt_1")
			require.NoError(t, err)
			assert.Equal(t, scriptix.StatusCompleted, job.Status)
			transcript, err := c.STT.Result(t.Context(), "stt_1")
			require.NoError(t, err)
			assert.Equal(t, "hello", transcript.Text)
			_, err = c.STT.Status(t.Context(), "bad")
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			assert.ErrorContains(t, err, "no such language: language: is unknown")
		})
	}
}

func TestCodingThatIsNotKnownIsNamed(t *testing.T) {
	t.Parallel()
	c := proxied(t, "br", func(*http.Request) (int, http.Header, string) { return http.StatusCreated, nil, "\x1b\x03\x00" })

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)

	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
	require.ErrorContains(t, err, `"br"`)

	_, err = c.STT.Result(t.Context(), "stt_1")
	require.ErrorIs(t, err, scriptix.ErrBadAnswer)
	require.ErrorContains(t, err, `"br"`)
}

func TestCodingThatIsNamedButNotThereIsNotBelieved(t *testing.T) {
	t.Parallel()
	plain := serveRaw(t, false, func(x *rawExchange) bool {
		body := `{"id":"stt_1","status":"queued"}`
		_, _ = io.WriteString(x, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 32\r\n\r\n"+body)
		return true
	})
	job, err := plain.connect(t).STT.Status(t.Context(), "stt_1")
	require.NoError(t, err)
	assert.Equal(t, scriptix.StatusQueued, job.Status)
}

func TestWhatIsDecodedIsBounded(t *testing.T) {
	t.Parallel()
	bomb := `{"id":"stt_1","status":"` + strings.Repeat("a", 8<<20) + `"}`
	c := proxied(t, "gzip", func(*http.Request) (int, http.Header, string) { return http.StatusOK, nil, bomb })

	_, err := c.STT.Status(t.Context(), "stt_1")

	require.ErrorIs(t, err, scriptix.ErrBadAnswer)
	assert.ErrorContains(t, err, "longer than")
}

func TestTheFakeEncodesItsAnswers(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "gzip, deflate"} {
		fake := newFake(t)
		fake.Fault(scriptixtest.Fault{Coding: coding, Times: -1})
		_, err := newClient(t, fake).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
		require.NoError(t, err)
	}
	fake := newFake(t)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Coding: "br"})
	_, err := newClient(t, fake).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
}
