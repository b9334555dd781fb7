package scriptixtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// closePatience bounds how long Close waits for handlers that others wrote.
const closePatience = 5 * time.Second

// TB is the part of testing.TB that [New] needs.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// Server is a fake Scriptix service. All its methods may be called at any time from any goroutine.
type Server struct {
	cfg       config
	url       string
	addr      net.Addr
	http      *http.Server
	listener  net.Listener
	served    chan struct{}
	client    *http.Client
	callbacks *http.Client
	started   time.Time
	runID     string
	closing   context.Context // ends when Close is called
	close     context.CancelFunc
	running   sync.WaitGroup // connections, requests, deliveries

	mu       sync.Mutex // never held across a wait or a call of somebody else's code
	closed   bool
	refusals int // dials still to refuse
	ids      int
	jobs     map[string]*record
	order    []*record
	files    map[string]*file
	script   func(Upload) Outcome
	handlers map[string]http.Handler
	held     []*heldCallback
	faults   []*putFault
	history  requestLog
	meter    meter

	downloads downloads
}

// Start starts a fake service on loopback, or in memory with [InMemory]. Close it.
//
// The error tells of an option that makes no sense or of an address that cannot be listened on.
func Start(opts ...Option) (*Server, error) {
	cfg := defaults()
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("scriptixtest: nil option")
		}
		if err := o(&cfg); err != nil {
			return nil, fmt.Errorf("scriptixtest: %w", err)
		}
	}
	if cfg.retries == nil {
		cfg.retries = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}
		if cfg.dialect == Session {
			cfg.retries = sessionRetries()
		}
	}
	if cfg.memory && cfg.addr != "" {
		return nil, errors.New("scriptixtest: InMemory and WithAddr exclude each other")
	}
	s := &Server{
		cfg:      cfg,
		served:   make(chan struct{}),
		started:  time.Now(),
		runID:    token(3),
		jobs:     make(map[string]*record),
		files:    make(map[string]*file),
		handlers: make(map[string]http.Handler),
		history:  requestLog{limit: cfg.history},
		meter:    newMeter(cfg.plan),
	}
	s.closing, s.close = context.WithCancel(context.Background())
	if err := s.listen(); err != nil {
		s.close()
		return nil, fmt.Errorf("scriptixtest: %w", err)
	}
	return s, nil
}

// New is [Start] for a test: it fails tb when the service cannot be started, and closes it when tb ends.
func New(tb TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Start(opts...)
	if err != nil {
		tb.Fatalf("%v", err)
		return nil
	}
	tb.Cleanup(func() {
		s.Close()
		if leaks := s.Leaks(); len(leaks) > 0 {
			tb.Fatalf("scriptixtest: %d leaks of the key, the first: %s", len(leaks), leaks[0])
		}
	})
	return s
}

// URL is the base URL of the service, without a slash at its end: what goes into scriptix.WithBaseURL.
//
// In memory it is a loopback URL that only the client of [Server.HTTPClient] reaches.
func (s *Server) URL() string { return s.url }

// APIKey is the key that the service accepts; [WithOtherKeys] names further ones.
func (s *Server) APIKey() string { return s.cfg.key }

// WebhookSecret is the secret that callbacks are signed with.
func (s *Server) WebhookSecret() string { return s.cfg.secret }

// HTTPClient returns the client that reaches the service, in memory or not, and trusts its certificate ([WithTLS]).
//
// Its Transport is an *http.Transport, which may be cloned. Every call returns the same client; its connections end with Close.
func (s *Server) HTTPClient() *http.Client { return s.client }

// Close ends the service: its connections, its timers and its deliveries, which it waits for (5 s for a callback handler
// that ignores its context). What it recorded can still be read. A second Close does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	for _, j := range s.order {
		if j.timer != nil {
			j.timer.Stop()
		}
	}
	s.held = nil
	s.mu.Unlock()

	s.close()
	s.client.CloseIdleConnections()
	s.closeDownloads()
	_ = s.http.Close() // it only tells of a listener that is closed already
	<-s.served
	s.callbacks.CloseIdleConnections()

	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
	s.callbacks.CloseIdleConnections()
}

func (s *Server) listen() error {
	if err := s.open(); err != nil {
		return err
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ConnState:         s.connState,
		ConnContext:       countRequests,
		ReadHeaderTimeout: time.Minute,
	}
	if s.cfg.log != nil {
		s.http.ErrorLog = slog.NewLogLogger(s.cfg.log.Handler(), slog.LevelWarn)
	}
	transport := &http.Transport{
		DialContext:         s.dial,
		MaxIdleConnsPerHost: 100,
		IdleConnTimeout:     90 * time.Second,
	}
	scheme := "http"
	if s.cfg.tls || s.cfg.links {
		cert, err := trusting(transport)
		if err == nil && s.cfg.links {
			err = s.listenForDownloads(cert)
		}
		if err != nil {
			_ = s.listener.Close()
			return err
		}
		if s.cfg.tls {
			scheme = "https"
			s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			transport.ForceAttemptHTTP2 = true
		}
	}
	s.url = (&url.URL{Scheme: scheme, Host: s.addr.String()}).String() + s.cfg.basePath
	s.client = &http.Client{Transport: transport}
	s.callbacks = &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 10,
			IdleConnTimeout:     30 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	go func() {
		defer close(s.served)
		if s.cfg.tls {
			_ = s.http.ServeTLS(s.listener, "", "") // always an error: that of Close
		} else {
			_ = s.http.Serve(s.listener)
		}
	}()
	return nil
}

// open makes the listener, a socket or one in memory.
func (s *Server) open() error {
	if s.cfg.memory {
		l := newMemoryListener()
		s.listener, s.addr = l, l.Addr()
		return nil
	}
	addr := s.cfg.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(s.closing, "tcp", addr)
	if err != nil {
		return err
	}
	s.listener, s.addr = l, l.Addr()
	return nil
}

// connState counts the connections, so that Close can wait for their goroutines.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1) // before Serve returns, and Close waits for that first
	case http.StateHijacked, http.StateClosed:
		s.running.Done()
	}
}

// enter reports whether the service still runs; if so, Close waits until leave is called.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) leave() { s.running.Done() }

// pause waits, unless ctx or the service ends before; it reports whether the time has passed.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-s.closing.Done():
		return false
	}
}

// token returns 2n random hexadecimal digits.
func token(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
