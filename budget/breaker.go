package budget

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// Breaker is a circuit breaker before a budget that may fail by itself, because its
// database is down or its disk is full. While it fails it is asked ever more rarely,
// as a service that is down is: after 200 milliseconds by one caller, then at gaps
// that double up to ten seconds. Whoever asks meanwhile gets its last error at once.
// Each class has a breaker of its own. A budget that has no room works.
//
// It is safe for concurrent use.
type Breaker struct {
	budget Budget
	failed func(ctx context.Context, err error)

	mu      sync.Mutex
	outages [rate.Classes]outage
	told    bool // failed was called for this outage
}

// outage is how a class's requests for a permit fail.
type outage struct {
	err    error // the last; nil: it works
	pause  time.Duration
	resume time.Time // nobody asks before
}

const (
	firstOutagePause = 200 * time.Millisecond
	maxOutagePause   = 10 * time.Second
)

// NewBreaker makes the breaker of a budget. It calls failed once for as long as the
// budget fails, on the goroutine of the caller that found out.
func NewBreaker(b Budget, failed func(ctx context.Context, err error)) *Breaker {
	return &Breaker{budget: b, failed: failed}
}

// Acquire asks the budget, unless it has just failed.
func (b *Breaker) Acquire(ctx context.Context, class Class) (Permit, error) {
	if !class.known() {
		return b.budget.Acquire(ctx, class)
	}
	probe, err := b.known(class)
	if err != nil {
		return nil, err
	}
	permit, err := b.budget.Acquire(ctx, class)
	if permit == nil && err == nil {
		err = errors.New("the budget gave neither a permit nor an error")
	}
	failure := err
	switch {
	case err == nil:
	case errors.Is(err, ErrNoRoom):
		failure = nil // it works
	case ctx.Err() != nil:
		return nil, err // which says nothing about it
	}
	if b.record(class, probe, failure) {
		b.failed(ctx, failure)
	}
	return permit, err
}

// known returns the error of a budget that is not to be asked now. After each pause
// one caller probes whether it works again.
func (b *Breaker) known(class Class) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := &b.outages[class]
	if last.err == nil {
		return false, nil
	}
	now := time.Now()
	if now.Before(last.resume) {
		return false, last.err
	}
	last.resume = now.Add(last.pause)
	return true, nil
}

// record takes in what the budget answered, and reports whether that is news.
func (b *Breaker) record(class Class, probe bool, failure error) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := &b.outages[class]
	if failure == nil {
		*last, b.told = outage{}, false
		return false
	}
	if probe || last.err == nil { // the others asked before it was known
		last.pause = min(max(firstOutagePause, 2*last.pause), maxOutagePause)
		last.resume = time.Now().Add(last.pause)
	}
	last.err = failure
	news, b.told = !b.told, true
	return news
}
