//go:build unix

package batch_test

import (
	"syscall"
	"time"
)

// processor measures the time that this process has spent on processors.
func processor() (spent func() time.Duration) {
	now := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := now()
	return func() time.Duration { return now() - began }
}
