package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASlowBodyIs408WhereNoDeadlineIsSupported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body, sender := io.Pipe()
		r := callback(t, completed)
		r.Body, r.ContentLength = body, -1
		go func() { _, _ = io.WriteString(sender, completed[:20]) }()

		start := time.Now()
		resp, err := post(t, never(t), r)
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorContains(t, err, "not read within 5s")

		// The body was closed, so that neither side is left behind; the bubble's end would tell.
		synctest.Wait()
		_, werr := sender.Write([]byte("x"))
		require.ErrorIs(t, werr, io.ErrClosedPipe)
	})
}

func TestTheReadDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signature string
		want      []time.Duration
	}{
		"read whole":                  {webhook.Sign(secret, []byte(completed)), []time.Duration{5 * time.Second, 0}},
		"left for the server to read": {"", []time.Duration{5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := webhook.NewHandler(accept, []string{secret})
				require.NoError(t, err)
				r := callback(t, completed)
				r.Header.Set(webhook.SignatureHeader, c.signature)
				w := &deadlines{ResponseWriter: httptest.NewRecorder()}
				h.ServeHTTP(w, r)
				require.Equal(t, c.want, w.set)
			})
		})
	}
}

// deadlines notes the read deadlines it is given: how far off, or zero for none.
type deadlines struct {
	http.ResponseWriter
	set []time.Duration
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	if at.IsZero() {
		d.set = append(d.set, 0)
	} else {
		d.set = append(d.set, time.Until(at))
	}
	return nil
}

func TestOverAConnection(t *testing.T) {
	t.Parallel()
	head := func(signature string, length int) string {
		return fmt.Sprintf("POST /hook HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n", webhook.SignatureHeader, signature, length)
	}
	signed := webhook.Sign(secret, []byte(completed))
	whole := head(signed, len(completed)) + completed

	for _, c := range []struct {
		name  string
		wrap  bool // the ResponseWriter hides that deadlines are supported
		send  []string
		waits time.Duration // before each further part
		want  []int
		after time.Duration // from the first part to the last answer
	}{
		{"two callbacks on one connection, an hour apart", false, []string{whole, whole}, time.Hour, []int{200, 200}, time.Hour},
		{"a body in two parts, in time", false, []string{head(signed, len(completed)) + completed[:9], completed[9:]}, 4 * time.Second, []int{200}, 4 * time.Second},
		{"a body that stalls", false, []string{head(signed, len(completed)) + completed[:9]}, 0, []int{408}, 5 * time.Second},
		{"a body that stalls, no deadline supported", true, []string{head(signed, len(completed)) + completed[:9]}, 0, []int{408}, 5 * time.Second},
		{"a body that never begins, unsigned", false, []string{head("", 100)}, 0, []int{401}, 5 * time.Second},
		{"a body that takes more than one read", true, []string{head(signed, len(completed)) + completed[:9], completed[9:]}, time.Second, []int{200}, time.Second},
		{"refused, then right", false, []string{head("sha256=test123", 4) + "body", whole}, time.Minute, []int{401, 200}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := webhook.NewHandler(accept, []string{secret})
				require.NoError(t, err)
				conn := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.wrap {
						w = mute{w}
					}
					h.ServeHTTP(w, r)
				}))
				start := time.Now()
				go func() {
					for i, part := range c.send {
						if i > 0 {
							time.Sleep(c.waits)
						}
						_, _ = io.WriteString(conn, part)
					}
				}()
				require.Equal(t, c.want, conn.statuses(t, len(c.want)))
				require.Equal(t, c.after, time.Since(start))
			})
		})
	}
}

// The read deadline must not outlive the body: net/http would take it for the sender's end.
func TestADeliverMayTakeLongerThanTheReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := webhook.NewHandler(accept, []string{secret})
		require.NoError(t, err)
		slow, err := webhook.NewHandler(func(context.Context, webhook.Event) error {
			time.Sleep(9 * time.Second)
			return nil
		}, []string{secret})
		require.NoError(t, err)
		requests := 0
		conn := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests == 1 {
				slow.ServeHTTP(w, r)
				assert.NoError(t, r.Context().Err(), "the connection is whole")
				return
			}
			h.ServeHTTP(w, r)
		}))
		var out bytes.Buffer
		r := callback(t, completed)
		require.NoError(t, r.Write(&out))
		go func() { _, _ = conn.Write(bytes.Repeat(out.Bytes(), 2)) }()
		require.Equal(t, []int{200, 200}, conn.statuses(t, 2))
	})
}

// mute says nothing about whether it can do deadlines, like the recorder, and passes nothing through.
type mute struct{ http.ResponseWriter }

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
