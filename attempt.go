package scriptix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
)

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
	g := newGuard(req.Context(), x.core.cfg)
	if x.call.prompt {
		g.answer = g.idle
	}
	resp, err := a.send(g, req)
	if err == nil {
		err = settle(resp)
	}
	if err != nil {
		if cause := g.stalled(req.Context()); cause != nil {
			err = cause
		}
		g.end()
		permit.Done(RateInfo{Sent: x.call.body == nil || x.sent != nil})
		return nil, err
	}
	g.moved()
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

func (a attempt) send(g *guard, req *http.Request) (*http.Response, error) {
	x := a.x
	out := req.WithContext(g.ctx)
	if !x.call.chunk { // what is set below is this attempt's alone
		out.Header = req.Header.Clone()
	}
	if x.call.body == nil {
		return x.core.transport.RoundTrip(out)
	}
	body, err := x.call.body(g.ctx)
	if err != nil {
		x.attempts--
		return nil, err
	}
	x.sent = newOutgoing(body, g)
	out.Body, out.ContentLength = x.sent, body.length
	if body.contentType != "" {
		out.Header.Set("Content-Type", body.contentType)
	}
	if x.asksFirst(body.length) {
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

// guard ends an attempt in which nothing moves. Its context is the attempt's.
type guard struct {
	ctx    context.Context //nolint:containedctx // lives as long as the attempt
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
	answer time.Duration

	answering atomic.Bool // the body went out
}

func newGuard(parent context.Context, cfg *config) *guard {
	g := &guard{idle: cfg.idleTimeout, answer: cfg.answerTimeout}
	g.ctx, g.cancel = context.WithCancelCause(parent)
	g.timer = time.AfterFunc(g.idle, g.expire)
	return g
}

func (g *guard) expire() {
	if g.answering.Load() {
		g.cancel(fmt.Errorf("no answer within %v of the last byte", g.answer))
		return
	}
	g.cancel(fmt.Errorf("no byte moved for %v", g.idle))
}

// moved is called whenever bytes moved.
func (g *guard) moved() { g.timer.Reset(g.idle) }

// whole is called when the body went out: from now on the service works.
func (g *guard) whole() {
	g.answering.Store(true)
	g.timer.Reset(g.answer)
}

// stalled is why the guard ended the attempt, nil if it was not the guard.
func (g *guard) stalled(parent context.Context) (cause error) {
	if parent.Err() == nil {
		cause = context.Cause(g.ctx) //nolint:contextcheck // the attempt's own, made of the parent
	}
	return cause
}

func (g *guard) end() {
	g.timer.Stop()
	g.cancel(nil)
}

// incoming is an answer's body. Closing it ends the attempt.
type incoming struct {
	io.ReadCloser
	guard  *guard
	parent context.Context //nolint:containedctx // lives as long as the attempt
	permit Permit
	info   RateInfo // what the answer teaches the budget
	once   sync.Once
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.guard.moved()
	}
	if cause := b.guard.stalled(b.parent); err != nil && cause != nil {
		err = cause
	}
	return n, err
}

func (b *incoming) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		b.guard.end()
		b.permit.Done(b.info)
	})
	return err
}

// outgoing is the body of one attempt. It knows how much of itself was handed
// to the transport, on which hangs whether a job may exist.
type outgoing struct {
	*opened
	guard  *guard
	turn   chan struct{} // held by the one Read or Close under way
	closed bool

	mu       sync.Mutex
	n        int64
	audioN   int64 // of these, of the audio
	complete bool
	sealed   bool
	err      error // a local read's failure
}

var errSealed = errors.New("the attempt is over")

func newOutgoing(o *opened, g *guard) *outgoing {
	return &outgoing{opened: o, guard: g, turn: make(chan struct{}, 1)}
}

func (o *outgoing) Read(p []byte) (int, error) {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	n, err := o.opened.Read(p)
	sent, err := o.handOver(n, err)
	if sent < 0 {
		return 0, err
	}
	if o.progress != nil && n > 0 {
		o.progress(sent, o.audioSize)
	}
	return n, err
}

// handOver counts n bytes as handed to the transport, and returns how much of
// the audio was by then; -1 when the attempt is over and nothing goes out.
func (o *outgoing) handOver(n int, err error) (sent int64, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed {
		return -1, errSealed
	}
	o.n += int64(n)
	o.audioN = o.n
	if o.audioRead != nil {
		o.audioN = o.audioRead()
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		if cause := context.Cause(o.guard.ctx); cause != nil {
			return -1, cause // the attempt's end, not the audio's fault
		}
		o.err = err
	case err != nil || o.n == o.length:
		if !o.complete {
			o.complete = true
			o.guard.whole()
		}
	default:
		o.guard.moved()
	}
	return o.audioN, err
}

func (o *outgoing) Close() error {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	o.seal()
	if o.closed || o.close == nil {
		return nil
	}
	o.closed = true
	return o.close()
}

// seal ends the attempt's sending and reports whether all of the body had been
// handed over. From then on no byte is: what it reports stays true.
func (o *outgoing) seal() (whole bool) {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = true
	return o.complete
}

func (o *outgoing) localError() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outgoing) touched() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.audioN > 0
}

// audio returns how much of the audio was handed over.
func (o *outgoing) audio() (sent, size int64) {
	if o == nil {
		return 0, 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.audioN, o.audioSize
}
