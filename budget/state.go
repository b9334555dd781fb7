package budget

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Snapshot is a budget at one moment.
type Snapshot struct {
	Minute, Hour, Day WindowUse
	InFlight          int // requests granted and not answered yet; each counts in every window
	Concurrent        int // how many may be; 0: not limited
	Results           int // callers that wait in Acquire, by class
	Submits           int
	Polls             int
	NextPoll          time.Time // the earliest a poll asked for now could be sent, as far as is known
	BlockedUntil      time.Time // the end of the stop after a 429; zero when there is none
}

// WindowUse is one window of a budget.
type WindowUse struct {
	Limit int // as lowered after a 429; 0: not limited
	Used  int // requests in flight included
	Left  int // -1 when not limited
}

// Snapshot returns how much of the budget is used, without a request.
func (b *Key) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, wall := b.now(), time.Now()
	use := func(i int) WindowUse {
		w := &b.windows[i]
		w.prune(now)
		u := WindowUse{Limit: w.limit, Used: w.sum + b.inFlight, Left: -1}
		if i == 0 {
			u.Limit = b.throttle.limit(now, w.limit)
		}
		if u.Limit > 0 {
			u.Left = max(0, u.Limit-u.Used)
		}
		return u
	}
	next, _ := b.earliest(now, b.ahead(ClassPoll)+1)
	s := Snapshot{
		Minute: use(0), Hour: use(1), Day: use(2),
		InFlight: b.inFlight, Concurrent: b.limits.Concurrent,
		Results: b.queues[ClassResult].n, Submits: b.queues[ClassSubmit].n, Polls: b.queues[ClassPoll].n,
		NextPoll: wall.Add(next - now),
	}
	if b.throttle.until > now {
		s.BlockedUntil = wall.Add(b.throttle.until - now)
	}
	return s
}

// State is what a budget remembers, for a store that outlives the
// process: about 130 slots, a few kilobytes of JSON. Times are Unix
// milliseconds.
type State struct {
	Origin   string `json:"origin"`   // the budget that it is of
	InFlight int    `json:"inFlight"` // requests on their way
	Reserved int    `json:"reserved"` // grants that may have followed unrecorded

	Minute []Slot `json:"minute,omitempty"`
	Hour   []Slot `json:"hour,omitempty"`
	Day    []Slot `json:"day,omitempty"`

	BlockedUntil int64 `json:"blockedUntil,omitzero"`
	MinuteLow    int   `json:"minuteLow,omitzero"`  // the minute's limit after a 429
	MinuteBase   int   `json:"minuteBase,omitzero"` // and what it climbs back to
	QuietSince   int64 `json:"quietSince,omitzero"`
}

// Slot is the first and last answer of a slot, and how many it holds.
type Slot [3]int64

// Restore makes the budget of one key with the requests of an earlier
// process in its windows. See [Key.Keep] for how they are stored.
func Restore(l Limits, s State) (*Key, error) {
	b, err := New(l)
	if err != nil {
		return nil, err
	}
	b.Merge(s)
	return b, nil
}

// State returns what the budget remembers now. Stored at leisure it misses
// what is granted afterwards; Keep does not.
func (b *Key) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state()
}

