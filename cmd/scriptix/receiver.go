package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// receiver is a server for callbacks.
type receiver struct {
	listener net.Listener
	server   *http.Server
	failed   chan error
	handler  atomic.Pointer[http.Handler] // what handle calls, once there is one
}

// listen opens the address, so that what it is can be told before anything is served.
func listen(ctx context.Context, addr string) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, usage("--listen %s: %w", addr, err)
	}
	return &receiver{listener: l, failed: make(chan error, 1)}, nil
}

// serve answers callbacks until close.
func (r *receiver) serve(h http.Handler) {
	r.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	go func() { r.failed <- r.server.Serve(r.listener) }()
}

// hand says what handle calls from now on.
func (r *receiver) hand(h http.Handler) { r.handler.Store(&h) }

// handle serves a request. While nobody can take a callback in, its sender is
// told to try again.
func (r *receiver) handle(w http.ResponseWriter, req *http.Request) {
	if h := r.handler.Load(); h != nil {
		(*h).ServeHTTP(w, req)
		return
	}
	w.Header().Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// close lets callbacks that are being taken in end, for a while.
func (r *receiver) close() {
	if r.server == nil {
		_ = r.listener.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if r.server.Shutdown(ctx) != nil {
		_ = r.server.Close()
	}
}

// url is the callback URL for a service on the same machine.
func (r *receiver) url() string {
	host, port, err := net.SplitHostPort(r.listener.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port) + "/"
	}
	return "http://" + r.listener.Addr().String() + "/"
}
