package scriptix_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestStalledNetworkEndsTheAttemptAfterAMinuteAndItIsRepeated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts []scriptix.Option
		took time.Duration
	}{
		"by default":  {nil, time.Minute},
		"as told":     {[]scriptix.Option{scriptix.WithIdleTimeout(7 * time.Second)}, 7 * time.Second},
		"not by this": {[]scriptix.Option{scriptix.WithAnswerTimeout(time.Second)}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Hour})
				c := newClient(t, fake, tt.opts...)
				start := time.Now()

				job, err := c.STT.Submit(t.Context(), tape{200_000}.audio(), english)

				require.NoError(t, err)
				assert.InDelta(t, tt.took.Seconds(), time.Since(start).Seconds(), 1)
				require.Len(t, fake.Jobs(), 1)
				assert.Equal(t, fake.Jobs()[0].ID, job.ID)
				assert.Len(t, fake.Requests(), 2)
			})
		})
	}
}

func TestSlowNetworkIsNotAStalledOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		slow := scriptix.Opener("a.bin", 100_000, func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return &paced{Reader: io.NewSectionReader(tape{100_000}, offset, 100_000-offset), most: 10_000, pause: 50 * time.Second}, nil
		})
		_, err := c.STT.Submit(t.Context(), slow, english)
		require.NoError(t, err, "a byte now and then is enough")
		assert.Len(t, fake.Requests(), 1)
	})
}

// paced reads in small steps with a pause before each.
type paced struct {
	io.Reader
	most  int
	pause time.Duration
}

func (p *paced) Read(b []byte) (int, error) {
	time.Sleep(p.pause)
	return p.Reader.Read(b[:min(len(b), p.most)])
}

func (p *paced) Close() error { return nil }

func TestSilenceAfterTheLastByteIsWaitedOutForTenMinutes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		delay time.Duration
		opts  []scriptix.Option
		took  time.Duration
		known bool
	}{
		"a service that digests for nine minutes": {9 * time.Minute, nil, 9 * time.Minute, true},
		"one that never answers":                  {time.Hour, nil, 10 * time.Minute, false},
		"as told":                                 {time.Hour, []scriptix.Option{scriptix.WithAnswerTimeout(90 * time.Second)}, 90 * time.Second, false},
		"not by the idle timeout":                 {5 * time.Minute, []scriptix.Option{scriptix.WithIdleTimeout(time.Second)}, 5 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Accept: true, Status: 201, Body: `{"id":"stt_1"}`, Delay: tt.delay})
				c := newClient(t, fake, tt.opts...)
				start := time.Now()

				_, err := c.STT.Submit(t.Context(), tape{200_000}.audio(), english)

				assert.InDelta(t, tt.took.Seconds(), time.Since(start).Seconds(), 1)
				assert.Len(t, fake.Requests(), 1, "never sent again")
				if tt.known {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
				unknown, ok := errors.AsType[*scriptix.UnknownOutcomeError](err)
				require.True(t, ok)
				assert.Equal(t, int64(200_000), unknown.Sent)
				assert.Equal(t, int64(200_000), unknown.Size)
				require.ErrorContains(t, err, "no answer within")
			})
		})
	}
}

// hanging gives some bytes and then hangs until let go.
type hanging struct {
	io.Reader
	letGo  <-chan struct{}
	closed atomic.Bool
	inRead atomic.Bool
}

func (h *hanging) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		return n, nil
	}
	h.inRead.Store(true)
	<-h.letGo
	h.inRead.Store(false)
	return 0, err
}

func (h *hanging) Close() error {
	h.closed.Store(true)
	return nil
}

