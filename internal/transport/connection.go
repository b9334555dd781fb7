package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
)

// Connection is what is known of the one that a request used.
type Connection struct {
	kept, answered atomic.Bool
	own            atomic.Pointer[refusal] // nil: it is not one of ours
}

// Trace returns a context that observes the connection of a request made with
// it; alive is called with each interim answer.
func Trace(ctx context.Context, alive func()) (context.Context, *Connection) {
	c := new(Connection)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			c.kept.Store(info.Reused)
			c.own.Store(refusalOf(info.Conn))
		},
		GotFirstResponseByte: func() { c.answered.Store(true) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			alive()
			return nil
		},
	}), c
}

// Stale reports whether the connection was kept from an earlier request and
// ended without a byte of an answer: it was closing already.
func (c *Connection) Stale() bool { return c != nil && c.kept.Load() && !c.answered.Load() }

// Refused reports whether the kernel took nothing of the last piece of a body
// that was to go out, so that the service cannot have all of it. It is false
// where that is not known: on a connection that is not one of ours, or of which
// more than one request is made.
func (c *Connection) Refused() bool {
	own := (*refusal)(nil)
	if c != nil && !c.kept.Load() {
		own = c.own.Load()
	}
	return own != nil && own.refused.Load()
}

func refusalOf(conn net.Conn) *refusal {
	switch own := conn.(type) {
	case *bulkConn:
		return &own.refusal
	case *bulkTLSConn:
		return &own.refusal
	}
	return nil
}

// Permanent reports whether a request that failed so would fail the same way
// again.
func Permanent(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	// net/http has no type for these.
	text := err.Error()
	for _, s := range []string{"server gave HTTP response to HTTPS client", "unsupported protocol scheme", "invalid header field"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
