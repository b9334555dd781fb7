package watch_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpuTime is what the process has used, also within a bubble.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var created, ended, kernel, user syscall.Filetime
	process, err := syscall.GetCurrentProcess()
	require.NoError(t, err)
	require.NoError(t, syscall.GetProcessTimes(process, &created, &ended, &kernel, &user))
	return time.Duration(kernel.Nanoseconds() + user.Nanoseconds()) // since an epoch that is the same for all
}
