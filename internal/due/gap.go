package due

import (
	"math"
	"time"
)

const (
	minGap = time.Minute
	maxGap = time.Hour

	// maxPostponed is how far a growing estimate may postpone a poll beyond its
	// first due time. Jobs with a long way to their first poll have more.
	maxPostponed = 10 * time.Minute
)

// Gap is the time to the next poll of a job that was found running at an age: a
// tenth of the age, between a minute and an hour. The jitter, in [0, 1), shortens
// it by up to a tenth.
func Gap(age time.Duration, jitter float64) time.Duration {
	gap := min(max(age/10, minGap), maxGap)
	return gap - scale(gap/10, jitter)
}

// Again is the time to the next request, after so many, for a job of which a
// callback reported more than the API does.
func Again(asked int) time.Duration {
	gap := 5 * time.Second
	for range min(asked, 20) {
		gap = gap * 3 / 2
	}
	return min(gap, maxGap)
}

// Latest bounds how far a growing estimate may postpone a poll: a job first due
// at age first is polled by the returned age.
func Latest(first time.Duration, polled bool) time.Duration {
	if polled {
		return first + maxPostponed
	}
	return first + max(maxPostponed, first)
}

// Bound bounds how far peers that run as well may postpone a poll: a job that
// the model has due at one age is polled by the returned age.
func Bound(due time.Duration) time.Duration { return due + max(maxPostponed*4/5, due/2) }

// Resent is when the sender, by its schedule, next repeats a callback that it
// first sent at an instant and that did not get through; false when it has given
// up by now.
func Resent(sent, now time.Duration) (time.Duration, bool) {
	for _, after := range [...]time.Duration{time.Minute, 6 * time.Minute, 21 * time.Minute} {
		if at := sent + after; at > now {
			return at, true
		}
	}
	return 0, false
}

func scale(d time.Duration, by float64) time.Duration {
	return time.Duration(math.Floor(float64(d) * by))
}
