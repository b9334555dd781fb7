//go:build linux

package fleet_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
)

// pooler starts a PgBouncer in transaction mode in front of a database, and
// returns the database's URL through it.
func pooler(t *testing.T, database string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil && os.Getenv(fleettest.RequireVariable) == "" {
		t.Skip("PgBouncer is not installed: apt-get install pgbouncer")
	}
	require.NoError(t, err)
	direct, err := url.Parse(database)
	require.NoError(t, err)
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a test
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())
	folder, err := os.MkdirTemp("", "pooler") //nolint:usetesting // whom it runs as has to reach it
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755))
	config := filepath.Join(folder, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
[databases]
* = host=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
`, direct.Query().Get("host"), port), 0o644))
	args := []string{config}
	if os.Geteuid() == 0 {
		args = []string{"-u", "postgres", config}
	}
	var said speech
	cmd := exec.Command(program, args...) //nolint:noctx // it is ended
	cmd.SysProcAttr, cmd.Stderr = dieWithParent(), &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	require.Eventually(t, func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, 20*time.Second, 20*time.Millisecond, &said)
	return "postgres://postgres@" + address + direct.Path + "?sslmode=disable&default_query_exec_mode=cache_describe"
}

func TestBehindAPoolerInTransactionModeAFleetWorksWithoutNotifications(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pooled := *s
	pooled.pool = poolOn(t, pooler(t, s.url))
	o := s.options()
	o.PollOnly = true
	f := pooled.start(t, o)
	pooled.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 5)))
	require.NoError(t, err)
	for key, o := range await(t, f, 5) {
		assert.Equal(t, batch.StateDone, o.State, "%s: %v", key, o.Err)
		transcript, err := f.Transcript(t.Context(), key)
		require.NoError(t, err)
		assert.NotEmpty(t, transcript.Text)
	}
	require.NoError(t, f.Forget(t.Context(), "call-0.wav"))
}
