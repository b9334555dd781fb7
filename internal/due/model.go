// Package due says when a job is worth a poll, and what a callback or a poll
// may change in what is known of a job. It is pure: it holds no clock, no lock
// and no job, so that whoever keeps records, in memory or in a database, decides
// by the same rules.
package due

import (
	"slices"
	"time"
)

const (
	// Slack is added to each expected end.
	Slack = 30 * time.Second
	// Grace is what the callback has beyond that, while callbacks arrive.
	Grace = 90 * time.Second

	priorQueue = time.Minute
	priorRatio = 0.2

	modelEnds = 200 // ends that the model remembers
	enough    = 20  // ends from which on it believes them
	refit     = 10  // ends after which the figures are computed anew
	// longest is the longest recording that is believed; mistaken units make
	// others.
	longest  = 24 * time.Hour
	maxRatio = 1

	probes = 5 // jobs found running, and none ended, that overrule it
)

// Model is what the jobs that ended teach about the next one: a queue time that
// most do not exceed, and a ratio of processing to duration. The zero value
// knows the priors. It is not safe for concurrent use.
type Model struct {
	ends  [modelEnds]sample
	n, at int // how many there are, and where the next goes
	stale int // ends since the figures were computed

	queue, spread, typical time.Duration
	ratio                  float64

	probed   [probes]probe // the last looks that found jobs running, none ended since
	inVain   int
	overrule time.Duration // the least of their ages once there are enough, else 0
}

// probe is a look at a job, and the age it had then beyond its processing.
type probe struct {
	id  string
	age time.Duration
}

type sample struct{ took, duration time.Duration }

// Ended takes in a job of a duration (0: unknown) whose end is known exactly.
func (m *Model) Ended(took, duration time.Duration) {
	m.learn(took, duration)
	rest := max(took-m.processing(duration), 0)
	if rest >= m.overrule {
		return
	}
	m.hit()
	if m.n < enough {
		m.overrule = rest * 5 / 7 // better than the prior, which was overruled for a reason
	}
}

// Found takes in a job that a poll found ended at an age, after it was last
// seen running at another; seen is 0 when it never was.
//
// What a first look at the due time finds says only that the job took no longer
// than expected. Learned as it stands, the estimate would grow by the slack with
// each job; so it counts as a little shorter, and those that are found late keep
// the balance.
func (m *Model) Found(age, seen, duration time.Duration) {
	if expected := m.Expect(duration); seen == 0 && age > max(time.Minute, expected/8) {
		m.learn(min(age, expected*9/10), duration)
		m.hit()
		return
	}
	m.Ended((seen+age)/2, duration)
}

// Running takes in that a poll at its due time found a job running at an age.
// When that holds for several jobs, and none has ended meanwhile, jobs take
// longer than the model thinks.
func (m *Model) Running(id string, age, duration time.Duration) {
	p := probe{id, max(age-m.processing(duration), 0)}
	at := slices.IndexFunc(m.probed[:min(m.inVain, probes)], func(before probe) bool { return before.id == id })
	if at < 0 {
		at = m.inVain % probes
		m.inVain++
	}
	m.probed[at] = p
	if m.inVain >= probes {
		m.overrule = m.probed[0].age
		for _, p := range m.probed {
			m.overrule = min(m.overrule, p.age)
		}
	}
}

func (m *Model) hit() {
	m.inVain, m.overrule = 0, 0
	clear(m.probed[:])
}

// Expect returns how long after its submission a job of a duration (0: unknown)
// has ended with four chances in five.
func (m *Model) Expect(duration time.Duration) time.Duration {
	return max(m.Usual(duration), m.Overruled(duration, false))
}

// Overruled is what polls that found jobs running make of it, 0 while they
// agree with the ends. Jobs that were looked at are given longer than others, so
// that each time others are asked: five that hang must not speak for all.
func (m *Model) Overruled(duration time.Duration, looked bool) time.Duration {
	switch {
	case m.overrule == 0:
		return 0
	case looked:
		return m.overrule*8/5 + m.processing(duration)
	}
	return m.overrule*7/5 + m.processing(duration)
}

// Usual is Expect as the ends alone have it, whatever polls found running since.
func (m *Model) Usual(duration time.Duration) time.Duration {
	return m.Queue() + m.processing(duration)
}

// Queue is the learned queue time, the prior of a minute until 20 jobs ended.
func (m *Model) Queue() time.Duration {
	m.fit()
	if m.n < enough {
		return priorQueue
	}
	return m.queue
}

// Ratio is the learned ratio of processing to duration, 0.2 until it is known.
func (m *Model) Ratio() float64 {
	m.fit()
	if m.n < enough {
		return priorRatio
	}
	return m.ratio
}

// Spread is how far apart four fifths and one fifth of the jobs that ended lie
// once their processing is taken out.
func (m *Model) Spread() time.Duration {
	m.fit()
	if m.n < enough {
		return priorQueue
	}
	return m.spread
}

// Key orders jobs by when they would end if none queued: whoever ends before
// one of a lower key has overtaken it.
func (m *Model) Key(submitted, duration time.Duration) time.Duration {
	return submitted + m.processing(duration)
}

// Due is the age at which a job is worth its first poll when it should have
// ended at another.
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

func (m *Model) learn(took, duration time.Duration) {
	m.ends[m.at] = sample{max(took, 0), min(max(duration, 0), longest)}
	m.at = (m.at + 1) % modelEnds
	m.n = min(m.n+1, modelEnds)
	m.stale++
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
	rest := make([]time.Duration, m.n)
	for i, e := range ends {
		if e.duration == 0 {
			e.duration = m.typical
		}
		rest[i] = e.took - time.Duration(m.ratio*float64(e.duration))
	}
	slices.Sort(rest)
	m.queue = max(rest[(len(rest)-1)*4/5], 0)
	m.spread = m.queue - max(rest[len(rest)/5], 0)
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
