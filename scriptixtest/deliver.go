package scriptixtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// callbackTimeout is how long a receiver has for its answer.
const callbackTimeout = 30 * time.Second

// Handle delivers callbacks for a URL straight to h, without a network, in memory or not. A nil handler removes it.
//
// In the session dialect h also gets what goes one path element below the URL, where a secret stands.
//
// The query is not compared: a callback for the URL with any query goes to h, which sees that query. h is called like an HTTP
// server calls it, in a goroutine of its own, with a context that ends after 30 s or when the service is closed.
func (s *Server) Handle(callbackURL string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.handlers, handlerKey(callbackURL))
		return
	}
	s.handlers[handlerKey(callbackURL)] = h
}

func (s *Server) handler(raw string) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.handlers[handlerKey(raw)]; ok || !s.cfg.speaks(Session) {
		return h
	}
	u, err := url.Parse(raw)
	if err != nil || len(u.Path) < 2 {
		return nil
	}
	u.Path, u.RawPath = path.Dir(u.Path), "" // the secret that unsigned callbacks carry
	return s.handlers[handlerKey(u.String())]
}

// handlerKey is a URL without its query.
func handlerKey(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		raw, _, _ = strings.Cut(raw, "?")
		return raw
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.ToLower(u.Scheme+"://"+u.Host) + path
}

// post sends a callback to where it may go.
func (s *Server) post(method, raw string, header http.Header, body []byte) (status int, failure string, undelivered bool) {
	if method == "" {
		method = http.MethodPost
	}
	u, err := url.Parse(raw)
	if err != nil {
		return 0, "the callback URL cannot be parsed", true
	}
	ctx, cancel := context.WithTimeout(s.closing, callbackTimeout)
	defer cancel()
	switch h := s.handler(raw); {
	case h != nil:
		status, err = s.call(ctx, h, method, u, header, body)
	case s.cfg.memory:
		return 0, "not sent: in memory only URLs given to Handle are reached", true
	case loopback(u.Hostname()) || s.cfg.external && u.Scheme == "https":
		status, err = s.send(ctx, method, u, header, body)
	default:
		return 0, "not sent: neither on loopback nor given to Handle", true
	}
	if err != nil {
		if ctx.Err() != nil && s.closing.Err() == nil {
			return 0, "no answer within 30 s", false
		}
		return 0, err.Error(), false
	}
	return status, "", false
}

// send posts a callback over the network. Redirects are not followed.
func (s *Server) send(ctx context.Context, method string, u *url.URL, header http.Header, body []byte) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the callback URL cannot be used")
	}
	r.Header = header
	res, err := s.callbacks.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, whose query may hold a secret
		}
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // the status has been given
	_ = res.Body.Close()
	return res.StatusCode, nil
}

// call hands a callback to a handler as a server would.
func (s *Server) call(ctx context.Context, h http.Handler, method string, u *url.URL, header http.Header, body []byte) (int, error) {
	w := &callbackWriter{header: make(http.Header)}
	r := (&http.Request{
		Method: method, URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, RequestURI: u.RequestURI(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: u.Host, RemoteAddr: "127.0.0.1:50443",
		Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}).WithContext(context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(memoryAddr)))
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.Header.Set("Accept-Encoding", "gzip")
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: u.Hostname()}
	}
	ended := make(chan error, 1)
	if !s.enter() {
		return 0, http.ErrServerClosed
	}
	go func() {
		defer s.leave()
		defer func() {
			if p := recover(); p != nil {
				ended <- fmt.Errorf("the connection broke: the handler panicked: %v", p)
			}
		}()
		h.ServeHTTP(w, r)
		ended <- nil
	}()
	select {
	case err := <-ended:
		return w.result(), err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *Server) logDelivery(j *record, d Delivery) {
	if s.cfg.log == nil {
		return
	}
	target, _, _ := strings.Cut(j.callbackURL(), "?")
	s.cfg.log.LogAttrs(s.closing, slog.LevelInfo, "callback",
		slog.String("job", j.job.ID), slog.String("event", d.Event), slog.String("url", target), slog.Int("attempt", d.Attempt),
		slog.Int("status", d.Status), slog.String("error", d.Err))
}

// callbackWriter is the answer of a handler. It takes deadlines, which nothing can exceed in memory.
type callbackWriter struct {
	header http.Header

	mu     sync.Mutex
	status int
}

func (w *callbackWriter) Header() http.Header { return w.header }

func (w *callbackWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 && status >= 200 { // 1xx are not the answer
		w.status = status
	}
}

func (w *callbackWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}

func (w *callbackWriter) Flush()                           { w.WriteHeader(http.StatusOK) }
func (w *callbackWriter) SetReadDeadline(time.Time) error  { return nil }
func (w *callbackWriter) SetWriteDeadline(time.Time) error { return nil }
func (w *callbackWriter) EnableFullDuplex() error          { return nil }

func (w *callbackWriter) result() int {
	w.WriteHeader(http.StatusOK)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}
