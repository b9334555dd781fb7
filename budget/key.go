package budget

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// Key is the request budget of one API key in this process. Several clients share
// it through their WithBudget option. It is safe for concurrent use and needs no
// closing: it runs no goroutine, and a timer only while someone waits.
//
// The minute is exact. Hour and day are kept in at most 64 slots each, so that no
// more than a sixtieth of them goes unused. Times count in milliseconds.
type Key struct {
	limits Limits
	origin string
	clock  clock
	jitter func() float64 // at least 0, less than 1

	mu       sync.Mutex // never held while waiting or storing
	meter    *rate.Meter
	queues   [rate.Classes]queue
	urgent   deadlines
	timer    *time.Timer
	wakeAt   rate.Millis // when the timer fires; notSet: it is not set
	keepers  []*keeper
	reserved int           // grants that the keepers have stored ahead
	unkept   bool          // something must be stored before the next grant
	storing  chan struct{} // closed when the keepers are through; nil when they are not at work
	aborted  *abortedError // of the last keeper that panicked
}

const notSet rate.Millis = -1

// New makes the budget of one key. It starts with empty windows: see [Restore]
// where a restart must not forget the day. It fails on a negative limit.
func New(l Limits) (*Key, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return &Key{
		limits: l, origin: newOrigin(), clock: newClock(), jitter: rand.Float64,
		meter: rate.New(rate.Limits(l)), wakeAt: notSet,
	}, nil
}

// Restore makes the budget of one key with the requests of an earlier process in
// its windows. It fails on a negative limit. See [Key.Keep] for how they are
// stored.
func Restore(l Limits, s State) (*Key, error) {
	k, err := New(l)
	if err != nil {
		return nil, err
	}
	k.Merge(s)
	return k, nil
}

// Acquire waits for its turn to send one request of the class. Within a class
// the first to ask is the first to go.
//
// Where the windows and those ahead in the queue leave no room before ctx's
// deadline it fails at once with an [*Error]; so does a waiter whose turn later
// moves beyond its deadline, and one that waited until its deadline. A cancelled
// ctx gives the context's error without [ErrNoRoom].
func (k *Key) Acquire(ctx context.Context, class Class) (Permit, error) {
	if !class.known() {
		return nil, fmt.Errorf("request budget: unknown %s", class)
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, &Error{Class: class, At: time.Now(), Reason: "it came after the deadline"})
	}
	p, w, err := k.enter(ctx, class)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return p, nil
	}
	select {
	case <-w.ready:
	case <-ctx.Done():
		if late := k.quit(w); late != nil {
			return nil, ended(ctx, late)
		}
	}
	if aborted, ok := errors.AsType[*abortedError](w.err); ok {
		if panicked := k.take(aborted); panicked != nil {
			panic(panicked) //nolint:forbidigo // the caller's own, which belongs in a call of the caller's
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.permit, nil
}

// ended is the error of an attempt whose context is over. Only a deadline is
// the budget's doing.
func ended(ctx context.Context, late *Error) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		late.Err = err
		return late
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("waiting for the request budget: %w: %w", err, cause)
	}
	return fmt.Errorf("waiting for the request budget: %w", err)
}

// enter grants at once, refuses at once, or queues.
func (k *Key) enter(ctx context.Context, class Class) (*permit, *waiter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock.now()
	if k.waiting().Total() == 0 && k.meter.Room(rate.Class(class)) && k.open(now) {
		return k.grant(class, now), nil, nil
	}
	w := &waiter{class: class, ready: make(chan struct{}), index: -1}
	if deadline, ok := ctx.Deadline(); ok {
		w.deadline = k.clock.since(deadline)
		position := k.meter.Position(rate.Class(class), k.waiting())
		if at, obstacle := k.meter.Earliest(now, position); k.clock.elapsed(at) > w.deadline {
			return nil, nil, k.late(class, at, obstacle)
		}
		k.urgent.add(w)
	}
	k.queues[class].push(w)
	k.pump()
	return nil, w, nil
}

// quit takes a waiter out whose context is over, and gives back what it was
// granted at the last moment. It returns nil if the waiter had failed already.
func (k *Key) quit(w *waiter) *Error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case w.err != nil:
		return nil
	case w.permit != nil:
		w.permit.cancel()
	default:
		k.drop(w)
	}
	at, obstacle := k.meter.Earliest(k.clock.now(), 1)
	if obstacle == "" {
		obstacle = "as many requests as allowed are on their way"
	}
	k.pump()
	return k.late(w.class, at, obstacle)
}

func (k *Key) late(class Class, at rate.Millis, obstacle string) *Error {
	return &Error{Class: class, At: k.clock.wall(at), Reason: obstacle}
}

// open reports whether time, the windows and the keepers allow a grant now.
func (k *Key) open(now rate.Millis) bool {
	if len(k.keepers) > 0 && (k.unkept || k.reserved <= 0) {
		return false
	}
	at, _ := k.meter.Earliest(now, 1)
	return at <= now
}

// permit is one request in flight.
type permit struct {
	key    *Key
	class  Class
	number uint64
	done   bool
}

func (k *Key) grant(class Class, now rate.Millis) *permit {
	k.reserved--
	return &permit{key: k, class: class, number: k.meter.Grant(now, rate.Class(class))}
}

// Done gives the permit back. What was not sent is taken out of the windows;
// anything else stays in them for one window from now.
func (p *permit) Done(info RateInfo) {
	k := p.key
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case p.done:
		return
	case info.Sent || info.StatusCode != 0:
		p.done = true
		now, answer := k.clock.now(), info.answer(k.jitter())
		k.meter.Done(now, rate.Class(p.class), p.number, answer)
		if answer.Refused {
			k.unkept = true
			k.recheck(now)
		}
	default:
		p.cancel()
	}
	k.pump()
}

// cancel gives back a permit with which nothing was sent.
func (p *permit) cancel() {
	p.done = true
	p.key.meter.Cancel(rate.Class(p.class))
}

func newOrigin() string { return fmt.Sprintf("%016x", rand.Uint64()) }
