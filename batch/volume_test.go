package batch_test

import (
	"fmt"
	"iter"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// TestThousandsOfRecordingsTakeLittleMemoryAndALittleFile runs alone: it measures
// the heap of the whole process, the fake's and the test's own included.
func TestThousandsOfRecordingsTakeLittleMemoryAndALittleFile(t *testing.T) { //nolint:paralleltest // it measures the process
	const n = volume
	path := fastPath(t)
	synctest.Test(t, func(t *testing.T) {
		plan := scriptix.PlanGold
		fake := newFake(t, scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits(plan)), scriptixtest.WithHistory(1))
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 10 * time.Minute}
		})
		began := time.Now()
		var peak uint64
		run := func() (got map[batch.State]int, took time.Duration) {
			l, err := batch.Open(path)
			require.NoError(t, err)
			budget, err := batch.Budget(l, plan)
			require.NoError(t, err)
			c := newClient(t, fake, scriptix.WithBudget(budget))
			got = make(map[batch.State]int)
			i := 0
			for o := range batch.Run(t.Context(), c, tiny(n), batch.Options{Ledger: l}) {
				got[o.State]++
				if i++; i%1000 == 500 && o.State == batch.StateDone {
					peak = max(peak, heap())
				}
			}
			took = time.Since(began)
			require.NoError(t, l.Close())
			return got, took
		}
		got, took := run()
		require.Equal(t, map[batch.State]int{batch.StateDone: n}, got)
		stats, info := fake.Stats(), stat(t, path)
		t.Logf("%d recordings on Gold in %v; heap at most %.1f MiB, %d requests, ledger %.1f MiB",
			n, took.Round(time.Minute), float64(peak)/(1<<20), stats.Requests, float64(info)/(1<<20))
		assert.Less(t, peak, uint64(64<<20))
		assert.Less(t, info, int64(20<<20))
		assert.Equal(t, n, stats.Jobs)
		assert.Zero(t, stats.Refused)

		requests := stats.Requests
		wall, cpu := stopwatch(), processor()
		got, _ = run()
		spent := cpu()
		t.Logf("run again it skips all in %v, %v of it on the processor, hashing included", wall().Round(time.Millisecond), spent.Round(time.Millisecond))
		require.Equal(t, map[batch.State]int{batch.StateSkipped: n}, got)
		assert.Equal(t, requests, fake.Stats().Requests)
		// Wall time depends on who else uses the machine; nothing is waited for here.
		assert.Less(t, spent, 3*time.Second*raceFactor)
	})
}

// tiny are recordings that take no memory while they wait.
func tiny(n int) iter.Seq[batch.Input] {
	return func(yield func(batch.Input) bool) {
		for i := range n {
			name := fmt.Sprintf("%05d.mp3", i)
			if !yield(batch.Input{Audio: scriptix.Bytes(name, []byte("ID3 "+name)), Params: english}) {
				return
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func stat(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
