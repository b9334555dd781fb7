package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

type triggerCmd struct {
	URL        string        `arg:"" name:"url" help:"URL of the receiver."`
	Event      string        `enum:",completed,failed,unknown,unsigned,forged,repeated,malformed" default:"" placeholder:"EVENT" help:"What to send: completed, failed, unknown, unsigned, forged, repeated or malformed."`
	All        bool          `help:"Send each of them, one that is too large, and one signed with each secret, and check the answers."`
	SecretFile string        `name:"secret-file" placeholder:"FILE" help:"File that holds the webhook secret, instead of $$SCRIPTIX_WEBHOOK_SECRET; one a line while they are rotated."`
	Job        string        `placeholder:"ID" help:"Id of the job that the events are about (one that no service gives)."`
	Timeout    time.Duration `default:"10s" placeholder:"DURATION" help:"How long the receiver may take for an answer (${default})."`
}

// Help says what a receiver has to answer.
func (*triggerCmd) Help() string {
	return `A receiver answers an authentic callback with 200 within 10 seconds, also one that it knows already or of an event that it does not know; an unsigned or forged one with 401, and with 400 what is signed but no event. It reads no more than it needs: a service sends a few hundred bytes.
A line says ok or FAIL for each case, and the exit code is 1 when one fails. The receiver takes the events for real. At most 20 requests are sent, all to the URL: redirects are not followed.

Examples:
  scriptix trigger http://127.0.0.1:8090/hook --event completed
  scriptix trigger https://jobs.example.com/scriptix --all`
}

// Run sends callbacks and checks how they are answered.
func (c *triggerCmd) Run(ctx context.Context, e *env) error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usage("%s: want the http or https URL of a receiver", oneLine(c.URL))
	case c.All == (c.Event != ""):
		return usage("want either --event or --all; see scriptix trigger --help")
	case c.Timeout <= 0:
		return usage("--timeout %v: want more than nothing", c.Timeout)
	}
	secrets, err := e.webhookSecrets(c.SecretFile)
	if err != nil {
		return err
	}
	if _, err := webhook.NewVerifier(secrets.values...); err != nil {
		return usage("%s: %w", secrets.place, err)
	}
	job := c.Job
	if job == "" {
		job = "stt_trigger_" + randomHex()[:12]
	}
	failed := false
	for _, one := range trials(job, secrets.values) {
		if !c.All && one.name != c.Event {
			continue
		}
		ok, err := c.try(ctx, e, one)
		if err != nil {
			return err
		}
		failed = failed || !ok
	}
	if c.All && len(secrets.values) < 2 {
		e.note("rotation was not tried, because there is one secret; a file with one a line tries each")
	}
	if failed {
		return errTold
	}
	return nil
}

// try sends what belongs to one case, and prints what came of it.
func (c *triggerCmd) try(ctx context.Context, e *env, one trial) (ok bool, err error) {
	var last trialAnswer
	for _, sent := range one.posts {
		last = c.post(ctx, sent)
		if ctx.Err() != nil {
			return false, interrupted("interrupted")
		}
		if !one.fits(last) {
			return false, e.printf("FAIL  %-9s  %s, want %s: %s", one.name, last.words(c.Timeout), one.want, sent.fault)
		}
	}
	return true, e.printf("ok    %-9s  %s", one.name, last.words(c.Timeout))
}

// trialAnswer is what a receiver answered.
type trialAnswer struct {
	status int // 0: nothing
	took   time.Duration
	err    error
}

// accepted reports whether the sender takes the callback for delivered.
func (r trialAnswer) accepted() bool { return r.status == http.StatusOK }

// cut reports whether the receiver ended the connection without an answer.
func (r trialAnswer) cut() bool {
	dial, isDial := errors.AsType[*net.OpError](r.err)
	return r.err != nil && !errors.Is(r.err, context.DeadlineExceeded) && !(isDial && dial.Op == "dial")
}

func (r trialAnswer) words(timeout time.Duration) string {
	switch {
	case errors.Is(r.err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v", timeout)
	case r.err != nil:
		return "no answer (" + oneLine(network(r.err.Error())) + ")"
	case r.status >= 300 && r.status < 400:
		return fmt.Sprintf("%d, a redirect", r.status)
	}
	return fmt.Sprintf("%d in %v", r.status, r.took.Round(time.Millisecond))
}

// post sends one callback as the service does: to the URL itself, and nowhere else.
func (c *triggerCmd) post(ctx context.Context, sent callbackPost) trialAnswer {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := newCallback(ctx, c.URL, sent.body, sent.signature)
	if err != nil {
		return trialAnswer{err: err}
	}
	start := time.Now()
	resp, err := directly().Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL may hold a token
		}
		return trialAnswer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()                      // nothing of it is wanted
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // nor does its end matter
	return trialAnswer{status: resp.StatusCode, took: time.Since(start)}
}
