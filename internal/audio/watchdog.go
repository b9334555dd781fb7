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
	w := &Watchdog{idle: idle, answer: answer}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(w.idle, w.expire)
	return w
}

// Context is the attempt's.
func (w *Watchdog) Context() context.Context { return w.ctx }

func (w *Watchdog) expire() {
	if w.answering.Load() {
		w.cancel(fmt.Errorf("no answer within %v of the last byte", w.answer))
		return
	}
	w.cancel(fmt.Errorf("no byte moved for %v", w.idle))
}

// Moved is called whenever bytes moved.
func (w *Watchdog) Moved() { w.timer.Reset(w.idle) }

// Whole is called when the body went out: from now on the service works.
func (w *Watchdog) Whole() {
	w.answering.Store(true)
	w.timer.Reset(w.answer)
}

// Stalled is why the watchdog ended the attempt, nil if it was not the watchdog.
func (w *Watchdog) Stalled(parent context.Context) (cause error) {
	if parent.Err() == nil {
		cause = context.Cause(w.ctx) //nolint:contextcheck // the attempt's own, made of the parent
	}
	return cause
}

// End ends the attempt's context.
func (w *Watchdog) End() {
	w.timer.Stop()
	w.cancel(nil)
}
