package scriptix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/hint"
	"github.com/scriptix-io/scriptix-go/internal/watch"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// WebhookHandler returns the handler that receives callbacks: it verifies each
// one, hands it to [Client.Deliver] and answers as [webhook.Handler] does. It
// answers 404 unless [WithWebhook] was given. It never returns nil.
func (c *Client) WebhookHandler() http.Handler {
	if c == nil || c.core == nil || c.core.handler == nil {
		return http.NotFoundHandler()
	}
	return c.core.handler
}

// HintHandler returns a handler for the unsigned callbacks of the session
// dialect, to be mounted at the URL of [WithWebhook] and everything below it.
//
// Such a callback proves nothing, so it is a hint and no more: it has a job that
// somebody waits for polled now instead of later, within the budget and at most
// every 30 seconds per job. It never ends a job and never reaches
// [Client.OnEvent], [Client.Deliver] or a ledger. A hint needs one of the secrets
// of WithWebhook, in the header that a submit asked the service to send or as the
// path's last element, where a submit puts it too; the answer is 401 without.
//
// The error says that there is no secret, which [WithWebhook] gives, or one of
// fewer than 16 bytes.
func (c *Client) HintHandler() (http.Handler, error) {
	if c == nil || c.core == nil {
		return nil, errors.New("scriptix: HintHandler: the client was not made by New")
	}
	var secrets []string
	for _, secret := range c.core.secrets {
		secrets = append(secrets, secret())
	}
	h, err := hint.NewHandler(func(_ context.Context, jobID string) error { c.core.waits.Hint(jobID); return nil }, secrets)
	if err != nil {
		return nil, fmt.Errorf("scriptix: HintHandler: %w", err)
	}
	return h, nil
}

// OnEvent has fn called with each verified event before any waiter hears of
// it. When fn fails the sender gets a 503 and tries again, so fn is the place
// to make an event durable. Functions run one after the other in the order they
// were added, several events at once. Stop removes fn. A nil fn does nothing.
func (c *Client) OnEvent(fn func(context.Context, webhook.Event) error) (stop func()) {
	if fn == nil {
		return func() {}
	}
	return c.core.hooks.add(fn)
}

// hooks are the functions of OnEvent, each told from the others by its address.
type hooks struct {
	mu   sync.Mutex
	list []*hook
}

type hook = func(context.Context, webhook.Event) error

func (h *hooks) add(fn hook) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(slices.Clip(h.list), &fn)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = slices.DeleteFunc(slices.Clone(h.list), func(x *hook) bool { return x == &fn })
	}
}

func (h *hooks) run(ctx context.Context, e webhook.Event) error {
	h.mu.Lock()
	list := h.list
	h.mu.Unlock()
	for _, x := range list {
		if err := (*x)(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// endOf translates an event, once: the job that it says has ended, and when. It
// is false for events that tell of no end.
func endOf(e webhook.Event) (job watch.Job, ended time.Time, ok bool) {
	j := Job{
		ID: e.Data.ID, Status: Status(e.Data.Status), Progress: 100, DocumentID: e.Data.DocumentID,
		Language: e.Data.Language, Duration: e.Data.Duration, Source: SourceWebhook, Raw: e.Raw,
	}
	said := j.Status.Terminal() && !j.Status.Succeeded()
	switch {
	case j.ID == "", e.Type != webhook.TranscriptionCompleted && e.Type != webhook.TranscriptionFailed:
		return watch.Job{}, time.Time{}, false
	case e.Type == webhook.TranscriptionFailed && !said:
		j.Status = StatusFailed
	case !said && !j.Status.Succeeded():
		j.Status = StatusCompleted
	}
	return toWatch(j), e.Timestamp, true
}
