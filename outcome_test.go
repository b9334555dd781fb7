package scriptix_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// trip is a RoundTripper made of a function.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over makes a client whose requests all go to f.
func over(t *testing.T, f trip, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	c, err := scriptix.New(testKey, append([]scriptix.Option{scriptix.WithHTTPClient(&http.Client{Transport: f}), quick}, opts...)...)
	require.NoError(t, err)
	return c
}

// raw makes a client of a server that reads each request whole, writes answer
// byte for byte, and leaves the connection open.
func raw(t *testing.T, answer string, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, answer)
			}()
		}
	}()
	c, err := scriptix.New(testKey, append([]scriptix.Option{scriptix.WithBaseURL("http://" + l.Addr().String()), quick}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestAnAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"switching protocols, and then nothing": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"no status that exists":                 "HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n",
		"a status beyond all":                   "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := raw(t, answer, scriptix.WithIdleTimeout(2*time.Second))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()

			_, err := c.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), english)

			require.NoError(t, ctx.Err(), "it does not hang")
			require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
		})
	}
}

func TestARedirectThatCannotBeParsedIsARefusalLikeAnyOther(t *testing.T) {
	t.Parallel()
	c := raw(t, "HTTP/1.1 302 Found\r\nLocation: https://x.example:port/?token=secret\r\nContent-Length: 0\r\n\r\n")

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	checkError(t, err, errAny, 302)
	require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)

	_, err = c.STT.Status(t.Context(), "stt_1")
	checkError(t, err, errAny, 302)
}

// A parser of multipart ends with the closing boundary and does not wait for
// the last chunk, so a job may exist once the boundary is out.
func TestAReaderWhoseClosingBoundaryWentOutHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		var got bytes.Buffer
		buf := make([]byte, 32<<10)
		for !strings.HasSuffix(got.String(), "--\r\n") {
			n, err := r.Body.Read(buf)
			got.Write(buf[:n])
			if err != nil {
				break
			}
		}
		return nil, errors.New("connection reset by peer")
	})

	_, err := c.STT.Submit(t.Context(), scriptix.Reader("a.wav", strings.NewReader("RIFF")), english)

	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
}

func TestOddAnswersOfARoundTripperAreErrorsAndNoPanics(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]trip{
		"neither answer nor error": func(*http.Request) (*http.Response, error) { return nil, nil }, //nolint:nilnil // that is the point
		"no body": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusBadGateway, Request: r}, nil
		},
		"no body in a 2xx": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Request: r}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := over(t, f).STT.Status(t.Context(), "stt_1")
			require.Error(t, err)
			_, err = over(t, f).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.Error(t, err)
		})
	}
}

type brokenBudget struct{ err error }

func (b brokenBudget) Acquire(context.Context, scriptix.Class) (scriptix.Permit, error) {
	return nil, b.err
}

func TestABudgetThatIsOutOfOrderIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		broken := errors.New("the database is away")

		_, err := newClient(t, fake, scriptix.WithBudget(brokenBudget{broken})).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
		require.ErrorIs(t, err, broken)
		_, err = newClient(t, fake, scriptix.WithBudget(brokenBudget{})).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
		require.ErrorContains(t, err, "permit")
		assert.Empty(t, fake.Requests())
	})
}

func TestAudioThatHangsBeforeItsFirstByteIsAnErrorAndNoPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		audio := scriptix.Opener("a.wav", 9, func(ctx context.Context, _ int64) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		_, err := c.STT.Submit(t.Context(), audio, english)
		require.Error(t, err)
		assert.Empty(t, fake.Jobs())
		assert.Equal(t, variantOf(t).dialect.SignedCallbacks(), len(fake.Requests()) == 0, "but an upload is made before it is read")
	})
}

// net/http repeats a request by itself when it can get the body again, or when
// a key says that this does no harm.
func TestNothingBelowIsGivenTheMeansToSendASubmitAgain(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	var seen []string
	inner := fake.HTTPClient().Transport
	c := newClient(t, fake, scriptix.WithHTTPClient(&http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Method)
		assert.Nil(t, r.GetBody)
		assert.NotContains(t, r.Header, "Idempotency-Key")
		assert.NotContains(t, r.Header, "X-Idempotency-Key")
		return inner.RoundTrip(r)
	})}))

	for _, opts := range [][]scriptix.SubmitOption{nil, {scriptix.Resumable()}} {
		_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english, opts...)
		require.NoError(t, err)
	}

	want := []string{"POST", "POST", "PATCH", "GET"}
	if !variantOf(t).dialect.SignedCallbacks() {
		want = []string{"POST", "PATCH", "GET", "POST", "PATCH", "GET"}
	}
	assert.Equal(t, want, seen[variantOf(t).probes:])
}

func TestAContextThatEndsWithinAnAnswerIsSaidBesideIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		job, err := c.STT.Submit(t.Context(), sourceOf(t, wav), english)
		require.NoError(t, err)
		time.Sleep(time.Minute) // by then it has ended: that it runs is said by a refusal in one dialect, of which half is enough
		fake.Fault(scriptixtest.Fault{Times: 10, Stall: 30 * time.Second})
		for name, call := range map[string]func(context.Context) error{
			"submit": func(ctx context.Context) error {
				_, err := c.STT.Submit(ctx, sourceOf(t, wav), english)
				require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
				return err
			},
			"status": func(ctx context.Context) error {
				_, err := c.STT.Status(ctx, job.ID)
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := call(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			e, ok := errors.AsType[*scriptix.Error](err)
			require.True(t, ok)
			assert.NotZero(t, e.StatusCode, "the status came")
		}
	})
}
