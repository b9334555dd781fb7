package rate

const (
	// windowSlots makes what a slot wastes a little less than a sixtieth of its
	// window.
	windowSlots = 62
	// windowSlack keeps requests a little longer than their window. Times are
	// rounded down to milliseconds, and two requests exactly a window apart must
	// never be counted together.
	windowSlack Millis = 1
	// maxCount bounds figures that come from outside. Sums of two fit into 32 bits.
	maxCount = 1_000_000_000
)

var windowNames = [3]string{"minute", "hour", "day"}

// slot holds the requests that were answered between first and last.
type slot struct {
	first, last Millis
	count       int
}

// window counts the answers of the last minute, hour or day. All answers of a
// slot leave together, one span after its last, so the count is never too low.
// A slot takes answers for one grain from its first. Slots therefore open at
// least a grain apart, which bounds how many there are: 64 with the one that
// fills and the one that leaves.
type window struct {
	span, grain Millis
	limit       int    // 0: counted, not limited
	slots       []slot // by first; the first gone of them have left
	gone        int
	sum         int // of the counts of those that have not
}

func newWindows(l Limits) [3]window {
	size := func(span Millis, limit int) window {
		return window{span: span + windowSlack, grain: (span + windowSlots - 1) / windowSlots, limit: min(limit, maxCount)}
	}
	w := [3]window{size(Minute, l.PerMinute), size(Hour, l.PerHour), size(Day, l.PerDay)}
	if l.PerMinute > 0 {
		w[0].grain = 1 // exact; at most PerMinute slots
	}
	return w
}

// present are the slots that have not left.
func (w *window) present() []slot { return w.slots[w.gone:] }

// add counts a request that was answered now.
func (w *window) add(now Millis) {
	w.prune(now)
	w.push(slot{now, now, 1})
}

// push adds a slot that begins no earlier than those there. It becomes part of
// the last one where that still takes answers.
func (w *window) push(s slot) {
	w.sum += s.count
	if present := w.present(); len(present) > 0 {
		if back := &present[len(present)-1]; s.first-back.first < w.grain {
			back.last = max(back.last, s.last)
			back.count += s.count
			return
		}
	}
	w.slots = append(w.slots, s)
}

// prune forgets what has left the window by now.
func (w *window) prune(now Millis) {
	for w.gone < len(w.slots) && w.slots[w.gone].last+w.span <= now {
		w.sum -= w.slots[w.gone].count
		w.gone++
	}
	if w.gone > len(w.slots)/2 {
		w.slots = append(w.slots[:0], w.present()...)
		w.gone = 0
	}
}

// compact moves the slots to memory of their own.
func (w *window) compact() {
	w.slots = append([]slot(nil), w.present()...)
	w.gone = 0
}

// forecast asks when a grant comes, given what is known now.
type forecast struct {
	now      Millis
	from     Millis // no grant comes before; not before now
	inFlight int    // requests that count as answered now
	limit    int    // of the window; 0: not limited
	nth      int    // which grant from now is asked for; 1 is the next
}

// earliestGrant returns when the nth grant fits into the window. Grants that come
// before it count as answered at once.
func (w *window) earliestGrant(f forecast) Millis {
	w.prune(f.now)
	if f.limit == 0 || w.sum+f.inFlight+f.nth <= f.limit {
		return f.from
	}
	// Beyond a window's worth of grants each waits for one of those before it.
	const mostRounds = 10_000 // decades; more would overflow
	rounds := Millis(min((f.nth-1)/f.limit, mostRounds)) * w.span
	surplus := w.sum + f.inFlight + (f.nth-1)%f.limit + 1 - f.limit
	if surplus <= 0 {
		return f.from + rounds
	}
	for _, s := range w.present() {
		if surplus -= s.count; surplus <= 0 {
			return max(f.from, s.last+w.span) + rounds
		}
	}
	return max(f.from, f.now+w.span) + rounds
}
