package scriptix

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// Option changes a [Client] while [New] makes it.
type Option func(*config) error

type config struct {
	key            string
	base           *url.URL
	transport      http.RoundTripper
	callbackURL    string
	secrets        []string
	limits         Limits
	budget         Budget
	retry          RetryPolicy
	logger         *slog.Logger
	application    string
	idleTimeout    time.Duration
	answerTimeout  time.Duration
	resumableAbove int64
	chunkSize      int64
	statusPolls    bool
	atHand         int64
	dialect        Dialect
}

const (
	defaultBaseURL        = "https://api.scriptix.io"
	defaultIdleTimeout    = time.Minute
	defaultAnswerTimeout  = 10 * time.Minute
	defaultResumableAbove = 500_000_000
	defaultChunkSize      = 50 << 20 // as the service documents it
)

func newConfig(key string, opts []Option) (*config, error) {
	base, err := url.Parse(defaultBaseURL)
	if err != nil {
		return nil, err
	}
	cfg := &config{
		key: key, base: base, dialect: DialectSTT, limits: DefaultLimits, logger: slog.New(slog.DiscardHandler),
		idleTimeout: defaultIdleTimeout, answerTimeout: defaultAnswerTimeout, resumableAbove: defaultResumableAbove, chunkSize: defaultChunkSize, atHand: maxAtHand,
	}
	switch {
	case strings.TrimSpace(key) == "":
		return nil, errors.New("scriptix: the API key is empty; pass the key from your account")
	case strings.ContainsFunc(key, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }):
		// The key itself stays out of the message.
		return nil, errors.New("scriptix: the API key holds a blank or a character that cannot stand in a header; look for a line break at its end")
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("scriptix: option %d is nil", i)
		}
		if err := opt(cfg); err != nil {
			return nil, fmt.Errorf("scriptix: %w", err)
		}
	}
	return cfg, cfg.checkSecrets()
}

// checkSecrets refuses a secret that could not travel with a callback in a
// dialect whose callbacks carry it in a header.
func (c *config) checkSecrets() error {
	if c.dialect.table.signed || len(c.secrets) == 0 {
		return nil
	}
	if strings.ContainsFunc(c.secrets[0], func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(c.secrets[0]) != c.secrets[0] {
		return errors.New("scriptix: webhook: the first secret holds a character that cannot stand in a header, in which this dialect's callbacks carry it")
	}
	return nil
}

// sentSecrets are those that the service gets to see, and may quote.
func (c *config) sentSecrets() []string {
	if c.dialect.table.signed || len(c.secrets) == 0 {
		return nil
	}
	return c.secrets[:1]
}

// WithBaseURL sends calls to another address than https://api.scriptix.io: an
// https URL, or an http one on loopback. A path in it is kept as a prefix, and
// /api/v3 at its end is cut off.
func WithBaseURL(raw string) Option {
	return func(c *config) error {
		u, err := url.Parse(strings.TrimSpace(raw))
		if err != nil {
			// url.Error quotes its input, which may hold a password.
			return errors.New("base URL: cannot be parsed")
		}
		if err := transport.Secure(u); err != nil {
			return fmt.Errorf("base URL: %w", err)
		}
		if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
			return errors.New("base URL: takes scheme, host and path alone, no user, query or fragment")
		}
		c.base = transport.CutPath(u, apiPath) // which many a configuration holds already
		return nil
	}
}

// WithHTTPClient takes the transport of hc, which is not modified. Its Timeout,
// Jar and CheckRedirect are not used: deadlines come from the context, and a
// timeout per attempt would send a slow upload several times.
//
// Uploads go over HTTP/1.1 on a clone of its transport. A RoundTripper that is
// no [*http.Transport] is used as it is. It must not repeat requests by itself,
// as that of a retrying client does: a recording could be billed twice.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) error {
		if hc == nil {
			return errors.New("HTTP client: is nil")
		}
		c.transport = hc.Transport
		if c.transport == nil {
			c.transport = http.DefaultTransport
		}
		return nil
	}
}

