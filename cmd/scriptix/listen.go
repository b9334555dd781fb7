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
}

// Help says what listen answers.
func (*listenCmd) Help() string {
	return `Each callback whose signature fits is printed and answered with 200; what is refused is told on standard error. It speaks HTTP: for callbacks from outside put it behind a proxy that speaks HTTPS.

Examples:
  scriptix listen --addr 127.0.0.1:8090
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
	events := make(chan taken)
	enough, cancel := context.WithCancel(ctx)
	defer cancel()
	deliver := func(ctx context.Context, event webhook.Event) error {
		t := taken{event: event, printed: make(chan error, 1)}
		select {
		case events <- t:
			return <-t.printed
		case <-ctx.Done():
			return ctx.Err()
		case <-enough.Done():
			return enough.Err()
		}
	}
	handler, err := webhook.NewHandler(deliver, secrets.values, webhook.OnReject(func(r *http.Request, err error) {
		e.complain("refused a callback from %s: %s", r.RemoteAddr, explain(err))
	}))
	if err != nil {
		return usage("%s: %w", secrets.place, err)
	}
	r, err := listen(ctx, c.Addr)
	if err != nil {
		return usage("%s", strings.Replace(err.Error(), "--listen", "--addr", 1))
	}
	r.serve(handler)
	defer r.close() //nolint:contextcheck // callbacks that are being taken in may end
	e.note("listening at %s", r.url())
	for n := 1; ; n++ {
		select {
		case t := <-events:
			err := c.show(e, t.event)
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
	printed chan error
}

func (c *listenCmd) show(e *env, event webhook.Event) error {
	d := event.Data
	if c.JSON {
		return e.object(printedEvent{
			Event: string(event.Type), Timestamp: event.Timestamp, JobID: d.ID, Status: d.Status, DocumentID: d.DocumentID,
			Seconds: d.Duration.Seconds(), Language: d.Language, Error: d.Error, Target: event.Target,
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
	return e.printf("%s", oneLine(strings.Join(words, "  ")))
}
