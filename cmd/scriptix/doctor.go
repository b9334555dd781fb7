package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

type doctorCmd struct {
	service
	WebhookURL string        `name:"webhook-url" env:"SCRIPTIX_WEBHOOK_URL" placeholder:"URL" help:"Callback URL to check."`
	SecretFile string        `name:"secret-file" placeholder:"FILE" help:"File that holds the webhook secret, instead of $$SCRIPTIX_WEBHOOK_SECRET."`
	Timeout    time.Duration `default:"20s" placeholder:"DURATION" help:"Longest wait for an answer (${default})."`
	JSON       bool          `help:"Print one JSON object per check."`
}

// A check has one of these verdicts; a warning does not fail the command.
const (
	ok      = "ok"
	warning = "warn"
	failing = "FAIL"
)

type check struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	Cost    string `json:"cost"`
}

const free = "no request"

// Help says what the checks cost.
func (*doctorCmd) Help() string {
	return `It costs at most six requests of the key's budget, and two to your own receiver when a callback URL is given. No job is made.

Examples:
  scriptix doctor
  scriptix doctor --plan silver --webhook-url https://jobs.example.com/scriptix`
}

// Run makes all checks that can be made, and fails if one of them did.
func (c *doctorCmd) Run(ctx context.Context, e *env) error {
	d := diagnosis{env: e, json: c.JSON}
	if c.Timeout <= 0 {
		return usage("--timeout %v: is not positive", c.Timeout)
	}
	c.checkService(ctx, e, &d)
	if c.WebhookURL != "" {
		c.checkCallback(ctx, e, &d)
	}
	switch {
	case ctx.Err() != nil:
		return interrupted("interrupted; run scriptix doctor again")
	case d.err != nil:
		return d.err
	case d.failed > 0:
		return fmt.Errorf("%d of %d checks failed", d.failed, d.made)
	}
	return nil
}

// diagnosis prints checks as they are made.
type diagnosis struct {
	env          *env
	json         bool
	made, failed int
	err          error
}

func (d *diagnosis) tell(name, verdict, cost, format string, args ...any) {
	c := check{Check: name, Verdict: verdict, Text: oneLine(fmt.Sprintf(format, args...)), Cost: cost}
	d.made++
	if verdict == failing {
		d.failed++
	}
	var err error
	if d.json {
		err = d.env.object(c)
	} else {
		err = d.env.printf("%-4s  %-8s  %s (%s)", c.Verdict, c.Check, c.Text, c.Cost)
	}
	d.err = errors.Join(d.err, err)
}

// checkService asks for the status of a job that cannot exist: 404 proves that
// the key is good. Up to five more requests tell which API the server speaks.
func (c *doctorCmd) checkService(ctx context.Context, e *env, d *diagnosis) {
	key, err := e.apiKey(c.KeyFile)
	if err != nil {
		d.tell("key", failing, free, "%s", explain(err))
		return
	}
	seen := &lastAnswer{next: http.DefaultTransport}
	usual := c.service
	usual.Dialect = "" // whatever is asked for: the other paths are asked below
	client, err := usual.client(e, scriptix.WithHTTPClient(&http.Client{Transport: seen}), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		d.tell("key", failing, free, "%s", explain(err))
		return
	}
	d.tell("key", ok, free, "found in %s, %d characters", key.place, len(key.values[0]))
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	made := "doctor-" + randomHex()
	_, err = client.STT.Status(ctx, made)
	const cost = "1 request of the key's budget"
	if seen.header == nil {
		d.tell("network", failing, free, "%s", explain(errors.Join(seen.err, err)))
		return
	}
	d.tell("network", ok, cost, "%s answered %d after %v", c.BaseURL, seen.status, seen.took.Round(time.Millisecond))
	const paid = "same request"
	var found spoken
	if !errors.Is(err, scriptix.ErrRateLimited) {
		r := newRoutes(c.BaseURL, key.values[0], made)
		found = r.dialect(ctx, r.firstReply(seen))
	}
	switch {
	case found.refused:
		d.tell("valid", failing, paid, "the service refuses the key; make a new one in the account, and look for a blank or a missing character")
	case errors.Is(err, scriptix.ErrUnauthorized) && found.accepted:
		d.tell("valid", ok, "the requests for dialect", "the service accepts the key, in the header %s", found.header)
	case errors.Is(err, scriptix.ErrNotFound):
		d.tell("valid", ok, paid, "the service accepts the key")
	case errors.Is(err, scriptix.ErrUnauthorized):
		d.tell("valid", failing, paid, "the service refuses the key; make a new one in the account, and look for a blank or a missing character")
	case errors.Is(err, scriptix.ErrRateLimited):
		d.tell("valid", warning, paid, "the key's budget is used up for now, so nothing was said of the key; try again later")
	case err == nil:
		d.tell("valid", warning, paid, "the service knows a job that was made up here; is this the right address?")
	default:
		d.tell("valid", failing, paid, "%s", explain(err))
	}
	clock(d, seen, paid)
	limits(d, seen, paid, c.Plan)
	if found.verdict != "" {
		d.tell("dialect", found.verdict, fmt.Sprintf("%d requests of the key's budget", found.requests), "%s", found.text)
	}
}

