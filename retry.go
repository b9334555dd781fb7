package scriptix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
	"github.com/scriptix-io/scriptix-go/internal/redact"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// RetryPolicy says how often and how patiently a call is repeated. The zero
// fields stand for the defaults in brackets.
//
// Submit is repeated only when a job cannot exist: the audio did not go out
// whole, or the service refused with a 429, or with a 503 of its own.
type RetryPolicy struct {
	MaxAttempts   int           // requests per call (5); 1 turns retries off
	MinWait       time.Duration // the shortest wait before the next (500 ms)
	MaxWait       time.Duration // the longest one that the client chooses (30 s)
	MaxRetryAfter time.Duration // the longest Retry-After worth sitting out (60 s); above it the call fails at once
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.MaxAttempts = cmp.Or(p.MaxAttempts, 5)
	p.MinWait = cmp.Or(p.MinWait, 500*time.Millisecond)
	p.MaxWait = cmp.Or(p.MaxWait, 30*time.Second)
	p.MaxRetryAfter = cmp.Or(p.MaxRetryAfter, time.Minute)
	return p
}

// exchange is one call on its way, with all of its attempts. Its methods are
// the hooks of a retryablehttp.Client made for this call alone, so they know
// the operation, the wire and the deadline.
type exchange struct {
	core   *core
	call   call
	header int             // of those the key may be in
	ctx    context.Context //nolint:containedctx // lives as long as the call

	attempts  int
	sent      *audio.Outgoing       // the last attempt's body
	conn      *transport.Connection // the last attempt's
	received  received              // the last attempt's answer
	last      verdict               // on the last attempt
	wait      time.Duration         // before the next one
	noExpect  bool                  // the service refused Expect: 100-continue
	restarted bool                  // at once, after a kept connection that was closing
}

// verdict is what one attempt came to.
type verdict struct {
	answer *answer // the success
	err    error   // the failure: an *Error or an *UnknownOutcomeError
	again  bool    // the request may go out once more
}

// run sends the call until it succeeds, is refused or may not be repeated.
func (x *exchange) run(target *url.URL) (*answer, error) {
	header := http.Header{
		"User-Agent": {x.core.userAgent}, "Accept": {"application/json"},
		"Accept-Encoding": {"identity"}, // without it any coding is permitted
	}
	if x.call.accept != "" {
		header.Set("Accept", x.call.accept)
	}
	x.core.dialect.learned.Put(header, x.header, x.core.key())
	maps.Copy(header, x.call.header)
	if x.call.chunk {
		return x.light(target, header)
	}
	policy := x.core.cfg.retry
	rc := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: attempt{x}, CheckRedirect: x.checkRedirect},
		RetryMax:     policy.MaxAttempts - 1,
		CheckRetry:   x.checkRetry,
		Backoff:      func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.wait },
		ErrorHandler: func(resp *http.Response, err error, _ int) (*http.Response, error) { return resp, err },
	}
	if x.call.single {
		rc.RetryMax = 1 // worthWaiting knows for what
	}
	// The body is no business of retryablehttp's: attempt opens it, so it is
	// opened once per attempt and net/http has no way to open it unseen.
	req, err := retryablehttp.NewRequestWithContext(x.ctx, x.call.method, target.String(), nil)
	if err != nil {
		return nil, x.fail(redact.StripURL(err))
	}
	req.GetBody = nil // made by retryablehttp, and net/http would send its empty body in place of ours
	req.Header = header
	_, err = rc.Do(req) //nolint:bodyclose // the attempt has read it
	return x.outcome(err)
}

// light is run for a chunk: one attempt and no redirect, without the retrying
// client, which would allocate 2 kB more than 8. That is garbage which the
// collector leaves alone in a process this small: an upload of 5 GiB would grow
// by 1.2 MiB instead of 0.9.
func (x *exchange) light(target *url.URL, header http.Header) (*answer, error) {
	req := &http.Request{Method: x.call.method, URL: target, Host: target.Host, Header: header}
	resp, err := attempt{x}.RoundTrip(req) //nolint:bodyclose // the attempt has read it
	_, err = x.checkRetry(x.ctx, resp, err)
	return x.outcome(err)
}

