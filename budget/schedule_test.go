package budget_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
)

// schedule is a random load on one budget, played by one goroutine so that it is
// the same each time: what happens at one instant happens in one order.
//
// The driver acts on multiples of ten milliseconds. The windows let go one
// millisecond beside them, stops end two beside them, the service's resets lie
// three and deadlines seven beside them, so that no two of these ever tie.
type schedule struct {
	r         *rand.Rand
	limits    budget.Limits
	submits   bool // some requests are submits
	deadlines bool // some requests have one

	key     *budget.Key
	begin   time.Time
	actions []action // ordered by time, then by the order in which they were added
	serial  int
	granted chan struct{} // tells the driver that somebody heard of a grant
	mu      sync.Mutex    // guards how the callers ended
	callers []*caller
	log     hash.Hash // never fails
	uneven  bool      // something happened between two milliseconds
	random  bool      // something depends on how long a stop was prolonged at random
}

type action struct {
	at     time.Duration
	serial int
	do     func()
}

// caller is one request from Acquire to Done.
type caller struct {
	id      int
	class   budget.Class
	hold    time.Duration // from its grant to its answer
	info    func() budget.RateInfo
	permit  budget.Permit
	err     error
	ended   bool
	handled bool
	at      time.Duration // when it ended waiting
	cancel  context.CancelFunc
}

const tick = 10 * time.Millisecond

// play runs the schedule of a seed and returns a hash of all that the budget
// granted, refused and remembered, whether it all fell on milliseconds, and whether
// it is the same each time although stops are prolonged at random.
func play(t *testing.T, seed uint64, prepare func(*budget.Key)) (sum string, whole, same bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSchedule(t, seed, sha256.New(), prepare)
		s.run(t, prepare)
		sum, whole, same = hex.EncodeToString(s.log.Sum(nil)[:6]), !s.uneven, !s.random
	})
	return sum, whole, same
}

func newSchedule(t *testing.T, seed uint64, log hash.Hash, prepare func(*budget.Key)) *schedule {
	t.Helper()
	s := &schedule{r: rand.New(rand.NewPCG(seed, 7)), begin: time.Now(), granted: make(chan struct{}, 1), log: log}
	of := func(choices ...int) int { return choices[s.r.IntN(len(choices))] }
	s.limits = budget.Limits{PerMinute: of(0, 1, 3, 5, 10, 30), PerHour: of(0, 0, 12, 40), PerDay: of(0, 0, 30, 100), Concurrent: of(0, 1, 2, 3, 5)}
	s.submits = s.r.IntN(3) > 0
	s.deadlines = !s.submits || s.limits.Concurrent < 2
	s.key = newBudget(t, s.limits)
	prepare(s.key)
	span := []time.Duration{3 * time.Minute, 20 * time.Minute, 3 * time.Hour, 30 * time.Hour}[s.r.IntN(4)]
	for range 10 + s.r.IntN(70) {
		s.arrive(t, s.draw(span))
	}
	for range s.r.IntN(3) {
		s.act(s.draw(span), func() { s.restart(t, prepare) })
	}
	for range 3 {
		s.act(s.draw(span), s.note)
	}
	return s
}

// draw is a driver's instant up to most.
func (s *schedule) draw(most time.Duration) time.Duration {
	return time.Duration(s.r.Int64N(int64(most/tick))) * tick
}

func (s *schedule) act(at time.Duration, do func()) {
	s.serial++
	a := action{at, s.serial, do}
	i, _ := slices.BinarySearchFunc(s.actions, a, func(x, y action) int { return cmp.Or(cmp.Compare(x.at, y.at), x.serial-y.serial) })
	s.actions = slices.Insert(s.actions, i, a)
}

// arrive plans a request, or a burst of them.
func (s *schedule) arrive(t *testing.T, at time.Duration) {
	t.Helper()
	burst := 1
	if s.r.IntN(4) == 0 {
		burst += s.r.IntN(8)
	}
	for range burst {
		c := &caller{id: len(s.callers), class: budget.Class(s.r.IntN(3)), hold: s.draw([]time.Duration{tick, time.Second, 4 * time.Minute}[s.r.IntN(3)])}
		if c.class == budget.ClassSubmit && !s.submits {
			c.class = budget.ClassPoll
		}
		c.info = s.answer()
		s.callers = append(s.callers, c)
		var within time.Duration
		if s.deadlines && s.r.IntN(3) == 0 {
			within = s.draw(10*time.Minute) + 7*time.Millisecond
		}
		ctx, cancel := t.Context(), context.CancelFunc(nil)
		if within == 0 && s.r.IntN(5) == 0 {
			ctx, cancel = context.WithCancel(ctx)
			s.act(at+s.draw(5*time.Minute), cancel)
		}
		s.act(at, func() { s.ask(ctx, c, within, cancel) })
	}
}

