package batch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

func TestAWriteThatCannotBeStoredDoesNotFailThoseThatShareItsCommit(t *testing.T) {
	t.Parallel()
	l := openFile(t, newPath(t))
	claim(t.Context(), t, l, "bad")
	errs := make(chan error, 200)
	var wg sync.WaitGroup
	for i := range cap(errs) {
		wg.Go(func() {
			if i%10 == 0 {
				_, err := l.Apply(t.Context(), "bad", func(r batch.Record) (batch.Record, error) {
					r.Due = time.Date(10_000, 1, 1, 0, 0, i, 0, time.UTC) // no JSON has this year
					return r, nil
				})
				assert.Error(t, err)
				return
			}
			_, _, err := l.Claim(t.Context(), newRecord(fmt.Sprint("good ", i)))
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	n := 0
	for _, err := range l.Records(t.Context()) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 181, n)
}

func TestAKeyThatIsNoTextLeavesTheFileSound(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, err := batch.Open(path)
	require.NoError(t, err)
	_, _, err = l.Claim(t.Context(), newRecord("caf\xe9"))
	require.ErrorContains(t, err, "UTF-8")
	_, err = l.Park(t.Context(), batch.Event{JobID: "job \xff", At: time.Now()})
	require.Error(t, err)
	require.NoError(t, l.Close())
	openFile(t, path)
}

func TestACallThatMeetsCloseIsToldThatTheLedgerIsClosed(t *testing.T) {
	t.Parallel()
	for range 20 {
		l, err := batch.Open(newPath(t))
		require.NoError(t, err)
		claim(t.Context(), t, l, "a")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for {
					var err error
					switch i % 3 {
					case 0:
						_, err = l.Get(t.Context(), batch.ByKey, "a")
					case 1:
						_, err = l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
							r.Duplicates++
							return r, nil
						})
					case 2:
						for _, err = range l.Records(t.Context()) {
							if err != nil {
								break
							}
						}
					}
					if err != nil {
						assert.ErrorIs(t, err, batch.ErrClosed)
						return
					}
				}
			})
		}
		require.NoError(t, l.Close())
		wg.Wait()
	}
}

func TestTwoClientsOfOneLedgerShareItsBudget(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() batch.Ledger{
		"in memory": batch.Memory,
		"in a file": func() batch.Ledger { return openFile(t, newPath(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, limits := open(), scriptix.Limits{PerDay: 10}
			first, err := batch.Budget(l, limits)
			require.NoError(t, err)
			second, err := batch.Budget(l, limits)
			require.NoError(t, err)
			for i := range 10 {
				b := first
				if i%2 == 1 {
					b = second
				}
				permit, err := b.Acquire(t.Context(), scriptix.ClassSubmit)
				require.NoError(t, err)
				permit.Done(scriptix.RateInfo{Sent: true})
			}
			for _, b := range []scriptix.Budget{first, second} {
				k, ok := b.(*scriptix.KeyBudget)
				require.True(t, ok)
				assert.Equal(t, 0, k.Snapshot().Day.Left)
			}
			_, err = batch.Budget(l, scriptix.Limits{PerDay: 20})
			require.Error(t, err, "one key has one plan")
		})
	}
}

func TestAnEventOfAParkedJobPushesNoOtherOut(t *testing.T) {
	t.Parallel()
	l := batch.Memory()
	for i := range 10_000 {
		_, err := l.Park(t.Context(), batch.Event{JobID: fmt.Sprint("job ", i), At: time.Now()})
		require.NoError(t, err)
	}
	_, err := l.Park(t.Context(), batch.Event{JobID: "job 5000", At: time.Now()})
	require.NoError(t, err)
	claim(t.Context(), t, l, "a")
	r := move(t.Context(), t, l, "a", func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, "job 0" })
	assert.Equal(t, batch.Completed, r.Phase)
}

func TestTheFilesOfALedgerAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l, err := batch.Open(path)
	require.NoError(t, err)
	claim(t.Context(), t, l, "a")
	require.NoError(t, l.Close())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the ledger and its snapshot, and nothing is left over")
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), "%s holds tokens or file names", entry.Name())
	}
}
