package scriptix_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// A connection is shut for writing at any moment around the last bytes of a
// submit. The server reads to the end what the kernel took, and never answers:
// only where it got the whole body is the outcome unknown.
func TestWhatTheKernelRefusedIsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the kernel does not say exactly what it took")
	}
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			for range 200 {
				shutWhileSending(t, scheme)
			}
		})
	}
}

// shutWhileSending makes one such submit.
func shutWhileSending(t *testing.T, scheme string) {
	t.Helper()
	listener, roots := rawListener(t, scheme)
	defer func() { assert.NoError(t, listener.Close()) }()
	got := make(chan bool, 1)
	go func() { got <- readWhole(listener) }()

	var dialed atomic.Pointer[net.TCPConn]
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			dialed.Store(tcp)
		}
		return conn, err
	}
	c, err := scriptix.New("key", scriptix.WithBaseURL(scheme+"://"+listener.Addr().String()), scriptix.WithHTTPClient(&http.Client{Transport: transport}),
		scriptix.WithLimits(scriptix.Limits{}), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	defer c.CloseIdleConnections()

	spins := rand.IntN(20_000)
	shut := make(chan struct{})
	_, err = c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", bytes.Repeat([]byte("RIFF"), 256)), scriptix.SubmitParams{Language: "en"},
		scriptix.BeforeLastByte(func(context.Context) error {
			go func() {
				defer close(shut)
				for i := range spins {
					if i%100 == 0 {
						runtime.Gosched()
					}
				}
				_ = dialed.Load().CloseWrite() // it may have been closed already
			}()
			return nil
		}))
	<-shut
	whole := <-got
	require.Error(t, err)
	if whole {
		require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
	} else {
		require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome, "the kernel never took the last bytes")
	}
}

// readWhole reads one request as far as it comes, and reports whether all of its
// body did.
func readWhole(listener net.Listener) bool {
	conn, err := listener.Accept()
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, r.Body)
	return err == nil && n == r.ContentLength
}

// rawListener listens on loopback, with TLS for https.
func rawListener(t *testing.T, scheme string) (net.Listener, *x509.CertPool) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if scheme == "http" {
		return listener, nil
	}
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return tls.NewListener(listener, &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}), roots
}
