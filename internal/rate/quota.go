package rate

const (
	maxHorizon = 25 * Hour // a reset further ahead is nonsense
	// shortHorizon tells the figures of a minute from those of an hour or a day.
	shortHorizon = 2 * Minute
	// sameReset is how far two statements of one reset lie apart at most.
	sameReset = 2 * Second
)

// quota is what the X-RateLimit headers of one answer left of a window of the
// service's.
type quota struct {
	until       Millis // the service's reset; the quota is void from then on
	left, total int
	next        Millis // the earliest next grant once little is left
}

// learn takes in the figures of an answer.
func (m *Meter) learn(now Millis, a Answer) {
	if a.Reset <= 0 || a.Reset > maxHorizon || a.Remaining < 0 || a.Limit < 0 {
		return
	}
	// A twentieth is left for whoever else uses the key, and requests still in
	// flight may not have been counted yet.
	q := quota{until: now + a.Reset, left: a.Remaining - a.Remaining/20 - m.InFlight(), total: max(a.Limit, a.Remaining)}
	known := &m.quotas[0]
	if a.Reset > shortHorizon {
		known = &m.quotas[1] // the figures of a day must not push out those of a minute
	}
	if apart := q.until - known.until; now < known.until && max(apart, -apart) <= sameReset {
		// The same window. Answers overtake each other: the lower figure is the later one.
		q.left = min(q.left, known.left)
	}
	if q.scarce() {
		q.next = known.next
	}
	*known = q
}

// earliest returns when the grant at a position from now fits.
func (q *quota) earliest(now Millis, position int) Millis {
	switch {
	case now >= q.until:
		return now
	case q.left < position:
		return q.until
	}
	return max(now, q.next)
}

// take counts a grant. While a quarter or more is left grants may come in a
// burst. Below that they are spread up to the reset, so that the key is never
// dead for the rest of a day.
func (q *quota) take(now Millis) {
	if now >= q.until {
		return
	}
	q.left--
	if q.scarce() {
		shares := Millis(max(0, q.left) + 1)
		q.next = now + (q.until-now+shares-1)/shares
	}
}

func (q *quota) scarce() bool { return q.left < (q.total+3)/4 }