// outcome is what the caller gets to see: the last verdict. err is how the loop
// ended, which says more where it ended during a wait, or before any attempt.
func (x *exchange) outcome(err error) (*answer, error) {
	if x.last.answer == nil || !x.call.holds {
		x.received.place.Keep(0)
	}
	switch e, ok := x.last.err.(*Error); { //nolint:errorlint // an unknown outcome stays one
	case x.last.answer != nil:
		return x.last.answer, nil
	case x.last.err == nil:
		return nil, x.fail(redact.StripURL(err))
	case ok && x.last.again && x.ctx.Err() != nil:
		return nil, e.endedBy(ctxError(x.ctx))
	}
	return nil, x.last.err
}

// checkRetry decides whether another attempt is allowed, worth it, and in time.
func (x *exchange) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	v := x.judge(resp, err)
	if v.answer != nil {
		x.last = v
		x.log(slog.LevelDebug, "scriptix: attempt succeeded", v.answer.status)
		return false, nil // even when ctx ended meanwhile: a success is a success
	}
	v.again = v.again && x.worthWaiting(v.err)
	x.last = v
	x.logFailure(v)
	if v.again && x.call.repeat != nil {
		x.call.repeat(ctx, v.err)
	}
	return v.again, v.err
}

// judge finds what one attempt came to.
func (x *exchange) judge(resp *http.Response, err error) verdict {
	switch {
	case err != nil:
		return x.lost(redact.StripURL(err))
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return x.accepted(resp)
	}
	return x.refused(resp)
}

// lost judges an attempt that brought no answer.
func (x *exchange) lost(err error) verdict {
	if local := x.sent.LocalError(); local != nil {
		// net/http reports a failed read as if the network had failed.
		return verdict{err: x.fail(local)}
	}
	whole := x.whole()
	ended := x.ctx.Err() != nil
	if ended {
		cause := ctxError(x.ctx)
		if !errors.Is(cause, err) { // it says more
			cause = fmt.Errorf("%w (%w)", cause, err)
		}
		err = cause
	}
	e := x.fail(err)
	if x.call.billed && whole {
		return verdict{err: x.unknown(e)}
	}
	before, _ := x.last.err.(*Error) //nolint:errorlint // an unknown outcome is the last attempt
	if before != nil && (ended || errors.Is(err, ErrBudget)) {
		e = before.endedBy(e.Err)
		e.Attempts = x.attempts
	}
	return verdict{err: e, again: !ended && !permanent(err) && x.canReopen()}
}

// refused judges an answer that is no 2xx.
func (x *exchange) refused(resp *http.Response) verdict {
	body, whole := x.received.body.JSON(), x.received.whole
	e := decodeError(resp.StatusCode, resp.Header, body, x.core.redact)
	e.Op, e.JobID, e.Attempts = x.call.op, x.call.jobID, x.attempts
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = "a redirect, which is not followed; check the base URL"
	}
	repeatable := verdict{err: e, again: x.canReopen()}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests:
		return repeatable
	case s == http.StatusExpectationFailed && !whole && !x.noExpect:
		x.noExpect = true
		return repeatable
	case s == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "" && lenient.Refuse(body).Explains:
		return repeatable
	case s >= 500 || s == http.StatusRequestTimeout || s < 200:
		if x.call.billed && whole {
			return verdict{err: x.unknown(e)}
		}
		return repeatable
	}
	return verdict{err: e}
}

// accepted judges a 2xx, which is a success unless it cannot be read.
func (x *exchange) accepted(resp *http.Response) verdict {
	ans := &answer{status: resp.StatusCode, header: resp.Header, body: x.received.body.JSON(), raw: x.received.body.Raw, attempts: x.attempts, place: x.received.place}
	ans.sent, ans.size = x.sent.Sent()
	err := x.received.err
	if err == nil {
		return verdict{answer: ans}
	}
	e := x.core.badAnswer(x.call, ans, err)
	ended := x.ctx.Err() != nil
	if ended {
		e.Err = fmt.Errorf("%w (%w)", ctxError(x.ctx), e.Err)
	}
	if x.call.billed {
		return verdict{err: x.unknown(e)}
	}
	return verdict{err: e, again: !ended && !lenient.Final(err) && x.call.to == nil}
}

// whole ends the attempt's sending and reports whether all of the body may be at
// the service: it was handed over, and the kernel is not known to have refused
// the end of it.
func (x *exchange) whole() bool { return x.sent.Seal() && !x.conn.Refused() }

// canReopen reports whether the body can go out again: a Reader of which a byte
// was given away cannot.
func (x *exchange) canReopen() bool {
	return x.sent == nil || !x.sent.OneShot || !x.sent.Touched()
}

