package rate

import "slices"

// History is what a meter remembers, in plain figures: what another meter of the
// same key, such as that of the next process, has to know.
type History struct {
	Windows      [3][]Slot // minute, hour, day
	Unanswered   int       // requests that count as answered when the history is merged
	BlockedUntil Millis    // 0: no stop

	// The minute's limit at QuietSince, after a 429, and what it climbs back to;
	// 0: it is not reduced.
	ReducedLimit, FullLimit int
	QuietSince              Millis
}

// Slot is a number of requests that were answered between First and Last.
type Slot struct {
	First, Last Millis
	Count       int
}

// History returns what the meter remembers now.
func (m *Meter) History(now Millis) History {
	h := History{Unanswered: m.InFlight()}
	for i := range m.windows {
		w := &m.windows[i]
		w.prune(now)
		for _, s := range w.present() {
			h.Windows[i] = append(h.Windows[i], Slot{s.first, s.last, s.count})
		}
	}
	t := &m.throttle
	if t.until > now {
		h.BlockedUntil = t.until
	}
	if t.reduced(now) {
		h.ReducedLimit, h.FullLimit, h.QuietSince = t.reducedLimit, t.fullLimit, t.quietSince
	}
	return h
}

// Merge adds the requests of another meter of the same key. An answer from the
// future of a clock that was set back counts as one that came now. Figures that
// make no sense do no harm.
func (m *Meter) Merge(now Millis, h History) {
	const lifetime = 60 * 365 * Day // nonsense must not overflow
	for i, slots := range h.Windows {
		merged := make([]slot, 0, len(slots)+1)
		for _, s := range slots {
			last := min(now, max(s.Last, now-lifetime))
			first := min(last, max(s.First, now-lifetime))
			merged = append(merged, slot{first, last, min(max(0, s.Count), maxCount)})
		}
		merged = append(merged, slot{now, now, min(max(0, h.Unanswered), 2*maxCount)})
		m.windows[i].merge(now, merged)
	}
	t := &m.throttle
	t.until = max(t.until, min(h.BlockedUntil, now+maxStop))
	if h.ReducedLimit <= 0 || h.ReducedLimit > maxCount || h.FullLimit > maxCount {
		return
	}
	other := throttle{reducedLimit: h.ReducedLimit, fullLimit: h.FullLimit, quietSince: min(max(h.QuietSince, now-lifetime), now+maxStop)}
	if full := m.windows[0].limit; full > 0 {
		other.fullLimit = full
	}
	if other.reduced(now) && (!t.reduced(now) || other.limit(now, 0) < t.limit(now, 0)) {
		t.reducedLimit, t.fullLimit, t.quietSince = other.reducedLimit, other.fullLimit, other.quietSince
	}
}

// merge adds slots that may lie anywhere between the present ones.
func (w *window) merge(now Millis, slots []slot) {
	slots = append(slots, w.present()...)
	slices.SortFunc(slots, func(x, y slot) int { return int(min(max(x.first-y.first, -1), 1)) })
	w.slots, w.gone, w.sum = nil, 0, 0
	latest := Millis(-1 << 63)
	for _, s := range slots {
		s.count = min(s.count, maxCount-w.sum)
		if s.count == 0 || s.last+w.span <= now {
			continue
		}
		// Slots leave in their order: a later one does not leave before an earlier one.
		latest = max(latest, s.last)
		w.push(slot{s.first, latest, s.count})
	}
}
