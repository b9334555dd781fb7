package webhook_test

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientConn is the sender's end of a connection to a server in the same synctest bubble.
type clientConn struct{ net.Conn }

// serve runs net/http's server on a pipe. Server and connection end with the test.
func serve(t *testing.T, h http.Handler) clientConn {
	t.Helper()
	near, far := net.Pipe()
	l := &oneConn{conn: far, closed: make(chan struct{})}
	s := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { assert.ErrorIs(t, s.Serve(l), http.ErrServerClosed) })
	t.Cleanup(func() {
		assert.NoError(t, near.Close())
		assert.NoError(t, s.Close())
		wg.Wait()
	})
	return clientConn{near}
}

// statuses reads n answers, each with an empty body.
func (c clientConn) statuses(t *testing.T, n int) []int {
	t.Helper()
	var all []int
	in := bufio.NewReader(c)
	for range n {
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Zero(t, resp.ContentLength)
		all = append(all, resp.StatusCode)
	}
	return all
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
