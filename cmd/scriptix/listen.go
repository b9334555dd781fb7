package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

type listenCmd struct {
	Addr       string `default:"127.0.0.1:8090" placeholder:"ADDR" help:"Address to listen at (${default})."`
	SecretFile string `name:"secret-file" placeholder:"FILE" help:"File that holds the webhook secret, instead of $$SCRIPTIX_WEBHOOK_SECRET; one a line while they are rotated."`
	ForwardTo  string `name:"forward-to" placeholder:"URL" help:"Pass verified callbacks on to a receiver, as they came, and show its answer."`
	Count      int    `placeholder:"N" help:"End after so many events."`
	JSON       bool   `help:"Print one JSON object per event."`
}

type printedEvent struct {
	Event      string    `json:"event"`
	Timestamp  time.Time `json:"timestamp,omitzero"`
	JobID      string    `json:"job_id,omitempty"`
	Status     string    `json:"status,omitempty"`
	DocumentID string    `json:"document_id,omitempty"`
	Seconds    float64   `json:"duration_seconds,omitempty"`
	Language   string    `json:"language,omitempty"`
	Error      string    `json:"error,omitempty"`
	Target     string    `json:"target"`

	Forwarded *forwardedJSON `json:"forwarded,omitempty"`
}

// Help says what listen answers.
func (*listenCmd) Help() string {
	return `Each callback whose signature fits is printed and answered with 200; what is refused is told on standard error. It speaks HTTP: for callbacks from outside put it behind a proxy that speaks HTTPS.
With --forward-to each of them is posted to a receiver that you work on, with its bytes, its signature and the query of its URL unchanged. What the receiver answers with 200 is answered with 200; after anything else, or none within 9 seconds, the service gets a 503 and sends the callback again, after 1, 5 and 15 minutes, as it would without this program in between. What is refused is not passed on. Redirects are not followed.

Examples:
  scriptix listen --addr 127.0.0.1:8090
  scriptix listen --forward-to http://127.0.0.1:3000/hook
  scriptix listen --count 1 --json`
}

// Run prints events until it is interrupted, which is its usual end.
func (c *listenCmd) Run(ctx context.Context, e *env) error {
	if c.Count < 0 {
		return usage("--count %d: is negative", c.Count)
	}
	secrets, err := e.webhookSecrets(c.SecretFile)
	if err != nil {
		return err
	}
	forward, err := newForwarder(c.ForwardTo)
	if err != nil {
		return err
	}
	events := make(chan taken)
	enough, cancel := context.WithCancel(ctx)
	defer cancel()
	handler, err := webhook.NewHandler(deliverTo(events, enough.Done(), forward), secrets.values, webhook.OnReject(func(r *http.Request, err error) {
		if !errors.Is(err, errNotTaken) { // which was shown
			e.complain("refused a callback from %s: %s", r.RemoteAddr, explain(err))
		}
	}))
	if err != nil {
		return usage("%s: %w", secrets.place, err)
	}
	r, err := listen(ctx, c.Addr)
	if err != nil {
		return usage("%s", strings.Replace(err.Error(), "--listen", "--addr", 1))
	}
	if forward != nil && forward.leadsTo(r.listener.Addr()) {
		r.close() //nolint:contextcheck // nothing was taken in
		return usage("--forward-to: leads back to --addr %s", c.Addr)
	}
	r.serve(keeping(handler))
	defer r.close() //nolint:contextcheck // callbacks that are being taken in may end
	e.note("listening at %s", r.url())
	for n := 1; ; n++ {
		select {
		case t := <-events:
			err := c.show(e, t)
			t.printed <- err
			if err != nil || n == c.Count {
				cancel()
				return err
			}
		case err := <-r.failed:
			return err
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return nil
		}
	}
}

// taken is an event that waits to be printed: it is acknowledged only then.
type taken struct {
	event   webhook.Event
	passed  *forwarded // nil if it was passed on to nobody
	printed chan error
}

// deliverTo hands each event over to be printed, after it was passed on. Several
// are passed on at once, so a receiver that is slow does not hold up the others.
func deliverTo(events chan<- taken, enough <-chan struct{}, forward *forwarder) func(context.Context, webhook.Event) error {
	return func(ctx context.Context, event webhook.Event) error {
		t := taken{event: event, printed: make(chan error, 1)}
		if forward != nil {
			t.passed = forward.pass(ctx, event)
		}
		select {
		case events <- t:
			err := <-t.printed
			if err == nil && t.passed != nil && !t.passed.accepted() {
				return errNotTaken
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-enough:
			return context.Canceled
		}
	}
}

func (c *listenCmd) show(e *env, t taken) error {
	event, d := t.event, t.event.Data
	if c.JSON {
		return e.object(printedEvent{
			Event: string(event.Type), Timestamp: event.Timestamp, JobID: d.ID, Status: d.Status, DocumentID: d.DocumentID,
			Seconds: d.Duration.Seconds(), Language: d.Language, Error: d.Error, Target: event.Target, Forwarded: t.passed.json(),
		})
	}
	words := []string{string(event.Type), d.ID, d.Status}
	if !event.Timestamp.IsZero() {
		words = append([]string{event.Timestamp.Format(time.RFC3339)}, words...)
	}
	if d.DocumentID != "" {
		words = append(words, "document "+d.DocumentID)
	}
	if d.Error != "" {
		words = append(words, d.Error)
	}
	if t.passed != nil {
		words = append(words, t.passed.words())
	}
	return e.printf("%s", oneLine(strings.Join(words, "  ")))
}
