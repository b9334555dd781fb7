package budget

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
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
func (k *Key) Snapshot() Snapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, waiting := k.clock.now(), k.waiting()
	var windows [3]WindowUse
	for i, use := range k.meter.Use(now) {
		windows[i] = WindowUse{Limit: use.Limit, Used: use.Used, Left: -1}
		if use.Limit > 0 {
			windows[i].Left = max(0, use.Limit-use.Used)
		}
	}
	next, _ := k.meter.Earliest(now, k.meter.Position(rate.Poll, waiting))
	s := Snapshot{
		Minute: windows[0], Hour: windows[1], Day: windows[2],
		InFlight: k.meter.InFlight(), Concurrent: k.limits.Concurrent,
		Results: waiting[rate.Result], Submits: waiting[rate.Submit], Polls: waiting[rate.Poll],
		NextPoll: k.clock.wall(next),
	}
	if until := k.meter.BlockedUntil(); until > now {
		s.BlockedUntil = k.clock.wall(until)
	}
	return s
}

// State is what a budget remembers, for a store that outlives the process: about
// 130 slots, a few kilobytes of JSON. Times are Unix milliseconds.
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

// State returns what the budget remembers now. Stored at leisure it misses
// what is granted afterwards; Keep does not.
func (k *Key) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state()
}

func (k *Key) state() State {
	now := time.Now()
	at := k.clock.at(now)
	ahead := now.UnixMilli() - int64(at) // of our clock, by which the wall clock was set meanwhile
	h := k.meter.History(at)
	slots := func(window []rate.Slot) (stored []Slot) {
		for _, s := range window {
			stored = append(stored, Slot{int64(s.First) + ahead, int64(s.Last) + ahead, int64(s.Count)})
		}
		return stored
	}
	s := State{
		Origin: k.origin, InFlight: h.Unanswered,
		Minute: slots(h.Windows[0]), Hour: slots(h.Windows[1]), Day: slots(h.Windows[2]),
		MinuteLow: h.ReducedLimit, MinuteBase: h.FullLimit,
	}
	if h.BlockedUntil > 0 {
		s.BlockedUntil = int64(h.BlockedUntil) + ahead
	}
	if h.ReducedLimit > 0 {
		s.QuietSince = int64(h.QuietSince) + ahead
	}
	return s
}

// Merge adds the requests of another budget of the same key, usually those of
// an earlier process. What was in flight or reserved there counts as answered
// now, and so does an answer from the future of a clock that was set back; one
// that was set forward in between makes the windows forget. A state of this
// very budget changes nothing, so that a second batch in one process does not
// count the first one's requests twice.
func (k *Key) Merge(s State) {
	if s.Origin == k.origin {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	at, wall := k.clock.at(now), rate.Millis(now.UnixMilli())
	instant := func(stored int64) rate.Millis {
		const lifetime = 60 * 365 * rate.Day // nonsense must not overflow
		return at + min(max(rate.Millis(stored), wall-lifetime), wall+lifetime) - wall
	}
	count := func(n int64) int { return int(min(max(0, n), maxFigure)) }
	h := rate.History{
		Unanswered:   count(int64(s.InFlight)) + count(int64(s.Reserved)),
		BlockedUntil: instant(s.BlockedUntil), QuietSince: instant(s.QuietSince),
		ReducedLimit: s.MinuteLow, FullLimit: s.MinuteBase,
	}
	for i, stored := range [3][]Slot{s.Minute, s.Hour, s.Day} {
		for _, slot := range stored {
			h.Windows[i] = append(h.Windows[i], rate.Slot{First: instant(slot[0]), Last: instant(slot[1]), Count: count(slot[2])})
		}
	}
	k.meter.Merge(at, h)
	k.unkept = true
	k.pump()
}
