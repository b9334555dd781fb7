package audio

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Watchdog ends an attempt in which nothing moves. Its context is the attempt's.
type Watchdog struct {
	ctx    context.Context //nolint:containedctx // lives as long as the attempt
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
	answer time.Duration

	answering atomic.Bool // the body went out
}

// NewWatchdog starts the watch over one attempt. idle is how long nothing may move, answer how long the answer may take
// once the body went out.
func NewWatchdog(parent context.Context, idle, answer time.Duration) *Watchdog {
	g := &Watchdog{idle: idle, answer: answer}
	g.ctx, g.cancel = context.WithCancelCause(parent)
	g.timer = time.AfterFunc(g.idle, g.expire)
	return g
}

// Context is the attempt's.
func (g *Watchdog) Context() context.Context { return g.ctx }

func (g *Watchdog) expire() {
	if g.answering.Load() {
		g.cancel(fmt.Errorf("no answer within %v of the last byte", g.answer))
		return
	}
	g.cancel(fmt.Errorf("no byte moved for %v", g.idle))
}

// Moved is called whenever bytes moved.
func (g *Watchdog) Moved() { g.timer.Reset(g.idle) }

// Whole is called when the body went out: from now on the service works.
func (g *Watchdog) Whole() {
	g.answering.Store(true)
	g.timer.Reset(g.answer)
}

// Stalled is why the watchdog ended the attempt, nil if it was not the watchdog.
func (g *Watchdog) Stalled(parent context.Context) (cause error) {
	if parent.Err() == nil {
		cause = context.Cause(g.ctx) //nolint:contextcheck // the attempt's own, made of the parent
	}
	return cause
}

// End ends the attempt's context.
func (g *Watchdog) End() {
	g.timer.Stop()
	g.cancel(nil)
}