// Merge adds the requests of another budget of the same key, usually those of
// an earlier process. What was in flight or reserved there counts as answered
// now, and so does an answer from the future of a clock that was set back; one
// that was set forward in between makes the windows forget. A state of this
// very budget changes nothing, so that a second batch in one process does not
// count the first one's requests twice.
func (b *Key) Merge(s State) {
	if s.Origin == b.origin {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, wall := b.now(), time.Now()
	instant := func(ms int64) time.Duration {
		const lifetime = 60 * 365 * 24 * time.Hour // nonsense must not overflow
		return now + min(max(-lifetime, time.UnixMilli(ms).Sub(wall)), lifetime)
	}
	for i, stored := range [3][]Slot{s.Minute, s.Hour, s.Day} {
		slots := make([]slot, 0, len(stored)+1)
		for _, e := range stored {
			last := min(now, instant(e[1]))
			slots = append(slots, slot{min(last, instant(e[0])), last, int(min(max(0, e[2]), maxFigure))})
		}
		slots = append(slots, slot{now, now, min(max(0, s.InFlight), maxFigure) + min(max(0, s.Reserved), maxFigure)})
		b.windows[i].merge(slots, now)
	}
	t := &b.throttle
	t.until = max(t.until, now+min(instant(s.BlockedUntil)-now, maxStop))
	if s.MinuteLow > 0 && s.MinuteLow <= maxFigure && s.MinuteBase <= maxFigure {
		stored := throttle{low: s.MinuteLow, base: s.MinuteBase, quiet: min(instant(s.QuietSince), now+maxStop)}
		if full := b.windows[0].limit; full > 0 {
			stored.base = full
		}
		if stored.lowered(now) && (!t.lowered(now) || stored.limit(now, 0) < t.limit(now, 0)) {
			t.low, t.base, t.quiet = stored.low, stored.base, stored.quiet
		}
	}
	b.unkept = true
	b.pump()
}

// keeper stores the budget's state ahead of its grants.
type keeper struct {
	ahead   int
	persist func(State) error
}

// Keep calls persist from now on, so that a store knows of every request
// before it is sent. It is called for each block of ahead grants (10 where
// ahead is not positive) and after a 429; Reserved in the state says that the
// block may have been used. A process killed at any moment and restored from
// the last stored state never counts too few requests, and at most ahead too
// many; what was in flight counts anew.
//
// Persist runs one call at a time, on the goroutine of any caller of Acquire
// or Done; grants wait for it. It must be durable when it returns, and must not
// use the budget. When it fails, everyone who waits in Acquire gets its error.
//
// Stop stores the state with nothing reserved, returns persist's error and ends
// the calls: later grants are not stored. To go on from a stored state, Merge
// it first.
func (b *Key) Keep(ahead int, persist func(State) error) (stop func() error) {
	if ahead <= 0 {
		ahead = 10
	}
	k := &keeper{ahead, persist}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keepers = append(b.keepers, k)
	b.unkept = true
	return sync.OnceValue(func() error { return persist(b.unkeep(k)) })
}

func (b *Key) unkeep(k *keeper) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.storing != nil {
		stored := b.storing
		b.mu.Unlock()
		<-stored
		b.mu.Lock()
	}
	b.keepers = slices.DeleteFunc(b.keepers, func(other *keeper) bool { return other == k })
	s := b.state()
	b.pump()
	return s
}

// mustStore says whether the keepers come before the next grant.
func (b *Key) mustStore(now time.Duration) bool {
	if len(b.keepers) == 0 || b.storing != nil {
		return false
	}
	if b.unkept {
		return true
	}
	if b.reserve > 0 || b.waiting() == 0 || b.pick() == nil {
		return false
	}
	at, _ := b.earliest(now, 1)
	return at <= now
}

// store reserves a block of grants with every keeper. It lets the lock go
// meanwhile; nothing is granted then, so the state stays true.
func (b *Key) store() (err error) {
	keepers := slices.Clone(b.keepers)
	n := slices.MinFunc(keepers, func(x, y *keeper) int { return x.ahead - y.ahead }).ahead
	s := b.state()
	s.Reserved = n
	b.reserve, b.unkept, b.storing = 0, false, make(chan struct{})
	err = errors.New("persist panicked")
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		close(b.storing)
		b.storing = nil
		if err == nil {
			b.reserve = n
		}
	}()
	for _, k := range keepers {
		if err = k.persist(s); err != nil {
			return err
		}
	}
	return nil
}

func (b *Key) state() State {
	now, wall := b.now(), time.Now()
	floor := func(at time.Duration) int64 { return wall.Add(at - now).UnixMilli() }
	ceil := func(at time.Duration) int64 { return floor(at + time.Millisecond - 1) }
	slots := func(w *window) []Slot {
		w.prune(now)
		var slots []Slot
		for i := range w.n {
			e := w.slot(i)
			slots = append(slots, Slot{floor(e.first), ceil(e.last), int64(e.n)})
		}
		return slots
	}
	s := State{
		Origin: b.origin, InFlight: b.inFlight,
		Minute: slots(&b.windows[0]), Hour: slots(&b.windows[1]), Day: slots(&b.windows[2]),
	}
	if b.throttle.until > now {
		s.BlockedUntil = ceil(b.throttle.until)
	}
	if b.throttle.lowered(now) {
		s.MinuteLow, s.MinuteBase, s.QuietSince = b.throttle.low, b.throttle.base, ceil(b.throttle.quiet)
	}
	return s
}

// merge adds slots that may lie anywhere between the present ones.
func (w *window) merge(slots []slot, now time.Duration) {
	for i := range w.n {
		slots = append(slots, *w.slot(i))
	}
	slices.SortFunc(slots, func(x, y slot) int { return int(min(max(x.first-y.first, -1), 1)) })
	w.slots, w.head, w.n, w.sum = nil, 0, 0, 0
	latest := time.Duration(-1 << 63)
	for _, s := range slots {
		if s.n == 0 || s.last+w.span <= now {
			continue
		}
		// The slots leave in order: a later one does not leave before an earlier one.
		latest = max(latest, s.last)
		w.push(slot{s.first, latest, s.n})
	}
}

func newOrigin() string { return fmt.Sprintf("%016x", rand.Uint64()) }
