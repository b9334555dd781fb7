package due

import "time"

const hookEnds = 50

// Hooks is the health of the callbacks: the share of ends learned by one, as a
// moving average over 50. The zero value trusts them. It is not safe for
// concurrent use.
type Hooks struct{ missing float64 }

// Ended counts an end, learned by a callback or in spite of one.
func (h *Hooks) Ended(byCallback bool) {
	var missing float64
	if !byCallback {
		missing = 1
	}
	h.missing += (missing - h.missing) / hookEnds
}

// Share is the share of ends learned by callback.
func (h *Hooks) Share() float64 { return 1 - h.missing }

// Arrive reports whether callbacks are worth waiting for.
func (h *Hooks) Arrive() bool { return h.missing <= 0.5 }

// Front knows how far the service has come: the keys ([Model.Key]) of the five
// latest jobs that ended. The zero value knows none.
type Front struct {
	keys [5]time.Duration
	n    int
}

// Ended takes in a job's key.
func (f *Front) Ended(key time.Duration) {
	if f.n < len(f.keys) {
		f.keys[f.n] = key
		f.n++
		return
	}
	least := 0
	for i := range f.keys {
		if f.keys[i] < f.keys[least] {
			least = i
		}
	}
	f.keys[least] = max(f.keys[least], key)
}

// Passed reports whether five later jobs have ended, all of them later by more
// than a margin.
func (f *Front) Passed(key, margin time.Duration) bool {
	if f.n < len(f.keys) {
		return false
	}
	for _, k := range f.keys {
		if k <= key+margin {
			return false
		}
	}
	return true
}
