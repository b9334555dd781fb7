package scriptixtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// memoryAddr is what an in-memory service says it listens on: a port where nothing listens, so that a client which forgot
// to use HTTPClient is refused and does not reach some other program.
var memoryAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

// RefuseConnections lets the next n dials of [Server.HTTPClient], and of clones of its transport, fail with ECONNREFUSED. A
// negative n refuses all of them until RefuseConnections(0). A connection that is kept alive needs no dial.
func (s *Server) RefuseConnections(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals = n
}

// dial connects HTTPClient to the service.
func (s *Server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	refuse := s.refusals != 0
	if s.refusals > 0 {
		s.refusals--
	}
	s.mu.Unlock()
	if refuse {
		return nil, refused(network)
	}
	if _, ok := s.listener.(*memoryListener); !ok {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return s.dialMemory(ctx, network, addr)
}

// refused is the error of a dial to a port where nobody listens.
func refused(network string) error {
	return &net.OpError{Op: "dial", Net: network, Addr: memoryAddr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// memoryListener hands over one end of a pipe for each dial.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	port  atomic.Int32
	addr  *net.TCPAddr
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), done: make(chan struct{}), addr: memoryAddr}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

func (l *memoryListener) dial(ctx context.Context, network string) (net.Conn, error) {
	here, there := net.Pipe()
	peer := &net.TCPAddr{IP: memoryAddr.IP, Port: 32768 + int(l.port.Add(1))%28000}
	select {
	case l.conns <- &memoryConn{Conn: there, local: l.addr, remote: peer}:
		return &memoryConn{Conn: here, local: peer, remote: l.addr}, nil
	case <-l.done:
		return nil, refused(network)
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Addr: memoryAddr, Err: ctx.Err()}
	}
}

// memoryConn is an end of a pipe with the addresses and the errors of a TCP connection.
type memoryConn struct {
	net.Conn
	local, remote net.Addr
	closed        atomic.Bool
}

func (c *memoryConn) LocalAddr() net.Addr  { return c.local }
func (c *memoryConn) RemoteAddr() net.Addr { return c.remote }

func (c *memoryConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.likeTCP("read", err)
}

func (c *memoryConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.likeTCP("write", err)
}

func (c *memoryConn) likeTCP(op string, err error) error {
	if !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	err = net.ErrClosed
	if !c.closed.Load() {
		err = os.NewSyscallError(op, syscall.EPIPE)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
