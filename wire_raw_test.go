package scriptix_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// rawServer answers on bare connections, so that it can do what net/http's
// server would not.
type rawServer struct {
	url      string
	client   *http.Client // that trusts it
	requests atomic.Int64
}

// rawExchange is a request that a rawServer has read whole.
type rawExchange struct {
	net.Conn
	request *http.Request
	body    []byte
	all     int64 // how many requests the server has read, this one included
	onConn  int   // how many of them came on this connection
}

// answer writes an answer with a length.
func (x *rawExchange) answer(status int, body string) {
	_, _ = fmt.Fprintf(x, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(body), body)
}

// serveRaw starts a rawServer, with TLS or without. handle answers one request
// and reports whether the connection lives on.
func serveRaw(t *testing.T, secure bool, handle func(x *rawExchange) bool) *rawServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawServer{url: "http://" + listener.Addr().String(), client: &http.Client{Transport: new(http.Transport)}}
	if secure {
		proper := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(proper.Close)
		listener = tls.NewListener(listener, &tls.Config{Certificates: proper.TLS.Certificates, MinVersion: tls.VersionTLS12})
		s.url, s.client = "https://"+listener.Addr().String(), proper.Client()
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			running.Go(func() { s.serve(conn, handle) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

func (s *rawServer) serve(conn net.Conn, handle func(x *rawExchange) bool) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for n := 1; ; n++ {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		if !handle(&rawExchange{Conn: conn, request: request, body: body, all: s.requests.Add(1), onConn: n}) {
			return
		}
	}
}

// connect makes a client of a rawServer.
func (s *rawServer) connect(t *testing.T, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{scriptix.WithBaseURL(s.url), scriptix.WithHTTPClient(s.client), scriptix.WithLimits(scriptix.Limits{})}, opts...)
	c, err := scriptix.New(testKey, opts...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// bothWays runs a test over plain TCP and over TLS.
func bothWays(t *testing.T, run func(t *testing.T, secure bool)) {
	t.Helper()
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[secure], func(t *testing.T) {
			t.Parallel()
			run(t, secure)
		})
	}
}
