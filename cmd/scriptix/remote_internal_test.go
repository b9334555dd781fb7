package main

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestWhatNamesTheRecordingBehindAURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		public, name string
		exact        bool
	}{
		"https://x.example/calls/a.wav":                               {"https://x.example/calls/a.wav", "a.wav", true},
		"HTTPS://X.Example:443/calls/a%20b.wav#part":                  {"https://x.example/calls/a%20b.wav", "a b.wav", true},
		"https://x.example:8443/a.wav?X-Amz-Signature=s&X-Amz-Date=d": {"https://x.example:8443/a.wav", "a.wav", true},
		"https://x.example/a.wav?sv=1&se=2&sp=r&sig=abc":              {"https://x.example/a.wav", "a.wav", true},
		"https://x.example/a.wav?Expires=1&Signature=s&Key-Pair-Id=k": {"https://x.example/a.wav", "a.wav", true},
		"https://x.example/a.wav?sp=r":                                {"https://x.example/a.wav?...2536c5fb", "a.wav", false},
		"https://x.example/get?id=7&sig=a":                            {"https://x.example/get?...f422c82d", "get", false},
		"https://x.example/get?sig=b&id=7":                            {"https://x.example/get?...f422c82d", "get", false},
		"https://x.example/get?id=8":                                  {"https://x.example/get?...1f604745", "get", false},
		"https://x.example":                                           {"https://x.example/", "recording", true},
		"https://x.example/a/..%2f..%2fetc%2f.scriptix":               {"https://x.example/a/..%2f..%2fetc%2f.scriptix", "scriptix", true},
		"https://x.example/a/%5c%00con:.wav":                          {"https://x.example/a/%5c%00con:.wav", "--con-.wav", true},
		"https://x.example/a/":                                        {"https://x.example/a/", "a", true},
	} {
		public, r, err := parseURL(raw)
		require.NoError(t, err, raw)
		assert.Equal(t, want.public, public, raw)
		assert.Equal(t, want.exact, r.exact, raw)
		assert.Equal(t, want.name, urlName(public), raw)
	}
}

// A token may be what tells a recording from others, or sign it: only who named it knows which.
func TestAURLThatDiffersInItsTokenIsNotLeftOutInSilence(t *testing.T) {
	t.Parallel()
	in, err := expand([]string{"https://x.example/get?token=one", "https://x.example/get?token=one"}, []string{
		"https://x.example/get?token=two", "https://x.example/a.wav?X-Amz-Signature=one", "https://x.example/a.wav?X-Amz-Signature=two",
	}, nil)
	require.NoError(t, err)
	assert.Len(t, in.recordings, 2)
	assert.Equal(t, []string{"https://x.example/get: is named with another token as well; if that leads to another recording, name it in a run of its own, into another folder"}, in.badLines())
}

func TestAURLThatIsRefusedIsNotPrintedWhole(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"https://anna:secret@x.example/a.wav?sig=secret", "http://x.example/a.wav?sig=secret", "https://?sig=secret", "https:///a?secret",
		"https://x.example/%zz?secret#secret", "https://anna:se/cret@x.example/?secret", "https://x.example/a\x00b?secret",
	} {
		_, _, err := parseURL(raw)
		require.Error(t, err, raw)
		assert.NotContains(t, err.Error(), "secret", raw)
		assert.NotContains(t, err.Error(), "cret@", raw)
		assert.NotContains(t, err.Error(), "anna:", raw)
	}
}

// A server whose answers never come whole, or fail, or bring another part than the one asked for, costs nothing.
func TestARecordingThatCannotBeReadToItsEndMakesNoJob(t *testing.T) {
	t.Parallel()
	const whole = "RIFF....WAVE what is said"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"cut before its first byte": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=0-511" {
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(whole))
				return
			}
			panic(http.ErrAbortHandler)
		}, "after 5 tries: its server ended the connection before the end of the recording"},
		"failing after the first answer": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=0-511" {
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(whole))
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		}, "after 5 tries: its server answers 502 Bad Gateway"},
		"another part": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 2-24/25")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, whole[2:])
		}, "its server answers with another part than the one that was asked for"},
		"longer than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, whole)
		}, "it is longer than its server said"},
		"failing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "its server answers 503 Service Unavailable"},
		"empty":   {func(http.ResponseWriter, *http.Request) {}, "it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"v1"`)
				c.answer(w, r)
			}))
			defer server.Close()
			fake := scriptixtest.New(t)
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			var stderr bytes.Buffer
			e := &env{stdout: io.Discard, stderr: &stderr, roots: roots, pause: time.Microsecond, getenv: func(name string) string {
				return map[string]string{keyVariable: fake.APIKey()}[name]
			}}
			code := run(t.Context(), e, []string{
				"transcribe", server.URL + "/a.wav?sig=secret", "-l", "en", "--out", t.TempDir(), "--base-url", fake.URL(), "--allow-private",
			})
			assert.Equal(t, exitFailed, code)
			assert.Contains(t, stderr.String(), c.want)
			assert.NotContains(t, stderr.String(), "secret")
			assert.Empty(t, fake.Jobs())
		})
	}
}
