// Package scriptix is a client for the Scriptix batch speech-to-text API.
//
// A recording is paid for once, its transcript is never lost, and the key's
// request budget is never exceeded. Start with [New] and
// [STTService.Transcribe]; for callbacks see [WithWebhook], for tests of your
// own code the package scriptixtest, for many recordings the package batch.
package scriptix

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/scriptix-io/scriptix-go/budget"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
	"github.com/scriptix-io/scriptix-go/internal/redact"
	"github.com/scriptix-io/scriptix-go/internal/transport"
	"github.com/scriptix-io/scriptix-go/internal/watch"
	"github.com/scriptix-io/scriptix-go/observe"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// Version is the SDK's version, as it stands in the User-Agent.
const Version = "0.1.0"

// Client talks to the service with one API key. It is safe for concurrent use;
// make one per key and share it, because the key's request budget and the waiting
// jobs belong to it.
type Client struct {
	STT        *STTService
	Documents  *DocumentService
	Models     *ModelService
	Glossaries *GlossaryService

	core *core
}

// core holds what all services of a client share.
type core struct {
	key         redact.Secret
	base        *url.URL
	userAgent   string
	transport   http.RoundTripper // for every call but uploads
	chunks      http.RoundTripper // for those of resumable uploads
	submits     http.RoundTripper // for billed POSTs, and those that create an upload
	budget      Budget
	breaker     *budget.Breaker // before the budget
	cfg         *config
	redact      redact.Redactor
	callbackURL redact.Secret
	handler     http.Handler
	waits       *watch.Scheduler
	hooks       hooks
	observer    atomic.Pointer[Observer]
	given       struct{ jobs, uploads transport.Given }
	atHand      *lenient.Gate // what large answers pass
	dialect     *spoken
	secrets     []redact.Secret // of callbacks, the first one is sent
}

// New makes a client. It does no I/O and reads no environment. It fails on an
// empty or unprintable key and on an option that is nil or refuses its value.
func New(apiKey string, opts ...Option) (*Client, error) {
	cfg, err := newConfig(apiKey, opts)
	if err != nil {
		return nil, err
	}
	c := &core{
		key: redact.Keep(cfg.key), base: cfg.base, userAgent: transport.UserAgent(cfg.application, "scriptix-go/"+Version), cfg: cfg,
		transport: cfg.transport, budget: cfg.budget, redact: redact.New(cfg.key, cfg.sentSecrets()...), dialect: cfg.dialect.speak(), callbackURL: redact.Keep(cfg.callbackURL),
	}
	if c.transport == nil {
		c.transport = transport.New()
	}
	c.chunks, c.submits = transport.ForChunks(c.transport), transport.ForSubmits(c.transport)
	c.transport = transport.ForCalls(c.transport)
	if c.budget == nil {
		if c.budget, err = NewBudget(cfg.limits); err != nil {
			return nil, err
		}
	}
	c.breaker = budget.NewBreaker(c.budget, c.budgetFailed)
	c.atHand = lenient.NewGate(cfg.atHand)
	cfg.retry = cfg.retry.withDefaults()
	cfg.key, cfg.callbackURL = "", ""
	client := &Client{STT: &STTService{c}, Documents: &DocumentService{c}, Models: &ModelService{c}, Glossaries: &GlossaryService{c}, core: c}
	c.waits = watch.New(poller{c}, watch.Config{Callbacks: c.dialect.table.signed && c.callbackURL() != "", StatusPolls: cfg.statusPolls || !cfg.dialect.table.signed})
	for _, s := range cfg.secrets {
		c.secrets = append(c.secrets, redact.Keep(s))
	}
	if len(cfg.secrets) > 0 {
		h, err := webhook.NewHandler(client.Deliver, cfg.secrets, webhook.OnReject(c.rejected))
		if err != nil {
			return nil, err
		}
		c.handler = h
		cfg.secrets = nil
	}
	return client, nil
}

// CallbackURL returns the URL given to [WithWebhook], or "".
func (c *Client) CallbackURL() string { return c.core.callbackURL() }

// budgetFailed tells the log, once for as long as it lasts.
func (c *core) budgetFailed(ctx context.Context, err error) {
	c.cfg.logger.WarnContext(ctx, "scriptix: the request budget fails, so no request is sent until it works again",
		slog.String("error", c.redact.Error(err).Error()))
}

// Budget returns how much of the key's request budget is used and left, without
// a request. Of a budget given to [WithBudget] it is what that has to say in a
// Snapshot method like [KeyBudget]'s, else zero.
func (c *Client) Budget() BudgetSnapshot {
	if b, ok := c.core.budget.(interface{ Snapshot() BudgetSnapshot }); ok {
		return b.Snapshot()
	}
	return BudgetSnapshot{}
}

// KeyBudget returns the client's in-process budget, so that its windows can be
// stored and restored; nil where [WithBudget] gave one of another kind.
func (c *Client) KeyBudget() *KeyBudget {
	b, _ := c.core.budget.(*KeyBudget)
	return b
}

// CloseIdleConnections closes connections that are kept for later calls, those
// of uploads included. The client can still be used.
func (c *Client) CloseIdleConnections() {
	for _, rt := range []http.RoundTripper{c.core.transport, c.core.chunks, c.core.submits} {
		if t, ok := rt.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// Deliver hands the client an event that was verified elsewhere, for
// example by a receiver service that put it on a queue. It runs the functions of
// [Client.OnEvent], then wakes whoever waits for the job; its error is that of
// the first function that failed. An event that [webhook.NewHandler] or
// [webhook.Verifier] did not verify must never get here.
func (c *Client) Deliver(ctx context.Context, e webhook.Event) error {
	job, ended, ok := endOf(e)
	if err := c.core.hooks.run(ctx, e); err != nil {
		c.core.observeCallback(ctx, e, observe.Failed, err)
		if ok {
			c.core.waits.Refused(job.ID)
		}
		return err
	}
	c.core.observeCallback(ctx, e, observe.Accepted, nil) // before the end that it brings
	if ok {
		c.core.waits.Callback(job, ended)
	}
	return nil
}

// Format prints the client in every verb without its key.
func (c Client) Format(f fmt.State, _ rune) { c.STT.print(f, "scriptix.Client") }

// Format prints the service in every verb without the client's key.
func (s STTService) Format(f fmt.State, _ rune) { s.print(f, "scriptix.STTService") }

func (s *STTService) print(w io.Writer, name string) {
	if s == nil || s.core == nil {
		_, _ = fmt.Fprintf(w, "%s{}", name)
		return
	}
	_, _ = fmt.Fprintf(w, "%s{%s://%s}", name, s.core.base.Scheme, s.core.base.Host)
}
