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

const (
	// A piece grows with the body, because a large buffer pays only where much
	// is sent. A chunk of a resumable upload keeps to 256 KiB, because its
	// buffer is paid for again by each of a hundred requests. With TLS there are
	// two buffers, and 64 KiB suffice.
	bulkShare    = 200 // pieces in a body
	bulkShareTLS = 800
	bulkLeast    = 64 << 10
	bulkMost     = 512 << 10
	bulkMostTLS  = 256 << 10
	bulkUnit     = 16 << 10 // one record of TLS
	// The first piece is small, and so is each piece after one that took long
	// to go out, so that on a slow line progress is still seen to be made.
	bulkSlow     = 32 << 10
	bulkPatience = 50 * time.Millisecond
)

// dialBulk wraps every connection that t dials in a bulkConn, or a bulkTLSConn
// for https. Where the caller dials TLS itself its connections are left as they
// are.
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

// secure makes a TLS connection as net/http does.
func secure(ctx context.Context, conn net.Conn, addr string, config *tls.Config, patience time.Duration) (net.Conn, error) {
	config = config.Clone()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		config.ServerName = host
	}
	// crypto/tls begins with small records to speed up web pages. Here each of
	// them would only cost a buffer.
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
	refusal
	buf []byte
}

// ReadFrom sends a body: net/http calls it instead of Write where it exists.
func (c *bulkConn) ReadFrom(r io.Reader) (int64, error) {
	c.buf = grow(c.buf, r, bulkShare, bulkMost)
	return copyBulk(func(p []byte) (int, error) {
		n, err := c.Conn.Write(p)
		c.note(c.Conn, n, err)
		return n, err
	}, r, c.buf)
}

// refusal notes that the kernel took nothing of a piece of a body. What it did
// not take cannot reach the service, and no further piece is written after it.
type refusal struct{ refused atomic.Bool }

// note looks at a write that was to send a whole piece. A part of one may be all
// that a service needs, so only none of it counts; and only a TCP connection is
// known to count exactly. Windows may have sent of a write that was broken off
// by a Close.
func (f *refusal) note(conn net.Conn, n int, err error) {
	if _, exact := conn.(*net.TCPConn); exact && n == 0 && err != nil && (runtime.GOOS != "windows" || !errors.Is(err, net.ErrClosed)) {
		f.refused.Store(true)
	}
}

// bulkTLSConn is a TLS connection on which a body goes out in large pieces, all
// records of a piece in one write.
type bulkTLSConn struct {
	*tls.Conn
	refusal
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
		taken, failed := c.held.release()
		err = errors.Join(err, failed)
		c.note(c.held.Conn, taken, err)
		return n, err
	}, r, c.buf)
}

// Close does not wait for a body that is stuck on its way. Neither does the Close
// of [tls.Conn], but it only knows of its own Write.
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
			// A network that takes everything at once never blocks. Yielding here
			// lets others run and spares the runtime the signal with which it
			// would otherwise preempt this loop.
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

// heldConn collects what is written to it between hold and release, and hands it
// to the network in one call.
type heldConn struct {
	net.Conn

	mu      sync.Mutex
	holding bool
	held    []byte
}

// hold begins to collect. At most so many bytes, before encryption, are written
// until release.
func (c *heldConn) hold(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
	if c.held == nil || cap(c.held) < most {
		c.held = make([]byte, 0, most+most/128+256) // with the header and tag of each record
	}
}

// release writes what was held back, and returns how much of it the network took.
func (c *heldConn) release() (taken int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	taken, err = c.Conn.Write(c.held)
	c.held = c.held[:0]
	return taken, err
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
