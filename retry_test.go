package scriptix_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestACallGivesUpAfterItsAttemptsAndKeepsTheLastAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		learn(t, c)
		before := len(requestsTo(fake, variantOf(t).poll))
		fake.Fault(scriptixtest.Fault{On: variantOf(t).poll, Times: -1, Status: 503, Body: `{"message":"busy"}`, Header: http.Header{"X-Request-Id": {"req_7"}}})

		_, err := c.STT.Status(t.Context(), "stt_1")

		e, ok := errors.AsType[*scriptix.Error](err)
		require.True(t, ok)
		assert.Equal(t, 503, e.StatusCode)
		assert.Equal(t, "busy", e.Message)
		assert.Equal(t, "req_7", e.RequestID)
		assert.Equal(t, 5, e.Attempts)
		assert.Len(t, requestsTo(fake, variantOf(t).poll)[before:], 5)
	})
}

func TestWaitsBetweenAttemptsStayWithinThePolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 12, MinWait: time.Second, MaxWait: 8 * time.Second}))
		learn(t, c)
		before := len(requestsTo(fake, variantOf(t).poll))
		fake.Fault(scriptixtest.Fault{On: variantOf(t).poll, Times: -1, Status: 500})

		_, err := c.STT.Status(t.Context(), "stt_1")

		require.ErrorIs(t, err, scriptix.ErrServer)
		requests := requestsTo(fake, variantOf(t).poll)[before:]
		require.Len(t, requests, 12)
		for i := 1; i < len(requests); i++ {
			gap := requests[i].Time.Sub(requests[i-1].Time)
			assert.GreaterOrEqual(t, gap, time.Second)
			assert.LessOrEqual(t, gap, 8*time.Second)
		}
	})
}

func TestARetryWaitsAtLeastAsLongAsTheServiceAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 503, RetryAfter: "40", Body: `{"error":"overload"}`})
		start := time.Now()

		_, err := c.STT.Submit(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), 40*time.Second)
		assert.Less(t, time.Since(start), 45*time.Second)
	})
}

func TestWhatWouldFailTheSameWayAgainIsNotRepeated(t *testing.T) {
	t.Parallel()
	secure := newFake(t, scriptixtest.WithTLS())
	plain := newFake(t)
	tests := []struct{ name, base string }{
		{"a certificate that is not trusted", secure.URL()},
		{"an HTTP answer to an HTTPS client", strings.Replace(plain.URL(), "http:", "https:", 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := scriptix.New(testKey, scriptix.WithBaseURL(tt.base), quick)
			require.NoError(t, err)

			_, err = c.STT.Status(t.Context(), "stt_1")

			e, ok := errors.AsType[*scriptix.Error](err)
			require.True(t, ok)
			assert.Equal(t, 1, e.Attempts, "%v", err)
			assert.Zero(t, e.StatusCode)
		})
	}
}

func TestOnlyWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		again bool
	}{
		"a reset":                                     {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"a name server that is away":                  {&net.DNSError{Err: "server misbehaving", IsTemporary: true}, true},
		"no such host":                                {&net.DNSError{Err: "no such host", IsNotFound: true}, false},
		"a certificate that is not trusted":           {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, false},
		"the same from a dialer of the caller's":      {x509.UnknownAuthorityError{}, false},
		"a certificate of another host":               {x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x.example"}, false},
		"no TLS":                                      {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, false},
		"what net/http has no type for":               {errors.New("http: server gave HTTP response to HTTPS client"), false},
		"an error around an error that does not pass": {fmt.Errorf("proxyconnect tcp: %w", &net.DNSError{Err: "no such host", IsNotFound: true}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent int
			c := over(t, func(*http.Request) (*http.Response, error) {
				sent++
				return nil, tt.err
			}, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 2, MinWait: time.Millisecond}))

			_, err := c.STT.Status(t.Context(), "stt_1")

			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.again, sent == 2, "%d requests", sent)
		})
	}
}

func TestASuccessStaysOneWhenTheContextEndsJustAfterIt(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	hc := &http.Client{Transport: cancelAfter{fake.HTTPClient().Transport, cancel}}
	c := newClient(t, fake, scriptix.WithHTTPClient(hc))

	job, err := c.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

	require.NoError(t, err)
	assert.NotEmpty(t, job.ID)
}

// cancelAfter reads the answer, then cancels, as a deadline might.
type cancelAfter struct {
	http.RoundTripper
	cancel func()
}

func (c cancelAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	_ = resp.Body.Close()
	resp.Body = readCloser{&body}
	c.cancel()
	return resp, nil
}

type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }

func TestAttemptsAndRetriesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake, scriptix.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 429, RetryAfter: "1"})

		_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Len(t, lines, 3, log.String())
		for i, want := range []string{"level=DEBUG", "level=INFO", "level=DEBUG"} {
			assert.Contains(t, lines[i], want)
			assert.Contains(t, lines[i], "op=stt.submit")
			assert.Contains(t, lines[i], "attempt=")
		}
		assert.Contains(t, lines[1], "wait=")
		assert.Contains(t, lines[1], "request_id=req_")
		assert.Contains(t, lines[2], "status=201")
		assert.NotContains(t, log.String(), fake.APIKey())
	})
}

func TestTheLastAnswerIsKeptWhenTheContextEndsInALaterAttempt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault    *scriptixtest.Fault // of the second attempt
		opts     []scriptix.Option
		attempts int
		budget   bool
	}{
		"while the answer is awaited": {fault: &scriptixtest.Fault{Delay: time.Hour}, attempts: 2},
		"for want of budget":          {opts: []scriptix.Option{scriptix.WithLimits(scriptix.Limits{PerMinute: 1})}, attempts: 1, budget: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Status, Status: 503, Body: `{"message":"busy"}`, Header: http.Header{"X-Request-Id": {"req_7"}}})
				if tt.fault != nil {
					tt.fault.On = scriptixtest.Status
					fake.Fault(*tt.fault)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
				defer cancel()

				_, err := newClient(t, fake, tt.opts...).STT.Status(ctx, "stt_1")

				assert.Equal(t, tt.budget, errors.Is(err, scriptix.ErrBudget))
				assert.Equal(t, !tt.budget, errors.Is(err, context.DeadlineExceeded), "%v", err)
				require.ErrorIs(t, err, scriptix.ErrServer)
				e, ok := errors.AsType[*scriptix.Error](err)
				require.True(t, ok)
				assert.Equal(t, 503, e.StatusCode)
				assert.Equal(t, "busy", e.Message)
				assert.Equal(t, "req_7", e.RequestID)
				assert.Equal(t, tt.attempts, e.Attempts)
			})
		})
	}
}
