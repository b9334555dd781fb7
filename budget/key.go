// Package budget decides when a request of one API key may be sent, so that the
// limits of its plan are never exceeded.
package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits are what one API key may send: requests per sliding minute, hour and
// day, and requests at once. A zero field is not limited; a negative one is
// refused.
type Limits struct{ PerMinute, PerHour, PerDay, Concurrent int }

// The published plans, and the limits of a client that was given none. They
// are per key: two processes on one key share a [Budget], or half a plan each.
var (
	PlanFree   = Limits{PerMinute: 10, PerHour: 100, PerDay: 1_000, Concurrent: 2}
	PlanBronze = Limits{PerMinute: 30, PerHour: 500, PerDay: 5_000, Concurrent: 5}
	PlanSilver = Limits{PerMinute: 60, PerHour: 2_000, PerDay: 20_000, Concurrent: 10}
	PlanGold   = Limits{PerMinute: 120, PerHour: 5_000, PerDay: 50_000, Concurrent: 20}

	DefaultLimits = Limits{PerMinute: 60, Concurrent: 10}
)

// Class ranks a request. Where several wait, results go before submits and
// submits before polls, but a class that waits gets at least every tenth grant.
type Class int

// The classes, the most urgent first.
const (
	ClassResult Class = iota // fetches a transcript that is paid for
	ClassSubmit              // starts a job; leaves one of two or more concurrency slots free
	ClassPoll                // asks how a job is
	classes
)

// String returns the class in a word, for logs and errors.
func (c Class) String() string {
	switch c {
	case ClassResult:
		return "result"
	case ClassSubmit:
		return "submit"
	case ClassPoll:
		return "poll"
	}
	return fmt.Sprintf("class %d", int(c))
}

// Budget decides when a request may be sent. Every attempt passes it, retries
// included. [New] makes the in-process one; an implementation must be
// safe for concurrent use.
type Budget interface {
	// Acquire waits until one request of the class may be sent. It ends with
	// ctx, and at once when that cannot be before ctx's deadline.
	Acquire(ctx context.Context, class Class) (Permit, error)
}

// Permit allows one request.
type Permit interface {
	// Done gives the permit back when the answer has come or the attempt has
	// failed. The first call counts, later ones do nothing.
	Done(info RateInfo)
}

// ErrNoRoom is an attempt that cannot be sent before its deadline.
var ErrNoRoom = errors.New("scriptix: request budget")

// Error is an attempt that cannot be sent before its context's deadline.
// [errors.Is] finds [ErrNoRoom] in it, and [context.DeadlineExceeded] only if
// the deadline passed while it waited.
type Error struct {
	Class  Class
	At     time.Time // the earliest it could be sent, as far as is known
	Reason string    // what is in the way, as "the hour window is full"
	Err    error     // the context's error if it waited until the deadline
}

// Error says when the request could be sent and what is in the way.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("request budget: the deadline passed while a %s waited: %s: %v", e.Class, e.Reason, e.Err)
	}
	return fmt.Sprintf("request budget: a %s can be sent at %s at the earliest, after the deadline: %s",
		e.Class, e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap returns [ErrNoRoom] and the context's error, if any.
func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{ErrNoRoom, e.Err}
	}
	return []error{ErrNoRoom}
}

// Key is the request budget of one API key in this process. Several
// clients share it through a client's WithBudget option. It is safe for concurrent use and
// needs no closing: it runs no goroutine, and a timer only while someone waits.
//
// A request counts against every window from its grant until one window after
// its answer, for nobody knows when in between the service counts it. The
// minute is exact; hour and day are kept in at most 64 slots each, so that no
// more than a sixtieth of them goes unused. The service's headers only lower
// the limits. A 429 stops every class until its Retry-After (15 minutes at
// most) and halves the minute; each quiet minute gives a tenth of it back.
type Key struct {
	limits Limits
	origin string
	epoch  time.Time // instants are durations since then, by the monotonic clock

	mu       sync.Mutex // never held while waiting or storing
	windows  [3]window  // minute, hour, day
	quotas   [2]quota   // what the headers allow, by how far ahead their reset is
	throttle throttle
	inFlight int
	uploads  int    // of these
	granted  uint64 // numbers the grants

	queues  [classes]queue
	passed  [classes]int // grants to others while this class waited
	urgent  deadlines
	timer   *time.Timer
	wakeAt  time.Duration // when the timer fires; negative: not set
	keepers []*keeper
	reserve int           // grants that the keepers have stored ahead
	unkept  bool          // something must be stored before the next grant
	storing chan struct{} // closed when the keepers are through; nil when they are not at work
}

// New makes the budget of one key. It starts with empty windows: see
// [Restore] where a restart must not forget the day.
func New(l Limits) (*Key, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return &Key{limits: l, origin: newOrigin(), epoch: time.Now(), windows: newWindows(l), wakeAt: -1}, nil
}

// Validate refuses negative fields.
func (l Limits) Validate() error {
	if min(l.PerMinute, l.PerHour, l.PerDay, l.Concurrent) < 0 {
		return errors.New("limits: negative; zero means not limited")
	}
	return nil
}

