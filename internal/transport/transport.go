// Package transport makes the connections of a client: one transport for its
// calls, and another for its uploads.
package transport

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// maxHeader bounds what is read of an answer's header.
const maxHeader = 256 << 10

// New is the transport of a client that was given none. It is the
// client's own, so that closing its connections closes nobody else's.
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

// ForUploads makes the transport of uploads: a clone of rt that speaks
// HTTP/1.1 alone, for over HTTP/2 the same gigabyte costs twice the time, and
// a hundred times where latency meets small windows.
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
	// A transport that was used before has put h2 here.
	u.TLSClientConfig.NextProtos = []string{"http/1.1"}
	// What answers an upload is a few hundred bytes at most.
	u.DisableCompression = true
	// The watchdog of each attempt knows when an answer is late; this does not.
	u.ResponseHeaderTimeout = 0
	u.ExpectContinueTimeout = time.Second
	// A POST on a connection that the server is just closing fails after the
	// body left: an unknown outcome for nothing. Idle ones are not kept long.
	u.IdleConnTimeout = time.Second
	dialBulk(u)
	return u
}
