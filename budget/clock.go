package budget

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// clock tells the time in milliseconds since the Unix epoch. It was set by the
// wall clock once and runs by the monotonic one, so that nobody who sets the wall
// clock moves the windows.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() rate.Millis { return c.at(time.Now()) }

// at is a time in milliseconds, rounded down.
func (c clock) at(t time.Time) rate.Millis {
	sinceEpoch := c.start.UnixNano() + int64(t.Sub(c.start))
	return rate.Millis(sinceEpoch / int64(time.Millisecond))
}

// since is how long after the start t is, to the nanosecond.
func (c clock) since(t time.Time) time.Duration { return t.Sub(c.start) }

// elapsed is how long after the start a time of the meter is.
func (c clock) elapsed(at rate.Millis) time.Duration {
	start := c.start.UnixNano()
	whole := time.Duration(at-rate.Millis(start/int64(time.Millisecond))) * time.Millisecond
	return whole - time.Duration(start%int64(time.Millisecond))
}

// until is how long it takes until a time of the meter; never negative.
func (c clock) until(at rate.Millis) time.Duration { return max(0, c.elapsed(at)-time.Since(c.start)) }

// wall is a time of the meter by the wall clock; not before now.
func (c clock) wall(at rate.Millis) time.Time { return time.Now().Add(c.until(at)) }
