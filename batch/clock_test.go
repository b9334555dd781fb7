package batch_test

import (
	"syscall"
	"time"
)

// stopwatch measures real time, which time.Now does not tell inside a bubble.
func stopwatch() (elapsed func() time.Duration) {
	now := func() time.Duration {
		var tv syscall.Timeval
		_ = syscall.Gettimeofday(&tv)
		return time.Duration(tv.Nano())
	}
	began := now()
	return func() time.Duration { return now() - began }
}
