package batch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/scriptix-io/scriptix-go/batch"
)

func TestASecondOpenerIsToldWithinASecond(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) { // so that the time is what Open waits, however busy the machine
		openFile(t, path)
		began := time.Now()
		_, err := batch.Open(path)
		require.ErrorIs(t, err, batch.ErrLocked)
		assert.Less(t, time.Since(began), time.Second)
		assert.ErrorContains(t, err, path)
	})
}

func TestALedgerInAFileOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, err := batch.Open(path)
	require.NoError(t, err)
	claim(t.Context(), t, l, "a")
	want := move(t.Context(), t, l, "a", func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, "job" })
	_, err = l.Park(t.Context(), batch.Event{JobID: "later", At: time.Now()})
	require.NoError(t, err)
	require.NoError(t, l.StoreBudget(t.Context(), []byte("budget")))
	require.NoError(t, l.Close())

	l = openFile(t, path)
	got, err := l.Get(t.Context(), batch.ByJob, "job")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	state, err := l.LoadBudget(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "budget", string(state))
	claim(t.Context(), t, l, "b")
	b := move(t.Context(), t, l, "b", func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, "later" })
	assert.Equal(t, batch.Completed, b.Phase, "the event parked before the restart")
}

// filled makes a ledger file of a few dozen records.
func filled(t *testing.T) (path string, want map[string]batch.Record) {
	t.Helper()
	path, want = newPath(t), make(map[string]batch.Record)
	l, err := batch.Open(path)
	require.NoError(t, err)
	for i := range 40 {
		key := fmt.Sprint("key ", i)
		want[key] = claim(t.Context(), t, l, key)
		if i%2 == 0 {
			want[key] = move(t.Context(), t, l, key, func(r *batch.Record) {
				r.Phase, r.JobID, r.Due = batch.Submitted, fmt.Sprint("job ", i), r.ClaimedAt
			})
		}
	}
	for i := range 5 {
		_, err := l.Park(t.Context(), batch.Event{JobID: fmt.Sprint("parked ", i), At: time.Now().UTC()})
		require.NoError(t, err)
	}
	require.NoError(t, l.StoreBudget(t.Context(), []byte(strings.Repeat("budget ", 300))))
	require.NoError(t, l.Close())
	return path, want
}

// holds asserts that the ledger in a file, if it opens at all, has the records.
func holds(t *testing.T, path string, want map[string]batch.Record) error {
	t.Helper()
	l, err := batch.Open(path)
	if err != nil {
		return err
	}
	defer func() { assert.NoError(t, l.Close()) }()
	n := 0
	for r, err := range l.Records(t.Context()) {
		if err != nil {
			return err
		}
		n++
		if want[r.Key] != r {
			return fmt.Errorf("silently wrong: %+v, want %+v", r, want[r.Key])
		}
		for by, value := range map[batch.Index]string{batch.ByKey: r.Key, batch.ByJob: r.JobID, batch.ByToken: r.Token} {
			if value == "" {
				continue
			}
			if got, err := l.Get(t.Context(), by, value); err != nil || got != r {
				return fmt.Errorf("by %s: %+v, %w", by, got, err)
			}
		}
	}
	if n != len(want) {
		return fmt.Errorf("silently wrong: %d records, want %d", n, len(want))
	}
	_, err = l.LoadBudget(t.Context())
	return err
}

func TestAFlippedBitIsAnErrorOrHarmlessAndTheFileStaysAsItIs(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	require.NoError(t, holds(t, path, want))
	sound, err := os.ReadFile(path)
	require.NoError(t, err)

	dir, harmless, caught := t.TempDir(), 0, 0
	random := rand.New(rand.NewPCG(9, 2))
	var written []int
	for at, b := range sound {
		if b != 0 {
			written = append(written, at)
		}
	}
	const rounds = 400
	for i := range rounds {
		damaged := bytes.Clone(sound)
		at := written[random.IntN(len(written))]
		if i < 128 {
			at = (i/64)*4096 + 16 + i%64 // the meta pages
		}
		damaged[at] ^= 1 << random.IntN(8)
		name := filepath.Join(dir, "damaged")
		require.NoError(t, os.WriteFile(name, damaged, 0o600))
		switch err := holds(t, name, want); {
		case err == nil:
			harmless++ // a free page, or the padding of one in use
		case errors.Is(err, batch.ErrCorrupt) || errors.Is(err, batch.ErrFormat):
			caught++
			after, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(after, damaged), "bit at %d: the file was written to", at)
		default:
			require.NoError(t, err, "bit at %d", at)
		}
	}
	assert.Greater(t, caught, 128, "of %d", rounds)
	t.Logf("%d caught, %d harmless", caught, harmless)
}

func TestAFileCutShortIsAnErrorAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, size := range []int{1, 15, 40, 4095, 4096, 5000, 8192, 12288, len(sound) / 2, len(sound) - 1} {
		name := filepath.Join(t.TempDir(), "short")
		require.NoError(t, os.WriteFile(name, sound[:size], 0o600))
		if err := holds(t, name, want); size < len(sound)/3 || err != nil {
			require.Truef(t, errors.Is(err, batch.ErrCorrupt) || errors.Is(err, batch.ErrFormat), "%d bytes of %d: %v", size, len(sound), err)
			after, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Len(t, after, size)
		}
	}
}

func TestAFileOfSomethingElseIsRefusedAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	db, err := bbolt.Open(other, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("somebody else's"))
		return err
	}))
	require.NoError(t, db.Close())
	later := newPath(t)
	openFile(t, later)
	for name, content := range map[string][]byte{
		"a text": []byte("# Meeting notes\n"), "a recording": makeWAV(1, 8000), "zeroes": make([]byte, 100_000), "noise": noise(70_000),
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err := batch.Open(path)
		require.ErrorIs(t, err, batch.ErrFormat, name)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content, after), name)
	}
	_, err = batch.Open(other)
	require.ErrorIs(t, err, batch.ErrFormat)
	_, err = batch.Open(dir)
	require.ErrorIs(t, err, batch.ErrFormat)
	_, err = batch.Open(filepath.Join(dir, "missing", "ledger"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestALedgerOfALaterVersionIsRefused(t *testing.T) {
	t.Parallel()
	path, _ := filled(t)
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("scriptix-ledger 2"))
	}))
	require.NoError(t, db.Close())
	_, err = batch.Open(path)
	require.ErrorIs(t, err, batch.ErrFormat)
	assert.ErrorContains(t, err, "scriptix-ledger 2")
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// child runs a test of this binary in a process of its own.
func child(t *testing.T, test string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

func TestWritesThatComeTogetherShareACommit(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, err := batch.Open(path)
	require.NoError(t, err)
	before := commits(t, path)
	const writers, each = 32, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, claimed, err := l.Claim(t.Context(), newRecord(fmt.Sprint(w, " ", i)))
				assert.NoError(t, err)
				assert.True(t, claimed)
			}
		})
	}
	wg.Wait()
	assert.Less(t, commits(t, path)-before, writers*each/2, "each write waits for a sync of its own")
	require.NoError(t, l.Close())
}

// commits counts those of a ledger's file that nobody writes at the moment.
func commits(t *testing.T, path string) (n int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	other := newPath(t) // because the file itself is locked
	require.NoError(t, os.WriteFile(other, data, 0o600))
	db, err := bbolt.Open(other, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	}))
	require.NoError(t, db.Close())
	return n
}

func TestASnapshotTellsAnotherProcessHowFarTheBatchIs(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	_, err := batch.ReadSnapshot(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	l, err := batch.Open(path)
	require.NoError(t, err)
	for i := range 5 {
		claim(t.Context(), t, l, fmt.Sprint(i))
	}
	move(t.Context(), t, l, "3", func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, "job" })
	require.Eventually(t, func() bool {
		s, err := batch.ReadSnapshot(path)
		return err == nil && s.Open && s.Total() == 5
	}, 5*time.Second, 20*time.Millisecond)
	move(t.Context(), t, l, "3", func(r *batch.Record) { r.Phase = batch.Completed })
	require.NoError(t, l.Close())

	s, err := batch.ReadSnapshot(path)
	require.NoError(t, err)
	assert.False(t, s.Open)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 4, batch.Completed: 1}, s.Counts)
	require.Len(t, s.Recent, 5)
	assert.Equal(t, "3", s.Recent[0].Key)
	assert.Empty(t, s.Recent[0].Token)
	openFile(t, path)
}

func TestExportWritesALineForEachRecordAndNoToken(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	var out bytes.Buffer
	require.NoError(t, batch.Export(t.Context(), openFile(t, path), &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, len(want))
	for _, line := range lines {
		var r batch.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		assert.Equal(t, want[r.Key].JobID, r.JobID)
		assert.Empty(t, r.Token)
	}
	assert.NotContains(t, out.String(), "token of")
}
