package transport_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// english is what every upload here is sent with.
var english = scriptix.SubmitParams{Language: "en"}

// tape is made-up audio of any length, the same bytes each time.
type tape struct{ size int64 }

func (p tape) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), max(p.size-off, 0)))
	for i := range b[:n] {
		at := off + int64(i)
		b[i] = byte(at*31 + at>>8*7 + at>>20)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p tape) audio() scriptix.Audio { return scriptix.ReaderAt("tape.wav", p, p.size) }

func (p tape) sum(t *testing.T) string {
	t.Helper()
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(p, 0, p.size))
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// newClient makes a client of the fake.
func newClient(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithLimits(scriptix.Limits{})}, opts...)
	c, err := scriptix.New(fake.APIKey(), opts...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// protocol is that of the first request to an endpoint.
func protocol(fake *scriptixtest.Server, on scriptixtest.Endpoint) string {
	for _, r := range fake.Requests() {
		if r.Endpoint == on {
			return r.Proto
		}
	}
	return ""
}

// writeCounter counts what is handed to the network, and how often.
type writeCounter struct {
	net.Conn
	writes, bytes *atomic.Int64
}

func (c writeCounter) Write(p []byte) (int, error) {
	c.writes.Add(1)
	c.bytes.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// countWrites makes the client's transport count.
func countWrites(t *testing.T, hc *http.Client) (counting *http.Client, writes, bytes *atomic.Int64) {
	t.Helper()
	transport, ok := hc.Transport.(*http.Transport)
	require.True(t, ok)
	transport = transport.Clone()
	dial := transport.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	writes, bytes = new(atomic.Int64), new(atomic.Int64)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return writeCounter{conn, writes, bytes}, err
	}
	return &http.Client{Transport: transport}, writes, bytes
}

func TestLargeBodyIsHandedToTheNetworkInLargePieces(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	for name, tt := range map[string]struct {
		fake []scriptixtest.Option
		opts []scriptix.SubmitOption
		on   scriptixtest.Endpoint
	}{
		"http":             {nil, nil, scriptixtest.Submit},
		"https":            {[]scriptixtest.Option{scriptixtest.WithTLS()}, nil, scriptixtest.Submit},
		"http, resumable":  {nil, []scriptix.SubmitOption{scriptix.Resumable()}, scriptixtest.FilesPatch},
		"https, resumable": {[]scriptixtest.Option{scriptixtest.WithTLS()}, []scriptix.SubmitOption{scriptix.Resumable()}, scriptixtest.FilesPatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t, tt.fake...)
			hc, writes, bytes := countWrites(t, fake.HTTPClient())
			c := newClient(t, fake, scriptix.WithHTTPClient(hc))

			_, err := c.STT.Submit(t.Context(), tape{size}.audio(), english, tt.opts...)

			require.NoError(t, err)
			require.Len(t, fake.Jobs(), 1)
			assert.Equal(t, tape{size}.sum(t), fake.Jobs()[0].SHA256)
			assert.Equal(t, "HTTP/1.1", protocol(fake, tt.on))
			require.Greater(t, bytes.Load(), int64(size), "all of it is counted")
			// crypto/tls would write 512 records, each by itself, and net/http
			// 256 times. A write that takes long on a busy machine is followed
			// by smaller ones.
			assert.Less(t, writes.Load(), int64(230))
		})
	}
}

func TestCutBeforeTheLastBytesIsNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptixtest.Option{
		"http":  {scriptixtest.InMemory()},
		"https": {scriptixtest.InMemory(), scriptixtest.WithTLS()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The network in memory buffers nothing: what was not read
				// did not go out, large as the pieces may be.
				fake := scriptixtest.New(t, opts...)
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.WithinBody})

				_, err := newClient(t, fake).STT.Submit(t.Context(), tape{200_000}.audio(), english)

				require.NoError(t, err)
				assert.Len(t, fake.Jobs(), 1)
				assert.Len(t, fake.Requests(), 2, "sent again, for no job could exist")
			})
		})
	}
}

func TestContextEndsAStalledUploadOverTLSAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithTLS())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Hour})
		c := newClient(t, fake)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()

		_, err := c.STT.Submit(ctx, tape{3 << 20}.audio(), english)

		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome, "it did not go out whole")
		assert.Equal(t, 5*time.Second, time.Since(start), "nothing waits for the piece that is stuck")
	})
}

func TestTLSHandshakeThatNobodyAnswersEndsAfterTheTransportsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := &http.Transport{TLSHandshakeTimeout: 7 * time.Second, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { _ = theirs.Close() })
			return ours, ctx.Err()
		}}
		c, err := scriptix.New("key", scriptix.WithHTTPClient(&http.Client{Transport: transport}), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
		require.NoError(t, err)
		start := time.Now()

		_, err = c.STT.Submit(t.Context(), tape{2000}.audio(), english)

		require.ErrorContains(t, err, "TLS handshake timeout")
		require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "no deadline of the caller's passed")
		assert.Equal(t, 7*time.Second, time.Since(start))
	})
}

func TestCallersOwnTLSDialerIsUsedForUploads(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t, scriptixtest.WithTLS())
	transport, ok := fake.HTTPClient().Transport.(*http.Transport)
	require.True(t, ok)
	transport = transport.Clone()
	var dialed atomic.Int64
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		config := transport.TLSClientConfig.Clone()
		config.NextProtos = nil
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
	}
	c := newClient(t, fake, scriptix.WithHTTPClient(&http.Client{Transport: transport}))

	_, err := c.STT.Submit(t.Context(), tape{2000}.audio(), english)

	require.NoError(t, err)
	assert.Equal(t, int64(1), dialed.Load())
}
