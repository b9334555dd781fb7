//go:build linux

package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

var idleSeconds = flag.Int("idle.seconds", 0, "how long the idle test measures; 0: not at all")

// residentMemory is a process's VmRSS in MiB.
func residentMemory(t *testing.T, pid int) (mib float64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb float64
	_, err = fmt.Sscan(rest, &kb)
	require.NoError(t, err)
	return kb / 1024
}

func TestAHundredThousandPendingJobsCostNextToNothing(t *testing.T) { //nolint:paralleltest // alone: it measures
	if *idleSeconds == 0 {
		t.Skip("it takes a minute; run it with -idle.seconds=60")
	}
	cluster := ownCluster(t, "shared_preload_libraries=pg_stat_statements", "max_connections=200")
	pool := poolOn(t, cluster.URL(""))
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	_, err := pool.Exec(t.Context(), "create extension pg_stat_statements")
	require.NoError(t, err)
	fill(t, pool, 100_000, 1<<30)
	fake := scriptixtest.New(t)
	r := role{Kind: "worker", Database: cluster.URL(""), Service: fake.URL(), APIKey: fake.APIKey(), Secret: fake.WebhookSecret(),
		Callback: "http://127.0.0.1:9/hook", Root: t.TempDir(), Lease: 20 * time.Second, Listen: "127.0.0.1:0"}
	leader := r.begin(t)
	pause := func(seconds int) {
		_, err := pool.Exec(t.Context(), "select pg_sleep($1)", seconds)
		require.NoError(t, err)
	}
	pause(10) // it leads, and has loaded the jobs
	other := r.begin(t)
	r.begin(t)
	r.Kind = "receiver"
	r.begin(t)
	r.begin(t)
	pause(15)
	_, err = pool.Exec(t.Context(), "select pg_stat_statements_reset()")
	require.NoError(t, err)
	pause(*idleSeconds)
	var calls, milliseconds float64
	const sum = "select sum(calls), sum(total_exec_time) from pg_stat_statements where query not like '%pg_sleep%' and query not like '%pg_stat_statements%'"
	require.NoError(t, pool.QueryRow(t.Context(), sum).Scan(&calls, &milliseconds))
	seconds := float64(*idleSeconds)
	more := residentMemory(t, leader.cmd.Process.Pid) - residentMemory(t, other.cmd.Process.Pid)
	t.Logf("100,000 pending, 3 workers and 2 receivers: %.1f statements a second, %.2f ms of the database's time a second, %.0f MiB more in the leader",
		calls/seconds, milliseconds/seconds, more)
	assert.Less(t, calls/seconds, 20.0)
	assert.Less(t, milliseconds/seconds, 5.0)
	assert.Less(t, more, 64.0)
}
