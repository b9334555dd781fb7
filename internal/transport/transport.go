// Package transport makes the connections of a client, all of which speak
// HTTP/1.1: over HTTP/2 an upload of a gigabyte takes twice the time, and a
// hundred times where latency meets small windows, and a request that net/http
// must not repeat by itself cannot be told from one with a body.
//
// A client has three transports. Calls keep their connections. Chunks of
// resumable uploads keep them for a second. A submit, which is billed, has a
// connection of its own: a kept one may be closing while the audio goes out,
// which leaves an unknown outcome for nothing, and may hold bytes of an earlier
// answer, which would be taken for that of the submit. So has the POST that
// creates a resumable upload, because its answer says where the audio goes.
//
// On the connections of uploads a body goes out in large pieces. Left alone,
// net/http copies a body in reads of 32 KiB from a buffer made for each request,
// and crypto/tls hands each record of 16 KiB to the network by itself; most of what
// an upload costs are these calls. Here each connection has a buffer of up to 512
// KiB that lives as long as it does (two of up to 256 KiB with TLS). ReadFrom, which
// net/http calls to send a body, fills it and writes it out whole, and with TLS all
// records of a piece leave in one write. A piece is small at first, and again after
// a slow one, so that a slow line is not taken for one that stands still.
package transport

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// maxHeader bounds what is read of an answer's header.
const maxHeader = 256 << 10

// New makes the transport of a client that was given none. The client owns it, so
// closing its connections closes nobody else's.
func New() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,

		MaxResponseHeaderBytes: maxHeader,
	}
}

// ForCalls makes the transport of every call but uploads, from one that may be
// another's. What is no [*http.Transport] is used as it is, here and below.
func ForCalls(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	return overHTTP1(t)
}

// ForChunks makes the transport of the chunks of resumable uploads.
func ForChunks(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	u := forBodies(t)
	u.IdleConnTimeout = time.Second
	return u
}

// ForSubmits makes the transport of billed POSTs and of those that create an
// upload, none of which shares its connection with another request.
func ForSubmits(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	u := forBodies(t)
	// No connection is kept. DisableKeepAlives would say so to the server as
	// well, which then closes without reading the rest of a body that it has
	// refused already, and the refusal is lost with the connection.
	u.MaxIdleConnsPerHost = -1
	if u.TLSClientConfig.ClientSessionCache == nil {
		u.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4) // a handshake for each costs less
	}
	return u
}

// overHTTP1 is a clone of t that speaks HTTP/1.1 alone.
func overHTTP1(t *http.Transport) *http.Transport {
	u := t.Clone()
	u.ForceAttemptHTTP2 = false
	u.Protocols = new(http.Protocols)
	u.Protocols.SetHTTP1(true)
	u.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	if u.TLSClientConfig == nil {
		u.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	// A transport that was used before has put h2 here.
	u.TLSClientConfig.NextProtos = []string{"http/1.1"}
	// The watchdog of each attempt knows when an answer is late; this does not.
	u.ResponseHeaderTimeout = 0
	return u
}

func forBodies(t *http.Transport) *http.Transport {
	u := overHTTP1(t)
	u.ExpectContinueTimeout = time.Second
	dialBulk(u)
	return u
}

// NoBody is an empty body for a GET or HEAD. Unlike [http.NoBody], or none, it
// keeps net/http from sending the request a second time by itself when a kept
// connection ends without an answer. The service does not see it.
var NoBody io.ReadCloser = noBody{}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

func (noBody) Close() error { return nil }
