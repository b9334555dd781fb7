package scriptix_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestNewRefusesNonsenseAndSaysWhich(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  string
		opts []scriptix.Option
		want string
	}{
		{"an empty key", "", nil, "API key is empty"},
		{"a blank key", " ", nil, "API key is empty"},
		{"a key with a line break", "sk\n", nil, "line break"},
		{"a key that is not ASCII", "schlüssel", nil, "cannot stand in a header"},
		{"a nil option", "k", []scriptix.Option{nil}, "option 0 is nil"},
		{"a base URL without a scheme", "k", []scriptix.Option{scriptix.WithBaseURL("api.scriptix.io")}, "base URL"},
		{"a base URL over http", "k", []scriptix.Option{scriptix.WithBaseURL("http://api.scriptix.io")}, "http is for loopback alone"},
		{"a base URL of another scheme", "k", []scriptix.Option{scriptix.WithBaseURL("ftp://api.scriptix.io")}, `scheme "ftp"`},
		{"a base URL with a query", "k", []scriptix.Option{scriptix.WithBaseURL("https://api.scriptix.io?x=1")}, "no user, query or fragment"},
		{"a base URL with a user", "k", []scriptix.Option{scriptix.WithBaseURL("https://u:p@api.scriptix.io")}, "no user, query or fragment"},
		{"a base URL that is none", "k", []scriptix.Option{scriptix.WithBaseURL("https://[::1")}, "cannot be parsed"},
		{"a nil HTTP client", "k", []scriptix.Option{scriptix.WithHTTPClient(nil)}, "HTTP client: is nil"},
		{"a webhook without secrets", "k", []scriptix.Option{scriptix.WithWebhook("https://me.example/cb")}, "no secret"},
		{"a webhook with an empty secret", "k", []scriptix.Option{scriptix.WithWebhook("https://me.example/cb", "a", " ")}, "secret 1 is empty"},
		{"a webhook over http", "k", []scriptix.Option{scriptix.WithWebhook("http://me.example/cb", "a")}, "http is for loopback alone"},
		{"a webhook with a user", "k", []scriptix.Option{scriptix.WithWebhook("https://u:p@me.example/cb", "a")}, "no user"},
		{"a webhook that is no URL", "k", []scriptix.Option{scriptix.WithWebhook("https://me.example/\x7f", "a")}, "cannot be parsed"},
		{"negative limits", "k", []scriptix.Option{scriptix.WithLimits(scriptix.Limits{PerDay: -1})}, "limits: negative"},
		{"a nil budget", "k", []scriptix.Option{scriptix.WithBudget(nil)}, "budget: is nil"},
		{"negative retries", "k", []scriptix.Option{scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: -1})}, "retry: negative"},
		{"waits the wrong way round", "k", []scriptix.Option{scriptix.WithRetry(scriptix.RetryPolicy{MinWait: time.Hour})}, "MinWait 1h0m0s is above MaxWait 30s"},
		{"a nil logger", "k", []scriptix.Option{scriptix.WithLogger(nil)}, "logger: is nil"},
		{"an application with blanks", "k", []scriptix.Option{scriptix.WithApplication("my app", "1")}, `"my app" is no token`},
		{"an application without a version", "k", []scriptix.Option{scriptix.WithApplication("app", "")}, `"" is no token`},
		{"no idle timeout", "k", []scriptix.Option{scriptix.WithIdleTimeout(0)}, "idle timeout"},
		{"no answer timeout", "k", []scriptix.Option{scriptix.WithAnswerTimeout(-1)}, "answer timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := scriptix.New(tt.key, tt.opts...)
			require.ErrorContains(t, err, tt.want)
			assert.Nil(t, c)
		})
	}
}

func TestNewAcceptsWhatMakesSense(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://api.example", "https://api.example:8443/prefix/", "http://127.0.0.1:80", "http://[::1]:80", "http://localhost:1"} {
		_, err := scriptix.New("k", scriptix.WithBaseURL(base), scriptix.WithLogger(slog.Default()), scriptix.WithRetry(scriptix.RetryPolicy{}), scriptix.WithLimits(scriptix.PlanGold))
		require.NoError(t, err, base)
	}
}

