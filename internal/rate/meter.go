// Package rate decides when the requests of one API key may be sent. It does so
// as a value: a [Meter] has no lock, no clock and no goroutine. Whoever holds it
// passes in the time and what happened, and gets a verdict back. Package budget
// puts waiting callers and timers around one; a fleet of processes keeps one in a
// database row, where it takes less than two kilobytes.
//
// A request passes three stages. While it waits it is only a number in [Waiting],
// and [Meter.Next] says which class goes first: results before submits before
// polls, but whoever was passed over nine times before all of them.
// [Meter.Earliest] says when the next request, or the one so many places further
// back, fits. [Meter.Grant] then puts it in flight, where it holds a concurrency
// slot and counts in every window. [Meter.Done] ends the flight: the request stays
// in each window until one window after its answer, because nobody knows at which
// moment in between the service counted it.
//
// Three things say when a request fits. The windows hold the plan's limits for any
// minute, hour and day. The throttle holds what 429s have taught: a stop for
// everybody, then a lower limit for the minute that rises again step by step. The
// quotas hold what the service's X-RateLimit headers leave. The last two only ever
// lower what the windows allow.
package rate

import "time"

// Millis is a time in milliseconds since the Unix epoch, or a length of time in
// milliseconds.
type Millis int64

// Lengths of time.
const (
	Second = Millis(time.Second / time.Millisecond)
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// Limits are what one API key may send: requests per sliding minute, hour and
// day, and requests at once. A zero field is not limited.
type Limits struct{ PerMinute, PerHour, PerDay, Concurrent int }

// Class ranks a request.
type Class int

// The classes, the most urgent first.
const (
	Result Class = iota
	Submit
	Poll
	Classes // how many there are
)

// Meter is the request budget of one key at a moment. Its methods expect times
// that do not go back. It is not safe for concurrent use, and a copy shares its
// windows: see [Meter.Clone].
type Meter struct {
	concurrent int
	windows    [3]window // minute, hour, day
	quotas     [2]quota  // what the headers leave, by how far ahead their reset is
	throttle   throttle
	inFlight   [Classes]int
	granted    uint64       // numbers the grants
	passed     [Classes]int // grants to others while this class waited
}

// New makes a meter that has seen no request yet.
func New(l Limits) *Meter { return &Meter{concurrent: l.Concurrent, windows: newWindows(l)} }

// Clone returns a meter that shares nothing with m.
func (m *Meter) Clone() *Meter {
	clone := *m
	for i := range clone.windows {
		clone.windows[i].compact()
	}
	return &clone
}

// Room reports whether the concurrency limit allows a request of the class.
// Uploads last minutes: they never take the last of two or more slots, which
// results and polls share.
func (m *Meter) Room(class Class) bool {
	if m.concurrent == 0 {
		return true
	}
	return m.InFlight() < m.concurrent && (class != Submit || !m.uploadsFull())
}

// uploadsFull reports whether uploads have all slots but the one they leave free.
func (m *Meter) uploadsFull() bool {
	return m.concurrent > 1 && m.inFlight[Submit] >= m.concurrent-1
}

// Earliest computes when the request at a position, 1 being the next to be
// granted, fits at the earliest, and what stands in its way until then. Requests
// in flight are taken as answered now. When a concurrency slot will be free
// nobody can tell, so that is left out: see [Meter.Room].
func (m *Meter) Earliest(now Millis, position int) (at Millis, obstacle string) {
	at = now
	if m.throttle.until > at {
		at, obstacle = m.throttle.until, "the service answered 429"
	}
	f := forecast{now: now, from: at, inFlight: m.InFlight(), nth: position}
	for i := range m.windows {
		if t := m.earliestIn(i, f); t > at {
			at, obstacle = t, "the "+windowNames[i]+" window is full"
		}
	}
	for i := range m.quotas {
		if t := m.quotas[i].earliest(now, position); t > at {
			at, obstacle = t, "the service's X-RateLimit headers leave no room"
		}
	}
	return at, obstacle
}

// earliestIn is Earliest for one window. A reduced minute limit rises while one
// waits, so the first rise that makes room may come before the first request
// leaves.
func (m *Meter) earliestIn(i int, f forecast) Millis {
	w, t := &m.windows[i], &m.throttle
	f.limit = w.limit
	if i > 0 || t.reducedLimit == 0 {
		return w.earliestGrant(f)
	}
	limited := func(at Millis) Millis {
		f.limit = t.limit(at, w.limit)
		return w.earliestGrant(f)
	}
	earliest := limited(f.now)
	reduced := t.reduced(f.now)
	for rise := t.nextRise(f.now); reduced && rise < earliest; rise += Minute {
		earliest = min(earliest, max(rise, limited(rise)))
		reduced = t.reduced(rise)
	}
	return earliest
}

// Grant puts a request in flight and returns its number, which [Meter.Done] and
// [Meter.Cancel] ask for. It does not check that there is room for it.
func (m *Meter) Grant(now Millis, class Class) (number uint64) {
	m.inFlight[class]++
	m.granted++
	for i := range m.quotas {
		m.quotas[i].take(now)
	}
	return m.granted
}

// Cancel ends the flight of a request of which nothing was sent. It counts in no
// window.
func (m *Meter) Cancel(class Class) { m.inFlight[class]-- }

// Answer is what is known once a request was sent.
type Answer struct {
	Refused    bool    // with a 429
	RetryAfter Millis  // how long it asks to wait; not positive: not said
	Jitter     float64 // at least 0, less than 1: which share of a tenth the wait is prolonged by

	Reset     Millis // how far ahead the X-RateLimit figures end; not positive: there are none
	Remaining int    // X-RateLimit-Remaining; negative: not limited, so none of these counts
	Limit     int    // X-RateLimit-Limit; 0: not said; negative: as above
}

// Done ends the flight of a request that was sent, or may have been. It counts in
// each window until one window from now. The zero Answer stands for one that
// never came, such as that to a process that is dead.
func (m *Meter) Done(now Millis, class Class, number uint64, a Answer) {
	m.inFlight[class]--
	for i := range m.windows {
		m.windows[i].add(now)
	}
	if a.Refused {
		m.refuse(now, number, a)
	}
	m.learn(now, a)
}

// InFlight counts the requests that were granted and have not ended.
func (m *Meter) InFlight() int { return m.inFlight[Result] + m.inFlight[Submit] + m.inFlight[Poll] }

// Use is how full a window is.
type Use struct {
	Limit int // as reduced after a 429; 0: not limited
	Used  int // requests in flight included
}

// Use returns how full the minute, the hour and the day are.
func (m *Meter) Use(now Millis) (use [3]Use) {
	for i := range m.windows {
		w := &m.windows[i]
		w.prune(now)
		use[i] = Use{w.limit, w.sum + m.InFlight()}
	}
	use[0].Limit = m.throttle.limit(now, use[0].Limit)
	return use
}

// BlockedUntil is when the stop after a 429 ends; in the past, or zero, when
// there is none.
func (m *Meter) BlockedUntil() Millis { return m.throttle.until }
