package due_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

func TestOddsLeanOnWhatWasSeenFromTheFirstEndOn(t *testing.T) {
	t.Parallel()
	var o due.Odds
	assert.Equal(t, 6500*time.Millisecond, o.Scale(10*time.Second))
	assert.Equal(t, 9500*time.Millisecond, o.Scale(0), "unknown audio counts as half a minute")
	o.Ended(26*time.Second, 10*time.Second)
	assert.InDelta(t, 13, o.Scale(10*time.Second).Seconds(), 0.01, "the prior counts as one end")
	for range 20 {
		o.Ended(26*time.Second, 10*time.Second)
	}
	assert.InDelta(t, 23, o.Scale(10*time.Second).Seconds(), 0.2, "ten ends count at most")
	for range 20 {
		o.Ended(0, 0)
		o.Ended(10_000*time.Hour, time.Second)
	}
	assert.Positive(t, o.Scale(0))
	assert.Less(t, o.Scale(0), 24*time.Hour)
}

func TestChanceGrowsWithTheAgeSinceAJobWasLastSeenRunning(t *testing.T) {
	t.Parallel()
	const scale = 30 * time.Second
	assert.Zero(t, due.Chance(5*time.Second, 0, scale), "nothing ends in less than a third of the scale")
	assert.InDelta(t, 0.60, due.Chance(20*time.Second, 0, scale), 0.01)
	assert.InDelta(t, 0.1, due.Chance(22*time.Second, 20*time.Second, scale), 0.02)
	assert.Zero(t, due.Chance(20*time.Second, 20*time.Second, scale))
}

func TestQuestionsAboutOneJobStayFewHoweverLongItTakes(t *testing.T) {
	t.Parallel()
	for _, scale := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 2 * time.Hour} {
		for _, jitter := range []float64{0, 0.5, 0.999} {
			questions, upToThrice := 0, 0
			var seen, last, gap time.Duration
			for {
				age := max(due.Worth(seen, scale, jitter), last+due.MinAsk)
				if age > 6*time.Hour {
					break
				}
				questions++
				if age <= 3*scale {
					upToThrice++
				}
				if seen > 0 {
					assert.GreaterOrEqual(t, age-seen, gap-time.Microsecond, "ever more rarely: at %v of a scale of %v", age, scale)
					assert.LessOrEqual(t, (age - seen).Seconds(), max(0.2*seen.Seconds(), due.MinAsk.Seconds()), "at most a fifth late")
					gap = age - seen
				}
				seen, last = age, age
			}
			assert.LessOrEqual(t, questions, 60, "scale %v", scale)
			assert.LessOrEqual(t, upToThrice, 25, "scale %v", scale)
		}
	}
}
