package scriptix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// call describes one API call. It is made, sent and forgotten.
type call struct {
	op     string
	jobID  string
	method string
	path   []string    // elements below apiPath, escaped one by one
	url    *url.URL    // instead of path: one that the service named
	header http.Header // beside the ones every call has
	class  Class
	limit  int64   // bytes of a 2xx's body that are read; 0: maxAnswer
	body   payload // nil: none
	billed bool    // a second one costs money: rule 1 of retry.go
	single bool    // one attempt, whatever comes
	chunk  bool    // of an upload that can go on from anywhere: sent unasked
	prompt bool    // no work follows the body: its answer is due like any byte
	permit Permit  // of the budget, if the caller has it already; for a single attempt
}

// payload is a request body that is opened afresh for each attempt, for the
// length of ctx.
type payload func(ctx context.Context) (*audio.Body, error)

// answer is a 2xx, read whole.
type answer struct {
	status     int
	header     http.Header
	body       []byte
	attempts   int
	sent, size int64 // of the audio, when there was one
}

// Bounds of what is read of an answer.
const (
	maxError  = 64 << 10
	maxAnswer = 1 << 20
	maxResult = 256 << 20
)

// do makes a call and decodes its answer as a T that passes check.
func do[T any](ctx context.Context, c *core, k call, check func(*T) error) (*T, error) {
	ans, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return decode(c, k, ans, check)
}

// decode reads an answer as a T. What is none, or does not pass check, is
// [ErrBadAnswer].
func decode[T any](c *core, k call, ans *answer, check func(*T) error) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(ans.body, v); err != nil {
		return nil, c.badAnswer(k, ans, err)
	}
	if err := check(v); err != nil {
		return nil, c.badAnswer(k, ans, err)
	}
	return v, nil
}

// send makes a call under the retry policy.
func (c *core) send(ctx context.Context, k call) (*answer, error) {
	x := &exchange{core: c, call: k, ctx: ctx}
	target, err := c.target(k)
	if err != nil {
		return nil, &Error{Op: k.op, JobID: k.jobID, Err: err}
	}
	return x.run(target)
}

// target is the call's URL. Elements are escaped one by one and never joined
// as text, so that an id cannot climb to another endpoint.
func (c *core) target(k call) (*url.URL, error) {
	if k.url != nil {
		return k.url, nil
	}
	escaped := strings.TrimRight(c.base.EscapedPath(), "/") + apiPath
	for _, element := range k.path {
		if element == "." || element == ".." {
			return nil, fmt.Errorf("%w: %q is no id", ErrInvalid, element)
		}
		escaped += "/" + url.PathEscape(element)
	}
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: plain, RawPath: escaped}, nil
}

// badAnswer is a 2xx that is no answer to the question.
func (c *core) badAnswer(k call, ans *answer, cause error) *Error {
	e := decodeError(ans.status, ans.header, nil, c.redact)
	e.Op, e.JobID, e.Attempts = k.op, k.jobID, ans.attempts
	e.Message = "the answer cannot be read"
	if syntax, ok := errors.AsType[*json.SyntaxError](cause); ok {
		// The offset helps; the text itself stays out.
		cause = fmt.Errorf("no valid JSON at byte %d of %d", syntax.Offset, len(ans.body))
	}
	e.Err = c.redact.Error(fmt.Errorf("%w: %w", ErrBadAnswer, cause))
	return e
}

// attempt is the transport of one call's attempts. Between the caller's
// transport and the retry policy it asks the budget, opens the body, and ends
// an attempt in which nothing moves.
//
// It has no CloseIdleConnections, so that a failed call leaves the connections
// of others alone.
type attempt struct{ x *exchange }

// RoundTrip sends one request.
func (a attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	x := a.x
	x.attempts++
	x.sent = nil
	permit := x.call.permit
	x.call.permit = nil // a redirect is another request
	if permit == nil {
		var err error
		permit, err = x.core.budget.Acquire(req.Context(), x.call.class)
		if permit == nil && err == nil {
			err = errors.New("the budget gave neither a permit nor an error")
		}
		if err != nil {
			x.attempts--
			return nil, err
		}
	}
	idle, answer := x.core.cfg.idleTimeout, x.core.cfg.answerTimeout
	if x.call.prompt {
		answer = idle
	}
	g := audio.NewWatchdog(req.Context(), idle, answer)
	resp, err := a.send(g, req)
	if err == nil {
		err = settle(resp)
	}
	if err != nil {
		if cause := g.Stalled(req.Context()); cause != nil {
			err = cause
		}
		g.End()
		permit.Done(RateInfo{Sent: x.call.body == nil || x.sent != nil})
		return nil, err
	}
	g.Moved()
	info := budget.ParseRateInfo(resp.Header, resp.StatusCode, time.Now())
	info.Sent = true
	resp.Body = &incoming{ReadCloser: resp.Body, guard: g, parent: req.Context(), permit: permit, info: info}
	return resp, nil
}

// settle makes an answer one that http.Client hands on as it came: a body that
// can be read to its end, and no Location that it would fail on.
func settle(resp *http.Response) error {
	if resp == nil {
		return errors.New("the RoundTripper returned neither an answer nor an error")
	}
	switch {
	case resp.Body == nil:
		resp.Body = http.NoBody
	case resp.StatusCode == http.StatusSwitchingProtocols:
		// This body is the connection, which ends with no context.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	if location := resp.Header.Get("Location"); location != "" {
		if _, err := url.Parse(location); err != nil {
			resp.Header.Del("Location")
		}
	}
	return nil
}

func (a attempt) send(g *audio.Watchdog, req *http.Request) (*http.Response, error) {
	x := a.x
	out := req.WithContext(g.Context())
	if !x.call.chunk { // what is set below is this attempt's alone
		out.Header = req.Header.Clone()
	}
	if x.call.body == nil {
		return x.core.transport.RoundTrip(out)
	}
	body, err := x.call.body(g.Context())
	if err != nil {
		x.attempts--
		return nil, err
	}
	x.sent = audio.NewOutgoing(body, g)
	out.Body, out.ContentLength = x.sent, body.Length
	if body.ContentType != "" {
		out.Header.Set("Content-Type", body.ContentType)
	}
	if x.asksFirst(body.Length) {
		out.Header.Set("Expect", "100-continue")
	}
	return x.core.uploads.RoundTrip(out)
}

// asksFirst reports whether a body waits for the service's word. A refusal then
// costs none of it, but every other upload a round trip, which a smaller body
// may take itself: those ask after they were refused once.
func (x *exchange) asksFirst(length int64) bool {
	least := int64(64 << 20)
	if x.attempts > 1 {
		least = 1 << 20
	}
	return length >= least && !x.noExpect && !x.call.chunk
}

// incoming is an answer's body. Closing it ends the attempt.
type incoming struct {
	io.ReadCloser
	guard  *audio.Watchdog
	parent context.Context //nolint:containedctx // lives as long as the attempt
	permit Permit
	info   RateInfo // what the answer teaches the budget
	once   sync.Once
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.guard.Moved()
	}
	if cause := b.guard.Stalled(b.parent); err != nil && cause != nil {
		err = cause
	}
	return n, err
}

func (b *incoming) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		b.guard.End()
		b.permit.Done(b.info)
	})
	return err
}
