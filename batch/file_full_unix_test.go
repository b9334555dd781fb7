//go:build unix

package batch_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
)

func TestAFullDiskIsAnErrorAndWhatWasThereIsIntact(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("BATCH_TEST_FULL_DISK"); path != "" {
		fillDisk(t, path)
		return
	}
	path, want := filled(t)
	out, err := child(t, t.Name(), "BATCH_TEST_FULL_DISK="+path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "stored ")
	// What was stored before the disk was full, and after there was room again, is there.
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if key, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "stored "); ok {
			want[key] = batch.Record{}
		}
	}
	l := openFile(t, path)
	for r, err := range l.Records(t.Context()) {
		require.NoError(t, err)
		require.Contains(t, want, r.Key)
		delete(want, r.Key)
	}
	assert.Empty(t, want, "lost")
}

// fillDisk stores until the file may not grow any more, and then gives it room again.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // the write fails instead
	l, err := batch.Open(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(info.Size()), Max: before.Max}))
	failures := 0
	for i := 0; failures < 3; i++ {
		key := fmt.Sprint("more ", i)
		_, _, err := l.Claim(t.Context(), newRecord(key))
		if err == nil {
			fmt.Println("stored " + key)
			require.Less(t, i, 100_000)
			continue
		}
		failures++
		require.ErrorContains(t, err, "the disk is full")
		_, err = l.Get(t.Context(), batch.ByKey, key)
		require.ErrorIs(t, err, batch.ErrNoRecord)
		_, err = l.Get(t.Context(), batch.ByKey, "key 1")
		require.NoError(t, err)
	}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	for i := range 50 {
		key := fmt.Sprint("room ", i)
		_, _, err := l.Claim(t.Context(), newRecord(key))
		require.NoError(t, err)
		fmt.Println("stored " + key)
	}
	require.NoError(t, l.Close())
}
