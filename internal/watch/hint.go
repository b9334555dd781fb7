package watch

import (
	"maps"
	"time"
)

// hintGap is the least time between two polls of a job that hints brought
// forward: a leaked secret must not be able to spend the budget.
const hintGap = 30 * time.Second

// hints remembers which jobs' polls were brought forward of late.
type hints struct {
	given map[string]time.Duration
	swept time.Duration // when old ones were last taken out
}

// take reports whether a job's poll may be brought forward now.
func (h *hints) take(id string, now time.Duration) bool {
	if h.given == nil || now-h.swept >= hintGap {
		maps.DeleteFunc(h.given, func(_ string, at time.Duration) bool { return now-at >= hintGap })
		h.swept = now
	}
	if at, ok := h.given[id]; ok && now-at < hintGap {
		return false
	}
	if h.given == nil {
		h.given = make(map[string]time.Duration)
	}
	h.given[id] = now
	return true
}

// Hint brings a job's next poll forward to now, because an unsigned message says
// that something happened to it. That is all such a message can do: it ends
// nothing, and it changes neither what is learned nor when others are polled.
// Jobs that nobody waits for, and hints within half a minute of the last, are
// passed over.
func (s *Scheduler) Hint(jobID string) {
	s.mu.Lock()
	defer s.unlock()
	r, known := s.records[jobID]
	if !known || r.phase != open || !r.wanted() || r.place == polling || r.due <= s.now() {
		return
	}
	if !s.hints.take(jobID, s.now()) {
		return
	}
	s.moveTo(r, s.now())
	s.arm()
}