// ask starts to wait.
func (s *schedule) ask(ctx context.Context, c *caller, within time.Duration, cancel context.CancelFunc) {
	if within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	c.cancel = cancel
	go s.acquire(ctx, c)
}

// answer decides what will be said to a request.
func (s *schedule) answer() func() budget.RateInfo {
	wait := []time.Duration{0, time.Hour, 20*time.Second + 2*time.Millisecond, 3*time.Minute + 2*time.Millisecond, 20 * time.Minute}[s.r.IntN(5)]
	figures := budget.RateInfo{Sent: true, StatusCode: 200, HasRemaining: true, Remaining: s.r.IntN(12), Limit: []int{0, 8, 20}[s.r.IntN(3)]}
	reset := time.Duration(1+s.r.IntN(20))*time.Minute + 3*time.Millisecond
	switch n := s.r.IntN(20); {
	case n == 0:
		return func() budget.RateInfo { return budget.RateInfo{} }
	case n == 1:
		return func() budget.RateInfo { return budget.RateInfo{Sent: true} }
	case n == 2:
		return func() budget.RateInfo {
			s.random = s.random || wait < 15*time.Minute // the longest stop is not prolonged
			return budget.RateInfo{Sent: true, StatusCode: 429, RetryAfter: wait}
		}
	case n == 3:
		return func() budget.RateInfo {
			figures.Reset = time.Now().Add(reset)
			return figures
		}
	default:
		return func() budget.RateInfo { return answered }
	}
}

func (s *schedule) acquire(ctx context.Context, c *caller) {
	permit, err := s.key.Acquire(ctx, c.class)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.permit, c.err, c.at, c.ended = permit, err, time.Since(s.begin), true
	select {
	case s.granted <- struct{}{}:
	default:
	}
}

// run plays the actions, and lets the answers to what was granted follow.
func (s *schedule) run(t *testing.T, prepare func(*budget.Key)) {
	t.Helper()
	for {
		synctest.Wait()
		s.collect()
		if len(s.actions) == 0 {
			if !s.waiting() {
				break
			}
			<-s.granted
			continue
		}
		if wait := s.actions[0].at - time.Since(s.begin); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-s.granted:
				timer.Stop()
				continue
			}
		}
		next := s.actions[0]
		s.actions = s.actions[1:]
		next.do()
	}
	s.note()
	for _, c := range s.callers {
		s.remember(c)
	}
}

func (s *schedule) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.callers, func(c *caller) bool { return !c.ended })
}

// collect plans the answers to what was granted since it was called last.
func (s *schedule) collect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.callers {
		if !c.ended || c.handled {
			continue
		}
		c.handled = true
		s.uneven = s.uneven || c.at%time.Millisecond != 0
		if c.cancel != nil {
			defer c.cancel()
		}
		if c.permit != nil {
			at := (c.at + c.hold + tick - 1).Truncate(tick)
			s.act(at, func() { c.permit.Done(c.info()) })
		}
	}
}

// restart goes on with the budget's state in a new one, as a new process would.
// Requests in flight belong to the old one, which nobody asks any more.
func (s *schedule) restart(t *testing.T, prepare func(*budget.Key)) {
	t.Helper()
	if snap := s.key.Snapshot(); snap.Results+snap.Submits+snap.Polls > 0 {
		return
	}
	state := s.key.State()
	state.Origin = "" // a random number
	data, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	s.write("state", string(data))
	if s.key, err = budget.Restore(s.limits, state); err != nil {
		t.Fatal(err)
	}
	prepare(s.key)
}

func (s *schedule) write(values ...any) {
	s.log.Write(fmt.Appendln(nil, values...))
}

// note logs a snapshot.
func (s *schedule) note() {
	snap := s.key.Snapshot()
	milli := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.Add(time.Millisecond - 1).UnixMilli()
	}
	s.write(time.Since(s.begin), snap.Minute, snap.Hour, snap.Day, snap.InFlight, snap.Results, snap.Submits, snap.Polls, milli(snap.BlockedUntil))
	if s.deadlines {
		s.write(milli(snap.NextPoll))
	}
}

// remember logs how a request ended its wait, and when.
func (s *schedule) remember(c *caller) {
	how := "granted"
	switch {
	case errors.Is(c.err, budget.ErrNoRoom) && errors.Is(c.err, context.DeadlineExceeded):
		how = "too late"
	case errors.Is(c.err, budget.ErrNoRoom):
		how = "no room"
	case c.err != nil:
		how = "cancelled"
	}
	s.write(c.id, c.class, how, c.at)
}
