// Package transport makes the connections of a client. Calls go over the transport
// that the caller gave, or over [New]. Uploads go over [ForUploads], a clone that
// speaks HTTP/1.1 alone and keeps no connection for long.
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
	"net"
	"net/http"
	"time"
)

// maxHeader bounds what is read of an answer's header.
const maxHeader = 256 << 10

// New makes the transport of a client that was given none. The client owns it, so
// closing its connections closes nobody else's.
func New() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,

		MaxResponseHeaderBytes: maxHeader,
	}
}

// ForUploads makes the transport of uploads: a clone of rt that speaks HTTP/1.1
// alone, because over HTTP/2 the same gigabyte costs twice the time, and a hundred
// times where latency meets small windows. What is no [*http.Transport] is returned
// as it is.
func ForUploads(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	u := t.Clone()
	u.ForceAttemptHTTP2 = false
	u.Protocols = new(http.Protocols)
	u.Protocols.SetHTTP1(true)
	u.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	if u.TLSClientConfig == nil {
		u.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	// A transport that was used before holds h2 here.
	u.TLSClientConfig.NextProtos = []string{"http/1.1"}
	// The answer to an upload has a few hundred bytes at most.
	u.DisableCompression = true
	// The watchdog of each attempt knows when an answer is late; this does not.
	u.ResponseHeaderTimeout = 0
	u.ExpectContinueTimeout = time.Second
	// A POST on a connection that the server is just closing fails after its
	// body has left, which is an unknown outcome for nothing. So idle connections
	// are not kept for long.
	u.IdleConnTimeout = time.Second
	dialBulk(u)
	return u
}
