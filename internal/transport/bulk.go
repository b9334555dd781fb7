package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// net/http copies a body in reads of 32 KiB from a buffer made for each
// request, and crypto/tls hands each record of 16 KiB to the network by itself.
// Most of what an upload costs are these calls. On connections of ours a body
// goes out in larger pieces, the records of each piece in one call, from
// buffers that live as long as the connection.

const (
	// A piece grows with the body: a large one pays where much is sent, and a
	// chunk of a resumable upload, whose memory goes to a hundred requests,
	// keeps to 256 KiB. With TLS there are two buffers, and 64 KiB do.
	bulkShare    = 200 // pieces to a body
	bulkShareTLS = 800
	bulkLeast    = 64 << 10
	bulkMost     = 512 << 10
	bulkMostTLS  = 256 << 10
	bulkUnit     = 16 << 10 // a record of TLS
	// The first piece is small, and so is one after a piece that took long to
	// go out: on a slow line it still shows that bytes move.
	bulkSlow     = 32 << 10
	bulkPatience = 50 * time.Millisecond
)

// dialBulk makes t's connections such ones, unless the caller dials TLS itself.
func dialBulk(t *http.Transport) {
	dial := t.DialContext
	switch legacy := t.Dial; { //nolint:staticcheck // a caller may still have it
	case dial != nil:
	case legacy != nil:
		dial = func(_ context.Context, network, addr string) (net.Conn, error) { return legacy(network, addr) }
	default:
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil || conn == nil {
			return nil, err
		}
		return &bulkConn{Conn: conn}, nil
	}
	if t.DialTLSContext != nil || t.DialTLS != nil { //nolint:staticcheck // a caller may still have it
		return
	}
	config, patience := t.TLSClientConfig, t.TLSHandshakeTimeout
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil || conn == nil {
			return nil, err
		}
		bulk, err := secure(ctx, conn, addr, config, patience)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return bulk, nil
	}
}

// secure does as net/http does where it dials TLS itself.
func secure(ctx context.Context, conn net.Conn, addr string, config *tls.Config, patience time.Duration) (net.Conn, error) {
	config = config.Clone()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		config.ServerName = host
	}
	// Small records at first are for who reads a page; they cost a buffer each.
	config.DynamicRecordSizingDisabled = true
	if patience > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, patience, errHandshake)
		defer cancel()
		ctx = limited
	}
	held := &heldConn{Conn: conn}
	secured := tls.Client(held, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errHandshake) {
			err = cause
		}
		return nil, err
	}
	return &bulkTLSConn{Conn: secured, held: held}, nil
}

var errHandshake = errors.New("TLS handshake timeout")

// bulkConn is a connection on which a body goes out in large pieces.
type bulkConn struct {
	net.Conn
	buf []byte
}

// ReadFrom is how net/http has a body sent.
func (c *bulkConn) ReadFrom(r io.Reader) (int64, error) {
	c.buf = grow(c.buf, r, bulkShare, bulkMost)
	return copyBulk(c.Conn.Write, r, c.buf)
}

// bulkTLSConn is the same with TLS.
type bulkTLSConn struct {
	*tls.Conn
	held *heldConn
	buf  []byte
	busy atomic.Bool
}

func (c *bulkTLSConn) ReadFrom(r io.Reader) (int64, error) {
	c.busy.Store(true)
	defer c.busy.Store(false)
	c.buf = grow(c.buf, r, bulkShareTLS, bulkMostTLS)
	return copyBulk(func(p []byte) (int, error) {
		c.held.hold(len(c.buf))
		n, err := c.Conn.Write(p)
		return n, errors.Join(err, c.held.release())
	}, r, c.buf)
}

// Close does not wait for a body that is stuck on its way, as that of
// [tls.Conn] does not for a Write.
func (c *bulkTLSConn) Close() error {
	if c.busy.Load() {
		return c.held.Conn.Close()
	}
	return c.Conn.Close()
}

// grow returns buf if it is large enough for r, else a larger one.
func grow(buf []byte, r io.Reader, share, most int64) []byte {
	size := int64(bulkLeast)
	if body, ok := r.(*io.LimitedReader); ok {
		size = body.N/share + bulkUnit - 1
		size = min(max(size-size%bulkUnit, bulkLeast), most, max(body.N, 1))
	}
	if int64(len(buf)) >= size {
		return buf
	}
	return make([]byte, size)
}

// copyBulk copies r in pieces, each written whole before the next is read.
func copyBulk(write func([]byte) (int, error), r io.Reader, buf []byte) (total int64, err error) {
	for size := min(bulkSlow, len(buf)); ; {
		n, err := r.Read(buf[:size])
		if n > 0 {
			began := time.Now()
			written, err := write(buf[:n])
			total += int64(written)
			// A network that takes all at once never blocks: let others run,
			// and spare the runtime the signal that it would stop this with.
			runtime.Gosched()
			if err != nil {
				return total, err
			}
			if time.Since(began) < bulkPatience {
				size = len(buf)
			} else {
				size = min(bulkSlow, len(buf))
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// heldConn holds back what is written to it between hold and release.
type heldConn struct {
	net.Conn

	mu      sync.Mutex
	holding bool
	held    []byte
}

// hold is told how much may be written until release, before encryption.
func (c *heldConn) hold(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
	if c.held == nil || cap(c.held) < most {
		c.held = make([]byte, 0, most+most/128+256) // a record's own bytes
	}
}

// release writes what was held back.
func (c *heldConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	_, err := c.Conn.Write(c.held)
	c.held = c.held[:0]
	return err
}

func (c *heldConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), nil
}
