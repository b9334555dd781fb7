package scriptixtest

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxStandard  = 500_000_000   // bytes of a standard upload
	maxResumable = 5_000_000_000 // bytes of a resumable one
)

// An Option of [Start] and [New].
type Option func(*config) error

type config struct {
	memory       bool
	tls          bool
	key, secret  string
	addr         string
	basePath     string
	plan         Limits
	processing   func(audio time.Duration) time.Duration
	queue        time.Duration
	external     bool
	log          *slog.Logger
	history      int
	maxStandard  int64
	maxResumable int64
	retries      []time.Duration
	notReady     int
	envelope     bool
	relative     bool
	maxChunk     int64

	dialect       Dialect
	variant       Variant
	unit          TimeUnit
	earlyID       bool
	links         bool
	linkRedirects int
	otherKeys     []string
	models        []Model
	glossaries    []Glossary
}

func defaults() config {
	return config{
		key:    "sk_test_" + token(16),
		secret: "whsec_" + token(16),
		processing: func(audio time.Duration) time.Duration {
			return min(max(audio*15/100, 50*time.Millisecond), 2*time.Second)
		},
		maxStandard:  maxStandard,
		maxResumable: maxResumable,
		notReady:     http.StatusConflict,
	}
}

// InMemory makes a service without sockets, which works inside a testing/synctest bubble.
//
// Only the client of [Server.HTTPClient] reaches it, and callbacks only reach what [Server.Handle] registered. Start and
// close it within the bubble.
func InMemory() Option {
	return func(c *config) error { c.memory = true; return nil }
}

// WithAPIKey sets the key that the service accepts. The default is a random one.
func WithAPIKey(key string) Option {
	return func(c *config) error {
		if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("WithAPIKey: the key is empty or holds spaces or unprintable characters")
		}
		c.key = key
		return nil
	}
}

// WithWebhookSecret sets the secret that callbacks are signed with. The default is a random one.
func WithWebhookSecret(secret string) Option {
	return func(c *config) error {
		if strings.TrimSpace(secret) == "" {
			return errors.New("WithWebhookSecret: the secret is empty")
		}
		c.secret = secret
		return nil
	}
}

// WithAddr sets the host and port to listen on. The default is 127.0.0.1:0; an address that is not on loopback is refused.
func WithAddr(addr string) Option {
	return func(c *config) error {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("WithAddr: %w", err)
		}
		if !loopback(host) {
			return fmt.Errorf("WithAddr: %q is not on loopback", addr)
		}
		c.addr = addr
		return nil
	}
}

// WithBasePath puts the service under a path such as "/gateway", so that a client which loses the path of its base URL gets 404.
func WithBasePath(path string) Option {
	return func(c *config) error {
		path = strings.TrimSuffix(path, "/")
		if path != "" && !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#% ") {
			return fmt.Errorf("WithBasePath: %q is no plain absolute path", path)
		}
		c.basePath = path
		return nil
	}
}

// WithTLS serves HTTPS, HTTP/2 included, with a certificate of its own that [Server.HTTPClient] trusts.
func WithTLS() Option {
	return func(c *config) error { c.tls = true; return nil }
}

// WithPlan enforces the limits of a plan: a request over one of them gets 429 and Retry-After, and every answer carries
// X-RateLimit-Limit, -Remaining and -Reset of the shortest window that is limited.
//
// The windows slide exactly: a request counts from its arrival until a minute, an hour or a day later. What was refused does
// not count. The default is no limit.
func WithPlan(l Limits) Option {
	return func(c *config) error {
		if l.PerMinute < 0 || l.PerHour < 0 || l.PerDay < 0 || l.Concurrent < 0 {
			return errors.New("WithPlan: a limit is negative; zero means not limited")
		}
		c.plan = l
		return nil
	}
}

// WithProcessing sets how long each job is processed, unless its [Outcome] says otherwise. The default is 15 % of a WAV's
// duration, at least 50 ms and at most 2 s.
func WithProcessing(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return errors.New("WithProcessing: negative")
		}
		c.processing = func(time.Duration) time.Duration { return d }
		return nil
	}
}

// WithQueue sets how long each job stays "uploaded" before it is processed, unless its [Outcome] says otherwise. The default is 0.
func WithQueue(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return errors.New("WithQueue: negative")
		}
		c.queue = d
		return nil
	}
}

// WithExternalCallbacks delivers callbacks to any HTTPS URL. Without it they only go to loopback and to what [Server.Handle]
// registered, and others are recorded as undelivered. In memory it has no effect.
func WithExternalCallbacks() Option {
	return func(c *config) error { c.external = true; return nil }
}

// WithCallbackRetries sets the waits after which a callback that was not accepted is sent again. The default is 1, 5 and 15
// minutes; none turns retries off.
//
// In the session dialect the default is after 1, 2, 5, 15 and 30 minutes.
func WithCallbackRetries(waits ...time.Duration) Option {
	return func(c *config) error {
		if slices.ContainsFunc(waits, func(d time.Duration) bool { return d < 0 }) {
			return errors.New("WithCallbackRetries: a wait is negative")
		}
		c.retries = append([]time.Duration{}, waits...)
		return nil
	}
}

// WithMaxUpload sets the largest standard and the largest resumable upload in bytes; more gets 413. The defaults are
// 500,000,000 and 5,000,000,000; zero keeps the default.
func WithMaxUpload(standard, resumable int64) Option {
	return func(c *config) error {
		if standard < 0 || resumable < 0 {
			return errors.New("WithMaxUpload: negative")
		}
		if standard > 0 {
			c.maxStandard = standard
		}
		if resumable > 0 {
			c.maxResumable = resumable
		}
		return nil
	}
}

// WithNotReady sets how a result that is asked for too early is answered: 409 (the default), 404, 202, or 200 with the
// running status and no segments. The documentation does not say which.
func WithNotReady(status int) Option {
	return func(c *config) error {
		switch status {
		case http.StatusConflict, http.StatusNotFound, http.StatusAccepted, http.StatusOK:
			c.notReady = status
			return nil
		}
		return fmt.Errorf("WithNotReady: %d is none of 409, 404, 202 and 200", status)
	}
}

// WithEnvelope wraps every successful answer of the stt endpoints: {"count":1,"total_results":1,"result":{...}}.
func WithEnvelope() Option {
	return func(c *config) error { c.envelope = true; return nil }
}

// WithMaxChunk refuses chunks of resumable uploads of more than n bytes with 413, unread, as a proxy with a limit does.
func WithMaxChunk(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxChunk: %d is not positive", n)
		}
		c.maxChunk = n
		return nil
	}
}

// WithRelativeLocation answers the creation of a resumable upload with a Location that has no scheme and host.
func WithRelativeLocation() Option {
	return func(c *config) error { c.relative = true; return nil }
}

// WithHistory keeps only the last n requests for [Server.Requests]; [Server.Stats] still counts all. The default keeps all
// of them, at somewhat under a kilobyte each.
func WithHistory(n int) Option {
	return func(c *config) error {
		if n <= 0 {
			return errors.New("WithHistory: must be positive")
		}
		c.history = n
		return nil
	}
}

// WithLogger logs each request and each delivery, one record each. The key, the secret and URLs' queries are never in it.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger: nil logger")
		}
		c.log = l
		return nil
	}
}

// loopback reports whether a host without its port is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