// worthWaiting chooses the wait before the next attempt, if there is to be one.
// A poll is one attempt, because its scheduler is the retry; a connection that
// was closing already is not the service's answer to it.
func (x *exchange) worthWaiting(err error) (ok bool) {
	stale := x.conn.Stale() && x.ctx.Err() == nil && !x.restarted
	switch {
	case x.call.single && !(stale && x.call.class == ClassPoll),
		!x.call.single && x.attempts >= x.core.cfg.retry.MaxAttempts:
		return false
	case stale:
		x.restarted, x.wait = true, 0
		return true
	}
	e, _ := errors.AsType[*Error](err)
	x.wait, ok = x.core.cfg.retry.next(x.ctx, x.attempts, e)
	return ok
}

// next chooses the wait after so many attempts, the last of which failed with
// e. When that would not fit the deadline, or the service asks for more
// patience than the policy has, failing now tells the caller more.
func (p RetryPolicy) next(ctx context.Context, attempts int, e *Error) (wait time.Duration, ok bool) {
	if e.RetryAfter > p.MaxRetryAfter {
		return 0, false
	}
	// Full jitter between the shortest wait and the doubled one. An attempt
	// that sent nothing, for example because the budget refused it, does not count.
	high := p.MaxWait
	if shift := max(attempts-1, 0); shift < 30 && p.MinWait<<shift < high && p.MinWait<<shift > 0 {
		high = p.MinWait << shift
	}
	wait = p.MinWait + min(rand.N(max(high-p.MinWait, 0)+p.MinWait/2+1), p.MaxWait-p.MinWait)
	if after := e.RetryAfter; after > 0 {
		wait = max(wait, after+rand.N(after/10+1))
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		e.Err = joinCause(e.Err, fmt.Errorf("the next attempt, in %v, would be past the deadline: %w", wait.Round(time.Millisecond), context.DeadlineExceeded))
		return 0, false
	}
	return wait, true
}

func (x *exchange) fail(cause error) *Error {
	return &Error{Op: x.call.op, JobID: x.call.jobID, Attempts: x.attempts, Err: x.core.redact.Error(cause)}
}

func (x *exchange) unknown(e *Error) *UnknownOutcomeError {
	sent, size := x.sent.Sent()
	return &UnknownOutcomeError{Sent: sent, Size: size, Err: e}
}

// checkRedirect follows a GET within the same origin. Anything else would hand
// the key or the audio to whoever the answer names, so the 3xx is returned.
func (x *exchange) checkRedirect(req *http.Request, via []*http.Request) error {
	from, to := via[0].URL, req.URL
	if x.call.method != http.MethodGet || len(via) >= 5 || from.Scheme != to.Scheme || !strings.EqualFold(from.Host, to.Host) {
		return http.ErrUseLastResponse
	}
	return nil
}

func (x *exchange) logFailure(v verdict) {
	e, _ := errors.AsType[*Error](v.err)
	x.log(slog.LevelDebug, "scriptix: attempt failed", e.StatusCode, slog.String("error", v.err.Error()), slog.String("request_id", e.RequestID))
	if v.again {
		x.log(slog.LevelInfo, "scriptix: trying again", e.StatusCode, slog.Duration("wait", x.wait), slog.String("request_id", e.RequestID))
	}
}

func (x *exchange) log(level slog.Level, msg string, status int, more ...slog.Attr) {
	if !x.core.cfg.logger.Enabled(x.ctx, level) {
		return
	}
	attrs := append([]slog.Attr{slog.String("op", x.call.op), slog.Int("attempt", x.attempts), slog.Int("status", status)}, more...)
	x.core.cfg.logger.LogAttrs(x.ctx, level, msg, attrs...) //nolint:sloglint // the callers give constants
}

// permanent reports whether the same request would fail the same way again.
func permanent(err error) bool {
	return errors.Is(err, ErrBudget) || errors.Is(err, ErrAudio) || transport.Permanent(err)
}

// ctxError is why ctx ended, the caller's cause included.
func ctxError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func joinCause(err, more error) error {
	if err == nil {
		return more
	}
	return fmt.Errorf("%w; %w", err, more)
}

// sleep waits, but not longer than ctx lasts; then the error also says what it
// was waiting to repeat.
func sleep(ctx context.Context, d time.Duration, e *Error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return e.endedBy(ctxError(ctx))
	}
}
