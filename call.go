package scriptix

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// call describes one API call. It is made, sent and forgotten.
type call struct {
	op     string
	jobID  string
	method string
	path   []string // elements below apiPath, escaped one by one
	query  url.Values
	url    *url.URL    // instead of path: one that the service named
	header http.Header // beside the ones every call has
	accept string      // of the answer; "": JSON
	class  Class
	limit  int64         // bytes of a 2xx's body that are read; 0: maxAnswer
	body   payload       // nil: none
	billed bool          // a second one costs money: rule 1 of retry.go
	alone  bool          // on a connection of its own, as what is billed is
	single bool          // one attempt, whatever comes
	lax    bool          // the key may stand in any header, so that a success teaches nothing
	to     sink          // takes a 2xx's body as it comes, in place of the answer; such a call is repeated only before that
	chunk  bool          // of a resumable upload, of which there may be hundreds: see light
	bare   bool          // what its answer says stands in the header
	works  bool          // the service works before it answers: WithAnswerTimeout
	total  time.Duration // the longest an attempt may take; 0: as long as bytes move
	holds  bool          // the caller lets go of a large answer itself
	permit Permit        // of the budget, if the caller has it already; for a single attempt

	repeat func(ctx context.Context, err error) // called before the wait for another attempt; nil: nobody asks
}

// payload is a request body that is opened afresh for each attempt, for the
// length of ctx.
type payload func(ctx context.Context) (*audio.Body, error)

// sink takes the body of an answer.
type sink func(header http.Header, body io.Reader) error

// answer is a 2xx, read whole.
type answer struct {
	status     int
	header     http.Header
	body       []byte // the JSON in it
	raw        []byte // as it came
	attempts   int
	sent, size int64          // of the audio, when there was one
	place      *lenient.Place // what it takes of the gate of large answers
}

// Bounds of what is read of an answer.
const (
	maxError  = 64 << 10
	maxAnswer = 1 << 20
	maxResult = 256 << 20
	maxAtHand = 512 << 20 // of large answers that are read or decoded at once
)

// pollTotal bounds one attempt to ask for a status, on which others wait.
const pollTotal = 2 * time.Minute

// exchange makes a call under the retry policy, the key in the header of that
// number.
func (c *core) exchange(ctx context.Context, header int, k call) (*answer, error) {
	x := &exchange{core: c, call: k, ctx: ctx, header: header}
	target, err := c.target(k)
	if err != nil {
		return nil, &Error{Op: k.op, JobID: k.jobID, Err: err}
	}
	return x.run(target) //nolint:contextcheck // the exchange holds it
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
	return &url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: plain, RawPath: escaped, RawQuery: k.query.Encode()}, nil
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
	e.raw = func() []byte { return ans.raw }
	return e
}

// attempt is the transport of one call's attempts. Between the caller's
// transport and the retry policy it asks the budget, opens the body, reads the
// answer whole, and ends an attempt in which nothing moves.
//
// It has no CloseIdleConnections, so that a failed call leaves the connections
// of others alone.
type attempt struct{ x *exchange }

