package due

import (
	"math"
	"time"
)

const (
	oddsEnds = 10 // ends that Odds remembers

	baseTime     = 5 * time.Second // that any job takes
	baseRatio    = 0.15            // of the audio's duration, on top
	unknownAudio = 30 * time.Second

	// steepness is the exponent of the distribution: of the jobs that run at an age
	// one in nine ends within the next tenth of that age.
	steepness = 1.2

	// MinAsk is the least time between two questions about one job.
	MinAsk = 2 * time.Second
	// FirstAsk is the least age at which the first one is worth a request.
	FirstAsk = 2100 * time.Millisecond
	// Likely is the chance from which on a job has probably ended.
	Likely = 0.5

	leastChance  = 1.0 / 8          // of a question that is worth a request to spare: a gap of 12 % of the age
	overdue      = 3                // scales after which questions become rarer
	rarerGap     = 0.19             // of the age, from then on
	longGap      = 12 * time.Minute // and no longer, as long as that is 12 % of the age or more
	oddsJitter   = 0.05             // by how much of a gap jitter shortens it at most
	maxOddsRatio = 1000
)

// Odds say how likely it is that a job has ended since it was last seen running,
// from the last ten ends. They serve where requests are to spare and no callback
// will come, from the first end on; with many jobs a [Model] knows more. The zero
// value knows a prior that counts as one end. It is not safe for concurrent use.
type Odds struct {
	logs  [oddsEnds]float64 // of the ratio of time taken to the prior's
	n, at int
}

// Ended learns from a job that took so long, for audio of a duration (0:
// unknown).
func (o *Odds) Ended(took, duration time.Duration) {
	ratio := float64(max(took, 0)) / float64(prior(duration))
	o.logs[o.at] = math.Log(min(max(ratio, 1.0/maxOddsRatio), maxOddsRatio))
	o.at = (o.at + 1) % oddsEnds
	o.n = min(o.n+1, oddsEnds)
}

// Scale is how long a job usually takes: the prior for its duration, times the
// geometric mean of what the last ends took by theirs.
func (o *Odds) Scale(duration time.Duration) time.Duration {
	var sum float64
	for _, l := range o.logs[:o.n] {
		sum += l
	}
	return time.Duration(math.Exp(sum/float64(o.n+1)) * float64(prior(duration)))
}

func prior(duration time.Duration) time.Duration {
	if duration <= 0 {
		duration = unknownAudio
	}
	return baseTime + time.Duration(baseRatio*float64(min(duration, longest)))
}

// unseenSince is the age up to which a job is taken to have run.
func unseenSince(seen, scale time.Duration) time.Duration { return max(seen, scale*5/16) }

// Chance is how likely a job of a scale has ended by an age, 0 to 1, when it was
// last seen running at another (0: never).
func Chance(age, seen, scale time.Duration) float64 {
	since := unseenSince(seen, scale)
	if age <= since {
		return 0
	}
	return 1 - math.Pow(float64(since)/float64(age), steepness)
}

// Worth is the age at which a job of a scale, last seen running at another age,
// is worth a question when requests are to spare. The jitter, in [0, 1), shortens
// the gap by up to a twentieth.
//
// The gap is 12 % of the age. After three scales nothing is known of the job but
// that it takes long, so the gap is 19 %, and grows no further from an hour on
// until it is 12 % again: a job of six hours costs less than 60 questions and is
// found within an eighth of its time.
func Worth(seen, scale time.Duration, jitter float64) time.Duration {
	since := unseenSince(seen, scale)
	gap := float64(since) * (math.Pow(1-leastChance, -1/steepness) - 1)
	if since >= overdue*scale {
		gap = max(gap, min(rarerGap*float64(since), float64(longGap)))
	}
	return since + time.Duration(gap*(1-oddsJitter*jitter))
}
