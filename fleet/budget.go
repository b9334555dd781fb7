package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// Budget is the request budget of an account's key, which all its processes
// share through the database. It is a [scriptix.Budget]: another program on the
// key takes part by a Fleet with a nil Client that is started, and by clients
// with its Budget.
//
// Each process has one goroutine for it. It gathers what its callers ask for and
// what has landed, and takes one turn for all of that: a transaction on the
// account's row. While the database is away nothing is granted, and what lands
// is kept until it is back.
type Budget struct {
	store   *store
	granted func(rate.Class) // counts

	mu      sync.Mutex
	process *process // nil: not started
	queues  [rate.Classes][]*asking
	landed  []landing
	flying  map[uint64]bool // granted to callers of this process, and not stored as landed
	closed  [rate.Classes]bool
	asleep  [rate.Classes]rate.Millis // until when a class's ticket was told to wait; 0: it has none
	known   *sharedBudget             // as of the last turn
	offset  time.Duration             // of the database's clock from ours
	noticed bool                      // since the last turn was begun
	turns   uint64
	wake    chan struct{}
	done    chan struct{} // closed when the goroutine has ended
}

// asking is one caller of Acquire.
type asking struct {
	class    rate.Class
	deadline time.Time // zero: none
	ready    chan struct{}
	permit   *permit
	err      error
}

var errStopping = errors.New("fleet: stopping: no new upload is begun")

func newBudget(s *store, granted func(rate.Class)) *Budget {
	return &Budget{store: s, granted: granted, flying: make(map[uint64]bool), wake: make(chan struct{}, 1)}
}

// Acquire waits for its turn to send one request of the class, among all
// processes of the account: results before submits before polls, and a class
// that waits gets at least every tenth. It costs about two transactions a
// request, and nothing while it waits.
//
// It ends with ctx, at once where the windows leave no room before its deadline,
// which is a *scriptix.BudgetError, and with an error when the fleet is not
// started.
func (b *Budget) Acquire(ctx context.Context, class scriptix.Class) (scriptix.Permit, error) {
	if class < scriptix.ClassResult || class > scriptix.ClassPoll {
		return nil, fmt.Errorf("fleet: unknown %v", class)
	}
	if err := ctx.Err(); err != nil {
		return nil, waitEnded(ctx, rate.Class(class), time.Now(), "it came after the deadline")
	}
	a := &asking{class: rate.Class(class), ready: make(chan struct{})}
	a.deadline, _ = ctx.Deadline()
	if err := b.enter(a); err != nil {
		return nil, err
	}
	select {
	case <-a.ready:
	case <-ctx.Done():
		if b.quit(a) {
			return nil, waitEnded(ctx, a.class, b.nextAt(a.class), "others go first")
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.permit, nil
}

// waitEnded is the error of a caller whose context is over. Only a deadline is
// the budget's doing.
func waitEnded(ctx context.Context, class rate.Class, at time.Time, why string) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return &scriptix.BudgetError{Class: scriptix.Class(class), At: at, Reason: why, Err: err}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("waiting for the request budget: %w: %w", err, cause)
	}
	return fmt.Errorf("waiting for the request budget: %w", err)
}

func (b *Budget) enter(a *asking) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.process == nil:
		return errNotStarted
	case b.closed[a.class]:
		return errStopping
	}
	b.queues[a.class] = append(b.queues[a.class], a)
	if !a.deadline.IsZero() || b.asleep[a.class] == 0 {
		b.asleep[a.class] = 0
		signal(b.wake)
	}
	return nil
}

// quit takes a caller out whose context is over; false if it was served before.
func (b *Budget) quit(a *asking) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isClosed(a.ready) {
		if a.permit != nil {
			b.land(a.permit, landing{number: a.permit.number})
			a.permit, a.err = nil, nil
			return true
		}
		return false
	}
	b.remove(a)
	signal(b.wake) // its ticket may not be needed any more
	return true
}

func (b *Budget) remove(a *asking) {
	queue := b.queues[a.class]
	for i := range queue {
		if queue[i] == a {
			b.queues[a.class] = append(queue[:i:i], queue[i+1:]...)
			return
		}
	}
}

// permit allows one request.
type permit struct {
	budget *Budget
	number uint64
	class  rate.Class
	landed bool // guarded by the budget's lock
}

// Done gives the permit back. What was sent stays in the windows; the row learns
// of it with the next turn, however long the database is away.
func (p *permit) Done(info scriptix.RateInfo) {
	b := p.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.land(p, landing{number: p.number, sent: info.Sent || info.StatusCode != 0, answer: answerOf(info)})
}

// land is Done under the lock.
func (b *Budget) land(p *permit, l landing) {
	if p.landed {
		return
	}
	p.landed = true
	b.landed = append(b.landed, l)
	signal(b.wake)
}

// answerOf is what an answer teaches the meter.
func answerOf(info scriptix.RateInfo) rate.Answer {
	a := rate.Answer{
		Refused: info.StatusCode == http.StatusTooManyRequests, RetryAfter: rate.Millis(info.RetryAfter.Milliseconds()),
		Jitter: rand.Float64(),
	}
	if !info.HasRemaining || info.Reset.IsZero() {
		return a
	}
	served := info.Date
	if served.IsZero() {
		served = time.Now()
	}
	a.Reset, a.Remaining, a.Limit = rate.Millis(info.Reset.Sub(served).Milliseconds()), info.Remaining, info.Limit
	return a
}

// Snapshot returns how much of the budget is used, as of this process's last
// turn or look at it. It does no I/O.
func (b *Budget) Snapshot() scriptix.BudgetSnapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s scriptix.BudgetSnapshot
	if b.known == nil {
		return s
	}
	now, m := b.clock(), b.known.meter
	windows := [3]*scriptix.WindowUse{&s.Minute, &s.Hour, &s.Day}
	for i, use := range m.Use(now) {
		*windows[i] = scriptix.WindowUse{Limit: use.Limit, Used: use.Used, Left: -1}
		if use.Limit > 0 {
			windows[i].Left = max(0, use.Limit-use.Used)
		}
	}
	s.InFlight, s.Concurrent = m.InFlight(), b.known.limits.Concurrent
	s.Results, s.Submits, s.Polls = len(b.queues[rate.Result]), len(b.queues[rate.Submit]), len(b.queues[rate.Poll])
	next, _ := m.Earliest(now, m.Position(rate.Poll, b.known.waiting()))
	s.NextPoll = b.wall(next)
	if until := m.BlockedUntil(); until > now {
		s.BlockedUntil = b.wall(until)
	}
	return s
}

// Read returns how much of the budget is used now, by all processes. It costs two
// statements, and no start.
func (b *Budget) Read(ctx context.Context) (scriptix.BudgetSnapshot, error) {
	err := b.look(ctx)
	if errors.Is(err, pgx.ErrNoRows) { // nobody of the account was ever started
		return scriptix.BudgetSnapshot{}, nil
	}
	if err != nil {
		return scriptix.BudgetSnapshot{}, fmt.Errorf("fleet: budget: %w", err)
	}
	return b.Snapshot(), nil
}

// clock is the database's time, as far as this process knows it.
func (b *Budget) clock() rate.Millis {
	return max(rate.Millis(time.Now().Add(b.offset).UnixMilli()), b.known.last)
}

func (b *Budget) wall(at rate.Millis) time.Time { return time.UnixMilli(int64(at)).Add(-b.offset) }

func (b *Budget) nextAt(class rate.Class) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		return time.Now()
	}
	now := b.clock()
	at, _ := b.known.meter.Earliest(now, b.known.meter.Position(class, b.known.waiting()))
	return b.wall(at)
}
