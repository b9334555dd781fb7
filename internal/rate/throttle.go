package rate

const (
	maxStop   = 15 * Minute // the longest stop after a 429, jitter included
	firstStop = 10 * Second // where a 429 does not say; doubles while they keep coming
)

// throttle lowers the minute limit after a 429 and raises it step by step, by
// additive increase and multiplicative decrease (AIMD), as TCP does with its
// window.
//
// A 429 stops everybody for as long as it asks, and halves the limit of the
// minute. One limit that was too high makes many requests fail at once, so what
// was in flight at that moment is one burst, and halves it once. When the stop
// is over, each further minute without a 429 gives a tenth of the full limit
// back, until the limit is full again. Where a 429 does not say for how long it
// asks, the stop is ten seconds and doubles with each burst that follows within
// a minute of the last.
type throttle struct {
	until        Millis // nobody sends before
	burstEnd     uint64 // the last grant before the limit was halved: a 429 to one up to it is of the same burst
	bursts       int    // without a quiet minute between them
	reducedLimit int    // the minute's limit at quietSince; 0: not reduced
	fullLimit    int    // what it climbs back to
	quietSince   Millis // since when no 429 has come; the stop does not count
}

// refuse takes in a 429 to the request of this number.
func (m *Meter) refuse(now Millis, number uint64, a Answer) {
	t, after := &m.throttle, a.RetryAfter
	switch {
	case number > t.burstEnd:
		if now >= t.quietSince+Minute {
			t.bursts = 0
		}
		if after <= 0 {
			after = firstStop << min(t.bursts, 10)
		}
		t.bursts++
		t.burstEnd = m.granted
		m.halve(now)
	case t.reduced(now):
		t.reducedLimit += t.climbed(now) // it climbs on from here
	default:
		t.reducedLimit = 0
	}
	if after > 0 {
		after = min(after, maxStop)
		after += Millis(a.Jitter * float64(after/10+1))
		t.until = max(t.until, now+min(after, maxStop))
	}
	t.quietSince = max(now, t.until)
}

// halve is the multiplicative decrease.
func (m *Meter) halve(now Millis) {
	t, minute := &m.throttle, &m.windows[0]
	limit := t.reducedLimit + t.climbed(now)
	if !t.reduced(now) {
		t.fullLimit = minute.limit
		if t.fullLimit == 0 {
			// Not limited: what went out in the last minute was too much.
			t.fullLimit = max(2, minute.sum+m.InFlight())
		}
		limit = t.fullLimit
	}
	t.reducedLimit = max(1, limit/2)
}

// reduced reports whether the minute's limit is still below the full one.
func (t *throttle) reduced(at Millis) bool {
	return t.reducedLimit > 0 && t.reducedLimit+t.climbed(at) < t.fullLimit
}

// limit is the minute's limit at a time, given the one without 429s.
func (t *throttle) limit(at Millis, planned int) int {
	if !t.reduced(at) {
		return planned
	}
	return t.reducedLimit + t.climbed(at)
}

// climbed is the additive increase: a tenth, rounded up, for each whole minute.
// Ten of them are the full limit.
func (t *throttle) climbed(at Millis) int {
	return min(t.quietMinutes(at), 10) * ((t.fullLimit + 9) / 10)
}

// nextRise is when the limit is raised next.
func (t *throttle) nextRise(now Millis) Millis {
	return t.quietSince + Millis(t.quietMinutes(now)+1)*Minute
}

func (t *throttle) quietMinutes(at Millis) int {
	return int(max(0, (at-t.quietSince)/Minute))
}
