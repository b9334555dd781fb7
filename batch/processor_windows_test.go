package batch_test

import (
	"syscall"
	"time"
)

// processor measures the time that this process has spent on processors.
func processor() (spent func() time.Duration) {
	now := func() time.Duration {
		var created, ended, kernel, user syscall.Filetime
		process, _ := syscall.GetCurrentProcess()
		_ = syscall.GetProcessTimes(process, &created, &ended, &kernel, &user)
		return time.Duration(kernel.Nanoseconds() + user.Nanoseconds()) // both of an epoch that is the same for all
	}
	began := now()
	return func() time.Duration { return now() - began }
}