// clock compares the service's time with ours: signatures do not need it, but
// windows and waits do.
func clock(d *diagnosis, seen *lastAnswer, cost string) {
	date, err := http.ParseTime(seen.header.Get("Date"))
	if err != nil {
		d.tell("clock", warning, cost, "the answer has no date to compare with")
		return
	}
	// The header counts whole seconds, and the answer was under way.
	skew := seen.at.Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
	switch {
	case skew.Abs() <= 5*time.Second:
		d.tell("clock", ok, cost, "within %v of the service's", max(skew.Abs(), time.Second))
	case skew.Abs() <= time.Minute:
		d.tell("clock", warning, cost, "%v; set it by NTP", ahead(skew))
	default:
		d.tell("clock", failing, cost, "%v; set it by NTP", ahead(skew))
	}
}

func ahead(skew time.Duration) string {
	if skew > 0 {
		return fmt.Sprintf("%v ahead of the service's", skew)
	}
	return fmt.Sprintf("%v behind the service's", -skew)
}

// limits tells what the headers say of the key's budget.
func limits(d *diagnosis, seen *lastAnswer, cost, plan string) {
	limit, errLimit := strconv.Atoi(seen.header.Get("X-RateLimit-Limit"))
	left, errLeft := strconv.Atoi(seen.header.Get("X-RateLimit-Remaining"))
	if errLimit != nil || errLeft != nil {
		d.tell("limits", ok, cost, "the service does not tell them; name the plan with --plan")
		return
	}
	text := fmt.Sprintf("%d of %d requests left", left, limit)
	if reset, err := strconv.ParseInt(seen.header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		text += " until " + time.Unix(reset, 0).UTC().Format(time.RFC3339)
	}
	want, named := plans[plan]
	if plan != "" && named && limit < want.PerMinute {
		d.tell("limits", warning, cost, "%s, which is less than the plan %s allows in a minute; is it the right plan?", text, plan)
		return
	}
	d.tell("limits", ok, cost, "%s", text)
}

// lastAnswer is a transport that keeps what the client does not hand out.
type lastAnswer struct {
	next   http.RoundTripper
	status int
	header http.Header
	at     time.Time
	took   time.Duration
	body   []byte
	err    error
}

func (l *lastAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	started := time.Now()
	resp, err := l.next.RoundTrip(r)
	l.at, l.err = time.Now(), err
	l.took = l.at.Sub(started)
	if err == nil {
		l.status, l.header = resp.StatusCode, resp.Header
		l.body, _ = io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // the rest tells nothing
		resp.Body = &kept{Reader: io.MultiReader(bytes.NewReader(l.body), resp.Body), Closer: resp.Body}
	}
	return resp, err
}

// kept is a body of which the beginning was read already.
type kept struct {
	io.Reader
	io.Closer
}

func randomHex() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