// WithWebhook names the URL at which callbacks arrive, https or http on
// loopback, and the secrets they may be signed with: one, or several while
// rotating. It fills [SubmitParams.WebhookURL] where that is empty. Mount
// [Client.WebhookHandler] at that URL, or hand verified events to
// [Client.Deliver]. In the session dialect the first secret is sent with each
// submit, for [Client.HintHandler] to know the callback by, which also arrives one
// path element below the URL.
func WithWebhook(callbackURL string, secrets ...string) Option {
	return func(c *config) error {
		if err := transport.CheckCallback(callbackURL); err != nil {
			return err
		}
		if len(secrets) == 0 {
			return errors.New("webhook: no secret; callbacks cannot be trusted without one")
		}
		for i, s := range secrets {
			if strings.TrimSpace(s) == "" {
				return fmt.Errorf("webhook: secret %d is empty; an empty secret accepts every forgery", i)
			}
		}
		c.callbackURL, c.secrets = callbackURL, slices.Clone(secrets)
		return nil
	}
}

// WithLimits sets what the key's plan allows, as [PlanSilver]. Without it the
// client sends at most 60 requests a minute and 10 at once, and learns from the
// service's headers and 429s.
func WithLimits(l Limits) Option {
	return func(c *config) error {
		if err := l.Validate(); err != nil {
			return err
		}
		c.limits = l
		return nil
	}
}

// WithBudget replaces the in-process budget, so that several clients or
// processes share the one of their key. Limits given beside it are not used.
func WithBudget(b Budget) Option {
	return func(c *config) error {
		if b == nil {
			return errors.New("budget: is nil")
		}
		c.budget = b
		return nil
	}
}

// WithRetry changes how often and how patiently a call is repeated. Zero fields
// keep their defaults.
func WithRetry(p RetryPolicy) Option {
	return func(c *config) error {
		if p.MaxAttempts < 0 || p.MinWait < 0 || p.MaxWait < 0 || p.MaxRetryAfter < 0 {
			return errors.New("retry: negative; MaxAttempts 1 turns retries off")
		}
		full := p.withDefaults() // p is shared by all clients the option is given to
		if full.MinWait > full.MaxWait {
			return fmt.Errorf("retry: MinWait %v is above MaxWait %v", full.MinWait, full.MaxWait)
		}
		c.retry = full
		return nil
	}
}

// WithStatusPolls has polls ask for the status of a job alone, never for a result
// before the job is known to have ended. It is for a service that bills such
// requests, counts them double or takes them for an alarm; it costs a third
// request for each job whose end no callback reports.
func WithStatusPolls() Option {
	return func(c *config) error {
		c.statusPolls = true
		return nil
	}
}

// WithLogger logs one record per attempt at Debug and one per retry at Info.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("logger: is nil; leave the option out for silence")
		}
		c.logger = l
		return nil
	}
}

// WithApplication puts name/version in front of the User-Agent.
func WithApplication(name, version string) Option {
	return func(c *config) error {
		for _, s := range []string{name, version} {
			if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }) {
				return fmt.Errorf("application: %q is no token for a User-Agent; use letters, digits, dots and dashes", s)
			}
		}
		c.application = name + "/" + version
		return nil
	}
}

// WithIdleTimeout ends an attempt in which no byte moved for d (default one
// minute). It does not count the time the service takes to answer an upload:
// see [WithAnswerTimeout].
func WithIdleTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("idle timeout: %v is not positive", d)
		}
		c.idleTimeout = d
		return nil
	}
}

// WithAnswerTimeout is how long the service may take to answer once an upload's
// last byte went out (default ten minutes). It is long because the service may
// digest gigabytes in silence, and by then the job may be paid for.
func WithAnswerTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("answer timeout: %v is not positive", d)
		}
		c.answerTimeout = d
		return nil
	}
}

// WithResumableAbove sends recordings of more than n bytes (default
// 500,000,000, the most that the service takes in one request) as resumable
// uploads. With 0 all are that have a known length. See [Resumable].
func WithResumableAbove(n int64) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("resumable above: %d is negative", n)
		}
		c.resumableAbove = n
		return nil
	}
}
