package batch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestOfTwoRunsOnOneLedgerTheSecondWaitsForWhatTheFirstHasInHand(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(batch.Ledger) batch.Ledger{
		"on one handle":        func(l batch.Ledger) batch.Ledger { return l },
		"each through its own": func(l batch.Ledger) batch.Ledger { return &failing{Ledger: l} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
					return scriptixtest.Outcome{Processing: 10 * time.Minute}
				})
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Times: 20, Delay: 3 * time.Minute}) // each is between its mark and its answer for long
				c, l := newClient(t, fake), batch.Memory()
				var sunk sync.Map
				sink := func(_ context.Context, o batch.Outcome) error {
					_, twice := sunk.LoadOrStore(o.Key, true)
					assert.False(t, twice, "a transcript is handed over by the run that brought it")
					return nil
				}
				const n = 8
				var outcomes [2][]batch.Outcome
				var wg sync.WaitGroup
				for i := range outcomes {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * time.Minute)
						outcomes[i] = collect(t.Context(), c, recordings(t, n), batch.Options{Ledger: wrap(l), Sink: sink})
					})
				}
				wg.Wait()
				all := states(append(outcomes[0], outcomes[1]...))
				assert.Equal(t, map[batch.State]int{batch.StateDone: n, batch.StateSkipped: n}, all)
				assert.Len(t, fake.Jobs(), n)
			})
		})
	}
}

func TestWhatAStoppedRunLeavesTheOtherOneTakesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Processing: time.Hour} })
		c, l := newClient(t, fake), batch.Memory()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var first, second []batch.Outcome
		var wg sync.WaitGroup
		wg.Go(func() { first = collect(ctx, c, recordings(t, 5), batch.Options{Ledger: l}) })
		wg.Go(func() {
			time.Sleep(time.Minute)
			second = collect(t.Context(), c, recordings(t, 5), batch.Options{Ledger: l})
		})
		wg.Wait()
		assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 5}, states(first))
		assert.Equal(t, map[batch.State]int{batch.StateDone: 5}, states(second))
		assert.Len(t, fake.Jobs(), 5)
	})
}

func TestARunWithinTheLoopOfAnotherBringsWhatThatOneHasHandedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		for o := range batch.Run(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}) {
			require.NoError(t, o.Err)
			inner := one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}))
			require.NoError(t, inner.Err)
			assert.Equal(t, batch.StateDone, inner.State)
		}
		assert.Len(t, fake.Jobs(), 1)
	})
}

// shared is a ledger that another process uses too.
type shared struct {
	batch.Ledger
	mu    sync.Mutex
	alive map[string]bool
}

func (s *shared) Alive(_ context.Context, owner string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive[owner], nil
}

func TestARecordOfAnotherProcessIsLeftAloneWhileThatLives(t *testing.T) {
	t.Parallel()
	for phase, want := range map[batch.Phase]batch.State{batch.Claimed: batch.StateDone, batch.Sent: batch.StateUnknown} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				l := &shared{Ledger: batch.Memory(), alive: map[string]bool{"another process": true}}
				in := recording(t, 1)
				in.Key = t.Name()
				claim(t.Context(), t, l, in.Key)
				move(t.Context(), t, l, in.Key, func(r *batch.Record) {
					r.Phase, r.Owner, r.SentAt = phase, "another process", time.Now()
				})
				began := time.Now()
				time.AfterFunc(time.Hour, func() {
					l.mu.Lock()
					defer l.mu.Unlock()
					l.alive["another process"] = false
					assert.Empty(t, fake.Jobs())
				})
				o := one(t, collect(t.Context(), newClient(t, fake), only(in), batch.Options{Ledger: l, UnknownAfter: 90 * time.Minute}))
				assert.Equal(t, want, o.State)
				assert.Greater(t, time.Since(began), time.Hour)
				assert.Less(t, time.Since(began), 2*time.Hour)
			})
		})
	}
}