// Acquire waits for its turn to send one request of the class. Within a class
// the first to ask is the first to go.
//
// Where the windows and those ahead in the queue leave no room before ctx's
// deadline it fails at once with a [*Error]; so does a waiter whose turn
// later moves beyond its deadline, and one that waited until its deadline. A
// cancelled ctx gives the context's error without [ErrNoRoom].
func (b *Key) Acquire(ctx context.Context, class Class) (Permit, error) {
	if class < 0 || class >= classes {
		return nil, fmt.Errorf("request budget: unknown %s", class)
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, &Error{Class: class, At: time.Now(), Reason: "it came after the deadline"})
	}
	p, w, err := b.enter(ctx, class)
	if err != nil {
		return nil, err
	}
	if p != nil {
		return p, nil
	}
	select {
	case <-w.ready:
	case <-ctx.Done():
		if late := b.quit(w); late != nil {
			return nil, ended(ctx, late)
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
func (b *Key) enter(ctx context.Context, class Class) (*permit, *waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.waiting() == 0 && b.room(class) && b.open(now) {
		return b.grant(class, now), nil, nil
	}
	w := &waiter{class: class, ready: make(chan struct{}), index: -1}
	if deadline, ok := ctx.Deadline(); ok {
		w.deadline = deadline.Sub(b.epoch)
		if at, why := b.earliest(now, b.ahead(class)+1); at > w.deadline {
			return nil, nil, b.late(class, now, at, why)
		}
		b.urgent.add(w)
	}
	b.queues[class].push(w)
	b.pump()
	return nil, w, nil
}

// quit takes a waiter out whose context is over, and gives back what it was
// granted at the last moment. It returns nil if the waiter had failed already.
func (b *Key) quit(w *waiter) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	switch {
	case w.err != nil:
		return nil
	case w.permit != nil:
		b.release(w.permit)
	default:
		b.drop(w)
	}
	at, why := b.earliest(now, 1)
	if why == "" {
		why = "as many requests as allowed are on their way"
	}
	b.pump()
	return b.late(w.class, now, at, why)
}

func (b *Key) late(class Class, now, at time.Duration, why string) *Error {
	return &Error{Class: class, At: time.Now().Add(at - now), Reason: why}
}

type permit struct {
	budget *Key
	class  Class
	number uint64
	done   bool
}

func (b *Key) grant(class Class, now time.Duration) *permit {
	b.inFlight++
	if class == ClassSubmit {
		b.uploads++
	}
	b.granted++
	b.reserve--
	for i := range b.quotas {
		b.quotas[i].take(now)
	}
	return &permit{budget: b, class: class, number: b.granted}
}

// Done gives the permit back. What was not sent is taken out of the windows;
// anything else stays in them for one window from now.
func (p *permit) Done(info RateInfo) {
	b := p.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.done {
		return
	}
	b.release(p)
	if info.Sent || info.StatusCode != 0 {
		now := b.now()
		for i := range b.windows {
			b.windows[i].add(now)
		}
		b.learn(p, info, now)
	}
	b.pump()
}

func (b *Key) release(p *permit) {
	p.done = true
	b.inFlight--
	if p.class == ClassSubmit {
		b.uploads--
	}
}

// open says whether time, the windows and the keepers allow a grant now.
func (b *Key) open(now time.Duration) bool {
	if len(b.keepers) > 0 && (b.unkept || b.reserve <= 0) {
		return false
	}
	at, _ := b.earliest(now, 1)
	return at <= now
}

// room says whether the concurrency cap allows the class. Uploads last minutes:
// they never take the last of two or more slots, which results and polls share.
func (b *Key) room(class Class) bool {
	limit := b.limits.Concurrent
	if limit == 0 {
		return true
	}
	return b.inFlight < limit && (class != ClassSubmit || b.uploads < max(1, limit-1))
}

// earliest computes when the m-th grant from now fits, and what is in the way;
// at least now. It takes requests in flight as answered now, and cannot know
// when a concurrency slot frees.
func (b *Key) earliest(now time.Duration, m int) (at time.Duration, why string) {
	at = now
	if b.throttle.until > at {
		at, why = b.throttle.until, "the service answered 429"
	}
	from := at
	for i := range b.windows {
		if t := b.windowAt(i, now, from, m); t > at {
			at, why = t, "the "+windowNames[i]+" window is full"
		}
	}
	for i := range b.quotas {
		if t := b.quotas[i].at(now, m); t > at {
			at, why = t, "the service's X-RateLimit headers leave no room"
		}
	}
	return at, why
}

// windowAt is earliest for one window. A lowered minute grows while one waits.
func (b *Key) windowAt(i int, now, from time.Duration, m int) time.Duration {
	w, t := &b.windows[i], &b.throttle
	if i > 0 || t.low == 0 {
		return w.at(now, from, b.inFlight, w.limit, m)
	}
	at := w.at(now, from, b.inFlight, t.limit(now, w.limit), m)
	lowered := t.lowered(now)
	for rise := t.nextRise(now); lowered && rise < at; rise += time.Minute {
		at = min(at, max(rise, w.at(now, from, b.inFlight, t.limit(rise, w.limit), m)))
		lowered = t.lowered(rise)
	}
	return at
}

func (b *Key) now() time.Duration { return time.Since(b.epoch) }