func TestABasePathIsKeptAndIDsCannotClimb(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.RequestURI)
		_, _ = w.Write([]byte(`{"status":"processing"}`))
	}))
	defer server.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(server.URL+"/gate way/"))
	require.NoError(t, err)

	for _, id := range []string{"stt_1", "a/b", "../result", "ü?x=1#y", "%2e%2e", "a b"} {
		job, err := c.STT.Status(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, id, job.ID)
	}
	for _, id := range []string{"", ".", ".."} {
		_, err := c.STT.Status(t.Context(), id)
		require.ErrorIs(t, err, scriptix.ErrInvalid, id)
	}

	prefix := "/gate%20way/api/v3/stt/"
	assert.Equal(t, []string{
		prefix + "stt_1/status", prefix + "a%2Fb/status", prefix + "..%2Fresult/status", prefix + "%C3%BC%3Fx=1%23y/status", prefix + "%252e%252e/status", prefix + "a%20b/status",
	}, got)
}

func TestTheCallersHTTPClientIsCopiedAndNotModified(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	closed := 0
	rt := &countingTransport{RoundTripper: fake.HTTPClient().Transport, closed: &closed}
	hc := &http.Client{Transport: rt, Timeout: time.Nanosecond, CheckRedirect: func(*http.Request, []*http.Request) error { return errBroken }}
	before := *hc
	c := newClient(t, fake, scriptix.WithHTTPClient(hc), quick)

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
	require.NoError(t, err, "the caller's Timeout is not used")
	_, err = c.STT.Status(t.Context(), "unknown")
	require.ErrorIs(t, err, scriptix.ErrNotFound)

	assert.Zero(t, closed, "a failed call leaves the caller's idle connections alone")
	assert.Equal(t, before.Timeout, hc.Timeout)
	assert.Same(t, rt, hc.Transport)
	c.CloseIdleConnections()
	assert.Positive(t, closed)
}

type countingTransport struct {
	http.RoundTripper
	closed *int
}

func (c *countingTransport) CloseIdleConnections() { *c.closed++ }

func TestWithoutLimitsAClientIsModest(t *testing.T) {
	t.Parallel()
	c, err := scriptix.New("k")
	require.NoError(t, err)
	assert.Equal(t, 60, c.Budget().Minute.Left)
	assert.Equal(t, 10, c.Budget().Concurrent)

	c, err = scriptix.New("k", scriptix.WithLimits(scriptix.PlanFree))
	require.NoError(t, err)
	assert.Equal(t, 1000, c.Budget().Day.Left)

	c, err = scriptix.New("k", scriptix.WithBudget(fullBudget{}))
	require.NoError(t, err)
	assert.Zero(t, c.Budget())
}

type fullBudget struct{}

func (fullBudget) Acquire(context.Context, scriptix.Class) (scriptix.Permit, error) {
	return nil, scriptix.ErrBudget
}

func TestWhatTheBudgetRefusesIsNotSent(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, scriptix.WithBudget(fullBudget{}))

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

	require.ErrorIs(t, err, scriptix.ErrBudget)
	assert.Empty(t, fake.Requests())
}

func TestEveryAttemptPassesTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{PerMinute: variantOf(t).probes + 2}))
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Times: 2, Status: 503, RetryAfter: "1", Body: `{"error":"busy"}`})
		start := time.Now()

		_, err := c.STT.Submit(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Len(t, sent(t, fake), 3)
		assert.GreaterOrEqual(t, time.Since(start), time.Minute, "the third attempt waits for the minute to pass")
	})
}

func TestA429StopsEveryCallUntilRetryAfterEvenFromTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 429, Body: `{"error":"Rate Limit Exceeded","retry_after":120}`})
		start := time.Now()
		_, err := c.STT.Submit(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})
		require.ErrorIs(t, err, scriptix.ErrRateLimited)

		_, err = c.STT.Status(t.Context(), "unknown")

		require.ErrorIs(t, err, scriptix.ErrNotFound)
		assert.GreaterOrEqual(t, time.Since(start), 2*time.Minute)
	})
}