// RoundTrip sends one request. The body of its answer is in the exchange.
func (a attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	x := a.x
	x.attempts++
	x.received.place.Keep(0)
	x.sent, x.received = nil, received{}
	permit, err := a.permit(x.ctx)
	if err != nil {
		x.attempts--
		return nil, err
	}
	var info RateInfo // what the attempt teaches the budget
	returned := false
	defer func() {
		if !returned || x.received.whole { // a RoundTripper that panicked closes nothing
			x.sent.Release()
		}
		if info.StatusCode == 0 {
			info.Sent = x.call.body == nil || x.sent != nil
		}
		permit.Done(info)
		x.sent.Rethrow()
	}()
	watchdog := audio.NewWatchdog(x.ctx, x.patience(), x.call.body != nil)
	defer watchdog.End()
	resp, err := a.send(watchdog, req)
	returned = true
	if err == nil {
		err = transport.Settle(resp)
	}
	if err != nil {
		if cause := watchdog.Stalled(x.ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	watchdog.Moved()
	now := time.Now()
	x.received = a.read(watchdog, resp)
	info = budget.ParseRateInfo(resp.Header, resp.StatusCode, now)
	info.Sent = true
	if info.RetryAfter == 0 && resp.StatusCode >= 300 {
		info.RetryAfter = lenient.Refuse(x.received.body.JSON()).RetryAfter
	}
	resp.Body = http.NoBody
	return resp, nil
}

// patience is how long an attempt of the call may take.
func (x *exchange) patience() audio.Patience {
	cfg := x.core.cfg
	p := audio.Patience{Idle: cfg.idleTimeout, Answer: cfg.idleTimeout, Total: x.call.total}
	if x.call.works {
		p.Answer = cfg.answerTimeout
	}
	return p
}

// permit is the budget's word that one request may go out.
func (a attempt) permit(ctx context.Context) (Permit, error) {
	x := a.x
	if permit := x.call.permit; permit != nil {
		x.call.permit = nil // a redirect is another request
		return permit, nil
	}
	return x.core.breaker.Acquire(ctx, x.call.class)
}

// send hands the request, with a body opened for this attempt, to the transport.
func (a attempt) send(watchdog *audio.Watchdog, req *http.Request) (*http.Response, error) {
	x := a.x
	ctx := watchdog.Context()
	if !x.call.chunk || x.call.works {
		ctx, x.conn = transport.Trace(ctx, watchdog.Moved)
	}
	out := req.WithContext(ctx)
	if !x.call.chunk { // what is set below is this attempt's alone
		out.Header = req.Header.Clone()
	}
	if x.call.body == nil {
		if x.call.alone {
			return x.core.submits.RoundTrip(out)
		}
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			out.Body = transport.NoBody
		}
		return x.core.transport.RoundTrip(out)
	}
	body, err := x.call.body(watchdog.Context())
	if err != nil {
		x.attempts--
		return nil, err
	}
	x.sent = audio.NewOutgoing(body, watchdog)
	out.Body, out.ContentLength = x.sent, body.Length
	if body.ContentType != "" {
		out.Header.Set("Content-Type", body.ContentType)
	}
	if body.Length >= largeBody && !x.noExpect && !x.call.chunk {
		out.Header.Set("Expect", "100-continue")
	}
	if x.call.billed {
		return x.core.submits.RoundTrip(out)
	}
	return x.core.chunks.RoundTrip(out)
}

// largeBody is the length from which on a body is sent with Expect:
// 100-continue, so that a rejected upload transfers nothing. It costs a round
// trip, so smaller bodies skip it.
const largeBody = 64 << 20

// received is the body of an answer.
type received struct {
	body  lenient.Body
	err   error          // why it is not whole
	whole bool           // all of the request's body had gone out by then
	place *lenient.Place // what it takes of the gate of large answers
}

// read reads an answer's body, as far as its status makes that worthwhile, and
// ends the attempt's sending.
func (a attempt) read(watchdog *audio.Watchdog, resp *http.Response) (r received) {
	x := a.x
	accepted := resp.StatusCode >= 200 && resp.StatusCode < 300
	if accepted && x.call.bare {
		watchdog.Hurry(lastWords)
	}
	switch {
	case x.call.method == http.MethodHead || resp.Body == http.NoBody:
	case accepted && x.call.to != nil:
		r.err = x.call.to(resp.Header, audio.NewIncoming(x.ctx, resp.Body, watchdog))
	default:
		r = a.readBody(watchdog, resp, accepted)
	}
	if !accepted || x.call.bare {
		r.err = nil // half a refusal is one
	}
	r.place.Keep(int64(len(r.body.Raw)))
	r.whole = x.whole()
	_ = resp.Body.Close()
	return r
}

func (a attempt) readBody(watchdog *audio.Watchdog, resp *http.Response, accepted bool) (r received) {
	x := a.x
	how := lenient.Reading{Header: resp.Header, Length: resp.ContentLength, Limit: maxError, Complete: func() { watchdog.Hurry(lastWords) }}
	how.Large = func(size int64) (err error) {
		defer watchdog.Pause()() // the service is not to blame for this wait
		r.place, err = x.core.atHand.Enter(x.ctx, size)
		return err
	}
	if accepted {
		how.Limit = cmp.Or(x.call.limit, maxAnswer)
		how.Room = func(size int64) error { return lenient.Room(x.ctx, size) }
	}
	r.body, r.err = lenient.Read(audio.NewIncoming(x.ctx, resp.Body, watchdog), how)
	return r
}

// lastWords is how long an answer may go on once its JSON object is complete,
// which nothing that follows can change.
const lastWords = time.Second
