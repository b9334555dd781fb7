package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// diagnose runs doctor against a server, and returns what it printed.
func diagnose(t *testing.T, url, key string) string {
	t.Helper()
	var out bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, getenv: func(name string) string {
		return map[string]string{keyVariable: key, "SCRIPTIX_BASE_URL": url}[name]
	}}
	run(t.Context(), e, []string{"doctor", "--base-url", url})
	return out.String()
}

func TestDoctorTellsTheDialectsOfTheFakeApart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fake scriptixtest.Option
		want string
	}{
		"stt":             {scriptixtest.WithDialect(scriptixtest.STT), "ok    dialect   stt; no flag is needed"},
		"session legacy":  {scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), "ok    dialect   session (legacy, x-zoom-s2t-key); add --dialect session"},
		"session current": {scriptixtest.WithDialect(scriptixtest.Session), "ok    dialect   session (current, Authorization); add --dialect session"},
		"both":            {scriptixtest.WithDialect(scriptixtest.DialectBoth), "ok    dialect   both; --dialect stt, which is the default, or --dialect session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t, c.fake)
			out := diagnose(t, fake.URL(), fake.APIKey())
			assert.Contains(t, out, c.want)
			assert.Contains(t, out, "ok    valid")
			assert.Contains(t, out, "resumable uploads 1.0.0 up to 5000 MB")
			assert.LessOrEqual(t, len(fake.Requests()), 6)
			assert.Empty(t, fake.Jobs())
			for _, r := range fake.Requests() {
				assert.Contains(t, []string{http.MethodGet, http.MethodOptions}, r.Method)
			}
			assert.Contains(t, diagnose(t, fake.URL(), "another-key"), "FAIL  valid")
		})
	}
}

func TestDoctorDoesNotGuessWhereEverythingIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"404": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, `{"error":"no `+r.URL.Path+`"}`, http.StatusNotFound)
		},
		"401": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":"who are you"}`, http.StatusUnauthorized)
		},
		"403": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "forbidden", http.StatusForbidden) },
		"405": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusMethodNotAllowed) },
		"HTML": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html><title>Welcome</title>"+strings.ToUpper("/x")+r.URL.Path+"</html>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				assert.Contains(t, []string{http.MethodGet, http.MethodOptions}, r.Method)
				answer(w, r)
			}))
			defer server.Close()
			out := diagnose(t, server.URL, "key")
			assert.Contains(t, out, "warn  dialect   cannot be told")
			assert.LessOrEqual(t, n.Load(), int32(6))
		})
	}
}

func TestDoctorKnowsARouteByItsOwnWords(t *testing.T) {
	t.Parallel()
	// A service that asks for the key before it looks at the path, and one whose status path is there for other methods.
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Zoom-S2t-Key") != "key":
			http.Error(w, `{"message":"no key"}`, http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/result"):
			http.Error(w, `{"message":"no such session"}`, http.StatusNotFound)
		default:
			http.Error(w, `{"message":"cannot GET `+r.URL.Path+`"}`, http.StatusNotFound)
		}
	})
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v3/speech-to-text/session/") && !strings.HasSuffix(r.URL.Path, "/result"):
			w.WriteHeader(http.StatusMethodNotAllowed)
		default:
			http.NotFound(w, r)
		}
	})
	for want, h := range map[string]http.Handler{
		"ok    dialect   session (legacy, x-zoom-s2t-key)": guarded,
		"ok    dialect   session (legacy, Authorization)":  other,
	} {
		server := httptest.NewServer(h)
		out := diagnose(t, server.URL, "key")
		server.Close()
		require.Contains(t, out, want)
	}
}
