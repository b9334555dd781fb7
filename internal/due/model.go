package due

import (
	"slices"
	"time"
)

const (
	// Slack is added to each expected end.
	Slack = 30 * time.Second
	// Grace is added on top while callbacks arrive: the callback's time to bring
	// the end at no cost.
	Grace = 90 * time.Second
	// Dear is added where the first poll asks for the result: one that is not ready
	// costs a second request for the status.
	Dear = time.Minute

	// Remembered is how many ends a Model remembers.
	Remembered = 200

	priorQueue = time.Minute
	priorRatio = 0.2

	enough = 20 // ends from which on the model believes them
	refit  = 10 // ends after which the figures are computed anew
	// longest is the longest recording that is believed. Longer ones come from
	// mistaken units.
	longest  = 24 * time.Hour
	maxRatio = 1
)

// Model is what the jobs that ended teach about the next one: a queue time that
// four jobs in five do not exceed, and a ratio of processing to duration. The
// zero value knows the priors. It is not safe for concurrent use.
type Model struct {
	ends  [Remembered]sample // a ring
	n, at int                // how many there are, and where the next goes
	stale int                // ends since the figures were computed

	queue   time.Duration // 80th percentile of what processing leaves of the ages
	spread  time.Duration // between the 20th and the 80th percentile
	typical time.Duration // median duration of the audio
	ratio   float64       // processing time by duration
}

type sample struct{ took, duration time.Duration }

// Ended learns from a job of a duration (0: unknown) whose end is known exactly.
func (m *Model) Ended(took, duration time.Duration) {
	m.ends[m.at] = sample{max(took, 0), min(max(duration, 0), longest)}
	m.at = (m.at + 1) % Remembered
	m.n = min(m.n+1, Remembered)
	m.stale++
}

// Found learns from a job that a poll found ended at an age, after it was last
// seen running at another; seen is 0 when it never was.
//
// A first poll at the due time that finds the end says only that the job took no
// longer than expected. Learned as it stands, the estimate would grow by the
// slack with each job; so such an end counts as a little shorter than expected,
// and the jobs that are found late keep the balance.
func (m *Model) Found(age, seen, duration time.Duration) {
	if expected := m.Expect(duration); seen == 0 && age > max(time.Minute, expected/8) {
		m.Ended(min(age, expected*9/10), duration)
		return
	}
	m.Ended((seen+age)/2, duration)
}

// Expect returns the 80th percentile of job age at completion, for a duration of
// the audio (0: unknown).
func (m *Model) Expect(duration time.Duration) time.Duration {
	return m.Queue() + m.processing(duration)
}

// Known reports whether enough jobs have ended for the model to believe them.
func (m *Model) Known() bool { return m.n >= enough }

// Queue is the learned 80th-percentile queue time, without processing: a minute
// until 20 jobs ended.
func (m *Model) Queue() time.Duration {
	m.fit()
	if !m.Known() {
		return priorQueue
	}
	return m.queue
}

// Ratio is the learned ratio of processing to duration, 0.2 until it is known.
func (m *Model) Ratio() float64 {
	m.fit()
	if !m.Known() {
		return priorRatio
	}
	return m.ratio
}

// Spread is how far apart the 20th and the 80th percentile of job age lie once
// processing is taken out.
func (m *Model) Spread() time.Duration {
	m.fit()
	if !m.Known() {
		return priorQueue
	}
	return m.spread
}

// Key orders jobs by when they would end if none queued: a job that ends before
// one of a lower key has overtaken it.
func (m *Model) Key(submitted, duration time.Duration) time.Duration {
	return submitted + m.processing(duration)
}

// Due is the age at which a job is worth its first poll when it is expected to
// end at an age.
func Due(end time.Duration, callbacks bool) time.Duration {
	if callbacks {
		return end + Slack + Grace
	}
	return end + Slack
}

func (m *Model) processing(duration time.Duration) time.Duration {
	if duration <= 0 {
		duration = m.typical
	}
	return time.Duration(m.Ratio() * float64(min(duration, longest)))
}

// fit computes the figures when enough has ended since the last time.
func (m *Model) fit() {
	if m.stale < refit {
		return
	}
	m.stale = 0
	ends := m.ends[:m.n]
	durations := make([]time.Duration, 0, m.n)
	for _, e := range ends {
		if e.duration > 0 {
			durations = append(durations, e.duration)
		}
	}
	m.typical, m.ratio = 0, priorRatio
	if len(durations) > 0 {
		slices.Sort(durations)
		m.typical = durations[len(durations)/2]
		if len(durations) >= enough && durations[len(durations)-1] >= 2*durations[0] {
			m.ratio = slope(ends)
		}
	}
	queued := make([]time.Duration, m.n)
	for i, e := range ends {
		if e.duration == 0 {
			e.duration = m.typical
		}
		queued[i] = e.took - time.Duration(m.ratio*float64(e.duration))
	}
	slices.Sort(queued)
	m.queue = max(queued[(len(queued)-1)*4/5], 0)
	m.spread = m.queue - max(queued[len(queued)/5], 0)
}

// slope is the Theil-Sen estimator: the median of the slopes between all pairs,
// which outliers do not move.
func slope(ends []sample) float64 {
	slopes := make([]float64, 0, len(ends)*(len(ends)-1)/2)
	for i, a := range ends {
		for _, b := range ends[:i] {
			if a.duration > 0 && b.duration > 0 && a.duration != b.duration {
				slopes = append(slopes, float64(a.took-b.took)/float64(a.duration-b.duration))
			}
		}
	}
	slices.Sort(slopes)
	return min(max(slopes[len(slopes)/2], 0), maxRatio)
}