// A bubble ends only when all of its goroutines have: one left behind fails it.
func TestContextEndsAHangingReaderAtOnceAndLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before int64 // bytes it gives first
		audio  func(h *hanging) scriptix.Audio
		opts   []scriptix.SubmitOption
		closes bool
	}{
		"Reader, from the start": {0, func(h *hanging) scriptix.Audio { return scriptix.Reader("a", h) }, nil, false},
		"Reader, in the middle":  {70_000, func(h *hanging) scriptix.Audio { return scriptix.Reader("a.wav", h) }, nil, false},
		"Opener, from the start": {0, opener, nil, true},
		"Opener, in the middle":  {70_000, opener, nil, true},
		"Opener, resumable":      {70_000, opener, []scriptix.SubmitOption{scriptix.Resumable()}, true},
		"Opener, hashed":         {70_000, opener, []scriptix.SubmitOption{scriptix.Resumable(), scriptix.ExpectDigest(scriptix.Digest{})}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				letGo := make(chan struct{})
				h := &hanging{Reader: io.NewSectionReader(tape{tt.before}, 0, tt.before), letGo: letGo}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()

				_, err := newClient(t, fake).STT.Submit(ctx, tt.audio(h), english, tt.opts...)

				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
				assert.Equal(t, 3*time.Second, time.Since(start))
				assert.True(t, h.inRead.Load(), "its read is still under way")
				assert.False(t, h.closed.Load(), "and it is not closed under that read")
				assert.Empty(t, fake.Jobs())

				close(letGo)
				synctest.Wait()
				assert.Equal(t, tt.closes, h.closed.Load())
			})
		})
	}
}

func opener(h *hanging) scriptix.Audio {
	return scriptix.Opener("a.wav", 100_000, func(context.Context, int64) (io.ReadCloser, error) { return h, nil })
}

func TestContextEndsAStalledUploadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, err := newClient(t, fake).STT.Submit(ctx, tape{200_000}.audio(), english)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "stt.submit: context canceled")
		require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome, "it did not go out whole")
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestUploadsGoOverHTTP1WhateverTheClientIsUsedFor(t *testing.T) {
	t.Parallel()
	for name, used := range map[string]bool{"a fresh transport": false, "one that was used over HTTP/2 before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, scriptixtest.WithTLS())
			hc := fake.HTTPClient()
			transport, ok := hc.Transport.(*http.Transport)
			require.True(t, ok)
			get := func() string {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fake.URL()+"/api/v3/stt/x/status", http.NoBody)
				require.NoError(t, err)
				resp, err := hc.Do(req)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return resp.Proto
			}
			if used {
				require.Equal(t, "HTTP/2.0", get())
			}
			protos, force := slices.Clone(transport.TLSClientConfig.NextProtos), transport.ForceAttemptHTTP2
			c := newClient(t, fake)

			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
			_, err = c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english, scriptix.Resumable())
			require.NoError(t, err)
			_, err = c.STT.Status(t.Context(), job.ID)
			require.NoError(t, err)

			uploads := append(requestsTo(fake, scriptixtest.Submit), requestsTo(fake, scriptixtest.FilesPatch)...)
			require.Len(t, uploads, 2)
			for _, r := range uploads {
				assert.Equal(t, "HTTP/1.1", r.Proto, r.Endpoint)
			}
			status := requestsTo(fake, variantOf(t).poll)
			assert.Equal(t, "HTTP/1.1", status[len(status)-1].Proto, "and so do other calls")

			assert.Same(t, transport, hc.Transport, "the caller's client is as it was")
			assert.Equal(t, force, transport.ForceAttemptHTTP2)
			assert.Nil(t, transport.Protocols)
			if used {
				assert.Equal(t, protos, transport.TLSClientConfig.NextProtos)
			}
			assert.Equal(t, "HTTP/2.0", get(), "and speaks HTTP/2 as before")
		})
	}
}

// noted is a RoundTripper of the caller's own.
type noted struct {
	http.RoundTripper
	methods chan string
}

func (n noted) RoundTrip(req *http.Request) (*http.Response, error) {
	n.methods <- req.Method
	return n.RoundTripper.RoundTrip(req)
}

func TestRoundTripperThatIsNoTransportIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	fake := newFake(t, scriptixtest.WithTLS())
	own := noted{fake.HTTPClient().Transport, make(chan string, 9)}
	c := newClient(t, fake, scriptix.WithHTTPClient(&http.Client{Transport: own}))

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)

	require.NoError(t, err)
	require.Equal(t, http.MethodPost, <-own.methods)
	assert.Equal(t, "HTTP/2.0", requestsTo(fake, scriptixtest.Submit)[0].Proto)
}

