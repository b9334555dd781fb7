package budget

import "time"

const (
	// windowSlots makes what a slot wastes a little less than a sixtieth, and
	// with one that fills and one that leaves they fit into a ring of 64.
	windowSlots = 62
	// windowSlack keeps entries a little longer than their window, so that two
	// requests exactly a window apart are never counted together.
	windowSlack = time.Millisecond
)

var windowNames = [3]string{"minute", "hour", "day"}

// slot holds answers that came between first and last.
type slot struct {
	first, last time.Duration
	n           int
}

// window counts the answers of the last minute, hour or day. All answers of a
// slot leave together, one span after its last, so the count is never too low.
// A slot takes answers for one grain from its first; slots open at least a
// grain apart, which bounds how many there are.
type window struct {
	span, grain time.Duration
	limit       int // 0: counted, not limited
	slots       []slot
	head, n     int // a ring
	sum         int
}

func newWindows(l Limits) [3]window {
	size := func(span time.Duration, limit int) window {
		return window{span: span + windowSlack, grain: span / windowSlots, limit: limit}
	}
	w := [3]window{size(time.Minute, l.PerMinute), size(time.Hour, l.PerHour), size(24*time.Hour, l.PerDay)}
	if l.PerMinute > 0 {
		w[0].grain = 1 // exact; at most PerMinute entries
	}
	return w
}

// add counts an answer that came now.
func (w *window) add(now time.Duration) {
	w.prune(now)
	w.push(slot{now, now, 1})
}

// push adds a slot no earlier than those there, to the last one if it may.
func (w *window) push(s slot) {
	w.sum += s.n
	if w.n > 0 {
		if back := w.slot(w.n - 1); s.first-back.first < w.grain {
			back.last = max(back.last, s.last)
			back.n += s.n
			return
		}
	}
	if w.n == len(w.slots) {
		w.grow()
	}
	w.n++
	*w.slot(w.n - 1) = s
}

// prune forgets what has left the window by now.
func (w *window) prune(now time.Duration) {
	for w.n > 0 && w.slots[w.head].last+w.span <= now {
		w.sum -= w.slots[w.head].n
		w.head = (w.head + 1) % len(w.slots)
		w.n--
	}
}

// at returns when the m-th grant fits under limit if none comes before from,
// which is not before now. Requests in flight count as answered now, and grants
// in between as answered at once.
func (w *window) at(now, from time.Duration, inFlight, limit, m int) time.Duration {
	w.prune(now)
	if limit == 0 || w.sum+inFlight+m <= limit {
		return from
	}
	// Beyond a window's worth of grants each waits for one of those before it.
	rounds := time.Duration(min((m-1)/limit, 10_000)) * w.span
	surplus := w.sum + inFlight + (m-1)%limit + 1 - limit
	if surplus <= 0 {
		return from + rounds
	}
	for i := range w.n {
		s := w.slot(i)
		if surplus -= s.n; surplus <= 0 {
			return max(from, s.last+w.span) + rounds
		}
	}
	return max(from, now+w.span) + rounds
}

func (w *window) slot(i int) *slot { return &w.slots[(w.head+i)%len(w.slots)] }

func (w *window) grow() {
	slots := make([]slot, max(8, 2*len(w.slots)))
	for i := range w.n {
		slots[i] = *w.slot(i)
	}
	w.slots, w.head = slots, 0
}

// quota is what one answer's headers left of a window of the service's.
type quota struct {
	until       time.Duration // the service's reset; the quota is void from then on
	left, total int
	next        time.Duration // earliest next grant once little is left
}

// at returns when the m-th grant from now fits.
func (q *quota) at(now time.Duration, m int) time.Duration {
	switch {
	case now >= q.until:
		return now
	case q.left < m:
		return q.until
	}
	return max(now, q.next)
}

// take counts a grant. While a quarter or more is left grants may come in a
// burst; below that they are spread up to the reset, so that the key is never
// dead for the rest of a day.
func (q *quota) take(now time.Duration) {
	if now >= q.until {
		return
	}
	q.left--
	if q.scarce() {
		q.next = now + (q.until-now)/time.Duration(max(0, q.left)+1)
	}
}

func (q *quota) scarce() bool { return 4*q.left < q.total }
