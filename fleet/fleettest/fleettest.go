package fleettest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// RequireVariable is the environment variable that makes a missing PostgreSQL a
// failure. Without it the tests that need one are skipped.
const RequireVariable = "SCRIPTIX_REQUIRE_POSTGRES"

// TB is what [Database] needs of a [*testing.T] or [*testing.B].
type TB interface {
	Helper()
	Context() context.Context
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// shared is the cluster on which all tests of a process have their databases.
var shared = sync.OnceValues(func() (*Cluster, error) {
	return Start("fsync=off", "max_connections=400", "shared_buffers=64MB")
})

var databases atomic.Int64

// Database makes an empty database for one test and returns its URL. All of a
// process's are on one server, which is started with the first and ends with
// the process: call [Close] at the end of TestMain. Where PostgreSQL is missing
// the test is skipped, or fails if SCRIPTIX_REQUIRE_POSTGRES is set.
func Database(tb TB) string {
	tb.Helper()
	cluster, err := shared()
	if errors.Is(err, ErrMissing) && os.Getenv(RequireVariable) == "" {
		tb.Skipf("%v", err)
		return ""
	}
	if err != nil {
		tb.Fatalf("%v", err)
		return ""
	}
	made, err := cluster.Database(tb.Context(), fmt.Sprint("test", databases.Add(1)))
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return made
}

// Close ends the server that [Database] has started, if any.
func Close() error {
	if databases.Load() == 0 {
		return nil
	}
	cluster, err := shared()
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	return cluster.Close()
}
