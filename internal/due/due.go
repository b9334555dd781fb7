// Package due says when a job is worth a poll.
package due

import (
	"math/rand/v2"
	"time"
)

// First is when a job should first be polled: soon for a short recording, and
// within a minute for a long one.
func First(submitted time.Time, duration time.Duration) time.Time {
	return submitted.Add(min(2*time.Second+duration/10, time.Minute))
}

// Next is the gap after the given number of polls: it grows to a minute. Jitter
// only shortens it.
func Next(polls int) time.Duration {
	gap := 2 * time.Second
	for range min(polls, 16) {
		gap = gap * 3 / 2
	}
	gap = min(gap, time.Minute)
	return gap - rand.N(gap/5)
}
