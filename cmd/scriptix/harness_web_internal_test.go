package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// webServer is a plain server of files over TLS, good or bad.
type webServer struct {
	*httptest.Server

	mu      sync.Mutex
	root    string
	options map[string]string
	asked   []string // path, query and range of each request
}

// web VAR [OPTION...] sets a variable to the URL of a server of the script's files, and says how that behaves from now on:
// weak or none instead of a strong ETag, etag=TAG, norange, nolength, cut=N (bytes of each answer), signed (only with
// sig=good), status=N, to=URL (redirects), stall=N (bytes of the whole, and then none), changes (its ETag, once all was read).
func web(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	if s.web == nil {
		s.web = &webServer{root: ts.MkAbs(".")}
		s.web.Server = httptest.NewTLSServer(s.web)
		ts.Defer(func() {
			s.web.CloseClientConnections()
			s.web.Close()
		})
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.web.Certificate().Raw})
		ts.Check(os.WriteFile(ts.MkAbs("web.pem"), certificate, 0o600))
		ts.Setenv("SSL_CERT_FILE", ts.MkAbs("web.pem"))
	}
	s.web.mu.Lock()
	defer s.web.mu.Unlock()
	s.web.asked, s.web.options = nil, make(map[string]string)
	for _, option := range args[1:] {
		name, value, _ := strings.Cut(option, "=")
		s.web.options[name] = value + " "
	}
	ts.Setenv(args[0], s.web.URL)
}

// asked N PATTERN: so many requests, as "path?query range", must have come since web.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	s.web.mu.Lock()
	defer s.web.mu.Unlock()
	got := 0
	for _, line := range s.web.asked {
		if regexp.MustCompile(args[1]).MatchString(line) {
			got++
		}
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%d requests like %s, want %s: %q", got, args[1], args[0], s.web.asked)
	}
}

func (s *webServer) option(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, given := s.options[name]
	return strings.TrimSpace(value), given
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(r.URL.RequestURI()+" "+r.Header.Get("Range")))
	s.mu.Unlock()
	if _, signed := s.option("signed"); signed && r.URL.Query().Get("sig") != "good" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if to, redirects := s.option("to"); redirects {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	if status, fails := s.option("status"); fails {
		code, _ := strconv.Atoi(status)
		w.WriteHeader(code)
		return
	}
	data, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	sum := sha256.Sum256(data)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	if _, weak := s.option("weak"); weak {
		tag = "W/" + tag
	}
	if other, given := s.option("etag"); given {
		tag = other
	}
	if _, changes := s.option("changes"); changes && r.Header.Get("Range") == "bytes=0-0" {
		tag = `"another"`
	}
	if _, none := s.option("none"); !none {
		w.Header().Set("ETag", tag)
	}
	if _, without := s.option("norange"); without {
		r.Header.Del("Range")
	}
	if _, without := s.option("nolength"); without {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(data)
		return
	}
	out := w
	if cut, given := s.option("cut"); given && r.Header.Get("Range") != "bytes=0-511" {
		left, _ := strconv.Atoi(cut)
		out = &cutting{w, left}
	}
	if stall, given := s.option("stall"); given && r.Header.Get("Range") == "" {
		n, _ := strconv.Atoi(stall)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:n])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(data))
}

// cutting ends the connection after so many bytes.
type cutting struct {
	http.ResponseWriter

	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = io.Copy(c.ResponseWriter, bytes.NewReader(p[:c.left]))
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
