package audio

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Patience is how long an attempt may take.
type Patience struct {
	Idle   time.Duration // in which no byte moves
	Answer time.Duration // until the first byte of the answer, once the request went out
	Total  time.Duration // 0: as long as bytes move
}

// Watchdog ends an attempt in which nothing moves, and says in which phase.
type Watchdog struct {
	ctx      context.Context //nolint:containedctx // lives as long as the attempt
	cancel   context.CancelCauseFunc
	patience Patience
	timer    *time.Timer
	whole    *time.Timer // of the total; nil: there is none

	mu    sync.Mutex
	phase phase
}

// phase is what an attempt is doing.
type phase int

const (
	sending phase = iota
	awaiting
	reading
	closing
)

// NewWatchdog starts the watch over an attempt that sends a body, or else
// awaits its answer from the start.
func NewWatchdog(parent context.Context, patience Patience, body bool) *Watchdog {
	w := &Watchdog{patience: patience, phase: awaiting}
	if body {
		w.phase = sending
	}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(w.limit(), w.expire)
	if total := patience.Total; total > 0 {
		w.whole = time.AfterFunc(total, func() { w.cancel(fmt.Errorf("the answer was not whole within %v", total)) })
	}
	return w
}

// Context is the attempt's.
func (w *Watchdog) Context() context.Context { return w.ctx }

// limit is the patience of the phase.
func (w *Watchdog) limit() time.Duration {
	if w.phase == awaiting {
		return w.patience.Answer
	}
	return w.patience.Idle
}

func (w *Watchdog) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.phase {
	case sending:
		w.cancel(fmt.Errorf("no byte moved for %v while the request was sent", w.patience.Idle))
	case awaiting:
		w.cancel(fmt.Errorf("no answer within %v of the last byte sent", w.patience.Answer))
	case reading, closing:
		w.cancel(fmt.Errorf("no byte of the answer moved for %v", w.patience.Idle))
	}
}

func (w *Watchdog) enter(next phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == closing {
		return
	}
	w.phase = max(w.phase, next)
	w.timer.Reset(w.limit())
}

// Moved is called whenever there was a sign of life, which an interim answer is.
func (w *Watchdog) Moved() { w.enter(sending) }

// Whole is called when the body went out: from now on the service works.
func (w *Watchdog) Whole() { w.enter(awaiting) }

// Reading is called with each piece of the answer's body.
func (w *Watchdog) Reading() { w.enter(reading) }

// Hurry ends the attempt after d at the latest, because what may still come is
// not needed.
func (w *Watchdog) Hurry(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = closing
	w.timer.Reset(min(d, w.patience.Idle))
}

// Pause suspends the watch, and the function it returns goes on with it: the
// service is not to blame for a wait of ours.
func (w *Watchdog) Pause() (resume func()) {
	w.timer.Stop()
	if w.whole != nil {
		w.whole.Stop()
	}
	return func() {
		if w.whole != nil {
			w.whole.Reset(w.patience.Total)
		}
		w.Moved()
	}
}

// Stop ends the attempt with a cause.
func (w *Watchdog) Stop(cause error) { w.cancel(cause) }

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
	if w.whole != nil {
		w.whole.Stop()
	}
	w.cancel(nil)
}
