package budget_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

// fragile is a keeper that panics when it is told to.
type fragile struct {
	panics bool
	calls  int
}

func (f *fragile) persist(budget.State) error {
	if f.calls++; f.panics {
		panic("the disk is on fire")
	}
	return nil
}

// requireUntouched asserts that nothing was left behind and that the budget goes on.
func requireUntouched(t *testing.T, b *budget.Key, keeper *fragile) {
	t.Helper()
	keeper.panics = false
	s := b.Snapshot()
	require.Equal(t, []int{0, 0, 0, 0}, []int{s.InFlight, s.Results, s.Submits, s.Polls})
	p, err := b.Acquire(t.Context(), budget.ClassResult)
	require.NoError(t, err)
	p.Done(answered)
}

func TestAPanicOfAKeeperComesOutOfAcquire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 10, Concurrent: 2})
		keeper := &fragile{panics: true}
		b.Keep(1, keeper.persist)
		for range 3 {
			require.PanicsWithValue(t, "the disk is on fire", func() { _, _ = b.Acquire(t.Context(), budget.ClassPoll) })
		}
		require.Zero(t, b.Snapshot().Minute.Used)
		requireUntouched(t, b, keeper)
	})
}

func TestAPanicOfAKeeperComesOutOfDoneAndEndsTheWaitOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 1})
		keeper := new(fragile)
		b.Keep(1, keeper.persist)
		held := take(t, b, 1, budget.ClassPoll)[0]
		keeper.panics = true
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := b.Acquire(t.Context(), budget.ClassPoll)
				assert.ErrorContains(t, err, "storing the request budget")
				assert.NotErrorIs(t, err, budget.ErrNoRoom)
			})
		}
		synctest.Wait()
		require.PanicsWithValue(t, "the disk is on fire", func() { held.Done(answered) })
		wg.Wait()
		require.Equal(t, 1, b.Snapshot().Minute.Used)
		requireUntouched(t, b, keeper)
	})
}

func TestAPanicOfAKeeperWhileAllWaitComesOutOfOneOfThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 1})
		keeper := new(fragile)
		b.Keep(1, keeper.persist)
		send(t, b, 1)
		keeper.panics = true
		var panicked, failed int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					if recover() != nil {
						panicked++
					}
				}()
				_, err := b.Acquire(t.Context(), budget.ClassPoll)
				assert.Error(t, err)
				mu.Lock()
				defer mu.Unlock()
				failed++
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 4}, []int{panicked, failed}, "the timer's goroutine ends no process")
		time.Sleep(time.Minute)
		requireUntouched(t, b, keeper)
	})
}

func TestAKeeperThatEndsItsGoroutineLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 1})
		b.Keep(1, func(budget.State) error {
			runtime.Goexit() // as t.FailNow does
			return errors.New("never")
		})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = b.Acquire(t.Context(), budget.ClassPoll)
		}()
		<-ended
		assert.Zero(t, b.Snapshot().Polls)
	})
}
