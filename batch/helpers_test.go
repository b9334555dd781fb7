package batch_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
)

// openFile opens a ledger, and closes it with the test.
func openFile(t *testing.T, path string) batch.Ledger {
	t.Helper()
	l, err := batch.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func newPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "ledger")
}

// fastPath is in memory where the machine has such a place, for tests whose ledger is opened and written to hundreds of
// times and which are not about the disk: while others write to it, each sync takes long.
func fastPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "batch") //nolint:usetesting // t.TempDir is on the disk
	if err != nil {
		return newPath(t)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "ledger")
}

// openInBubble opens a ledger in a bubble, whose clock does not wait for other processes. One that another test starts just
// then has the lock of the file that Open looks at first, until it has become another program.
func openInBubble(t *testing.T, path string) batch.Ledger {
	t.Helper()
	for range 10_000 {
		l, err := batch.Open(path)
		if !errors.Is(err, batch.ErrLocked) {
			require.NoError(t, err)
			return l
		}
	}
	require.Fail(t, "the ledger stays locked")
	return nil
}

// newRecord is a record that waits to be sent. Its token is like no other record's, as the runs of one process want it.
func newRecord(key string) batch.Record {
	return batch.Record{Key: key, Name: key + ".wav", Token: "token of " + key + " " + rand.Text(), Phase: batch.Claimed, ClaimedAt: time.Now().UTC().Truncate(time.Millisecond)}
}

func claim(ctx context.Context, t *testing.T, l batch.Ledger, key string) batch.Record {
	t.Helper()
	made := newRecord(key)
	if d := variantOf(t).dialect; !d.SignedCallbacks() {
		made.Dialect = d.String() // else it is of the one before there were others
	}
	r, claimed, err := l.Claim(ctx, made)
	require.NoError(t, err)
	require.True(t, claimed)
	return r
}

// move changes a record.
func move(ctx context.Context, t *testing.T, l batch.Ledger, key string, change func(*batch.Record)) batch.Record {
	t.Helper()
	r, err := l.Apply(ctx, key, func(r batch.Record) (batch.Record, error) {
		change(&r)
		return r, nil
	})
	require.NoError(t, err)
	return r
}

// makeWAV is a recording whose samples depend on n.
func makeWAV(n, samples int) []byte {
	const rate = 8000
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*2)
	b = append(b, 2, 0, 16, 0, 'd', 'a', 't', 'a')
	b = binary.LittleEndian.AppendUint32(b, uint32(samples*2))
	for i := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(i*37+n*101+n>>8))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}