// sink is a service that does not count for the figures of a test: it reads
// the body with one buffer and answers.
type sink struct{ buf []byte }

func (s *sink) RoundTrip(req *http.Request) (*http.Response, error) {
	header := make(http.Header)
	body := http.NoBody
	if req.Body != nil {
		for {
			if _, err := req.Body.Read(s.buf); err != nil {
				break
			}
		}
		_ = req.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: header, Body: body, Request: req}, nil
}

func TestMemoryOfAnUploadDoesNotGrowWithTheFile(t *testing.T) { //nolint:paralleltest // allocations of the whole process are counted
	c, err := scriptix.New("key", scriptix.WithHTTPClient(&http.Client{Transport: &sink{make([]byte, 32<<10)}}), scriptix.WithLimits(scriptix.Limits{Concurrent: 1}))
	require.NoError(t, err)
	measure := func(size int64, opts ...scriptix.SubmitOption) (allocations, bytes uint64) {
		submit := func() {
			_, err := c.STT.Submit(t.Context(), scriptix.ReaderAt("a.wav", zeros{}, size), english, opts...)
			require.ErrorIs(t, err, scriptix.ErrUnauthorized)
		}
		submit()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		submit()
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
	}
	smallCount, smallBytes := measure(1)
	largeCount, largeBytes := measure(400 << 20)
	t.Logf("1 byte: %d allocations, %d bytes; 400 MiB: %d, %d", smallCount, smallBytes, largeCount, largeBytes)
	assert.LessOrEqual(t, largeCount, smallCount+20, "50 per GiB are allowed")
	assert.LessOrEqual(t, largeBytes, smallBytes+64<<10)
}

// zeros is silence without end.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// hangingAt is a ReaderAt that hangs until let go.
type hangingAt struct{ letGo chan struct{} }

func (h hangingAt) ReadAt([]byte, int64) (int, error) {
	<-h.letGo
	return 0, io.ErrUnexpectedEOF
}

func TestContextEndsAHangingReaderAtAtOnce(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptix.SubmitOption{"in one request": nil, "resumable": {scriptix.Resumable()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := hangingAt{make(chan struct{})}
				time.AfterFunc(time.Hour, func() { close(h.letGo) })
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()

				_, err := newClient(t, newFake(t, scriptixtest.InMemory())).STT.Submit(ctx, scriptix.ReaderAt("a.wav", h, 100_000), english, opts...)

				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
				assert.Equal(t, 3*time.Second, time.Since(start))
				<-h.letGo
			})
		})
	}
}

func TestLargeUploadAsksBeforeItSends(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		size int64
		asks []string // the Expect header of each attempt
	}{
		"small": {64<<20 - 1000, []string{"", ""}}, // the form around it still fits below the threshold
		"large": {64 << 20, []string{"100-continue", "100-continue"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: http.StatusTooManyRequests, IgnoreBody: true, RetryAfter: "1", Times: 2})
				c := newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 2, MinWait: time.Millisecond, MaxWait: time.Millisecond}))
				var read atomic.Int64

				_, err := c.STT.Submit(t.Context(), scriptix.ReaderAt("a.wav", readCounter{tape{tt.size}, &read}, tt.size), english)

				require.ErrorIs(t, err, scriptix.ErrRateLimited)
				var asks []string
				for _, r := range requestsTo(fake, scriptixtest.Submit) {
					asks = append(asks, r.Header.Get("Expect"))
				}
				assert.Equal(t, tt.asks, asks)
				if tt.asks[0] != "" {
					assert.Less(t, read.Load(), int64(4096), "no more than shows what it is")
				}
			})
		})
	}
}

// readCounter counts the bytes read of a recording.
type readCounter struct {
	io.ReaderAt
	n *atomic.Int64
}

func (r readCounter) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, off)
	r.n.Add(int64(n))
	return n, err
}
