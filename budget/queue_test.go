package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

// queueUp lets n callers of each class wait, polls first, and returns their
// classes and places in the order of their grants.
func queueUp(t *testing.T, b budget.Budget, n int) (order []budget.Class, places [3][]int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		for _, class := range []budget.Class{budget.ClassPoll, budget.ClassSubmit, budget.ClassResult} {
			wg.Go(func() {
				p, err := b.Acquire(t.Context(), class)
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				order = append(order, class)
				places[class] = append(places[class], i)
				mu.Unlock()
				time.Sleep(time.Second)
				p.Done(answered)
			})
			synctest.Wait()
		}
	}
	wg.Wait()
	return order, places
}

func TestResultsGoBeforeSubmitsBeforePollsAndEachGetsATenth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 30, Concurrent: 1})
		held := take(t, b, 1, budget.ClassPoll)
		go func() {
			time.Sleep(time.Second)
			doneAll(held, answered)
		}()
		order, places := queueUp(t, b, 200)

		require.Len(t, order, 600)
		count := func(of []budget.Class) (n [3]int) {
			for _, c := range of {
				n[c]++
			}
			return n
		}
		assert.Equal(t, budget.ClassResult, order[0])
		for i := range 20 { // all classes wait
			assert.Equal(t, [3]int{8, 1, 1}, count(order[10*i+10:10*i+20]), "tenth %d", i)
		}
		assert.Equal(t, [3]int{0, 9, 1}, count(order[300:310]), "submits and polls are left")
		for class, got := range places {
			assert.True(t, slices.IsSorted(got), "%s: first come, first go", budget.Class(class))
		}
	})
}

func TestUploadsLeaveASlotFree(t *testing.T) {
	t.Parallel()
	for concurrent, uploads := range map[int]int{1: 1, 2: 1, 3: 2, 10: 9} {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(t, budget.Limits{Concurrent: concurrent})
			held := take(t, b, uploads, budget.ClassSubmit)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := b.Acquire(ctx, budget.ClassSubmit)
			require.ErrorIs(t, err, budget.ErrNoRoom)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			if concurrent > 1 {
				doneAll(take(t, b, 1, budget.ClassPoll), answered)
				doneAll(take(t, b, 1, budget.ClassResult), answered)
			}
			doneAll(held, answered)
			take(t, b, 1, budget.ClassSubmit)
		})
	}
}

func TestAnUploadThatWaitsForItsSlotDoesNotHoldUpPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 2})
		held := take(t, b, 1, budget.ClassSubmit)
		var second time.Duration
		start := time.Now()
		go func() {
			p, err := b.Acquire(t.Context(), budget.ClassSubmit)
			if assert.NoError(t, err) {
				second = time.Since(start)
				p.Done(answered)
			}
		}()
		synctest.Wait()
		send(t, b, 100)
		time.Sleep(time.Minute)
		doneAll(held, answered)
		synctest.Wait()
		assert.Equal(t, time.Minute, second)
	})
}

func TestSubmitsThatWaitForTheirSlotStandInNobodysWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 10, Concurrent: 3})
		uploads := take(t, b, 2, budget.ClassSubmit)
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 20 {
			wg.Go(func() {
				if p, err := b.Acquire(t.Context(), budget.ClassSubmit); assert.NoError(t, err) {
					p.Done(answered)
				}
			})
		}
		synctest.Wait()
		require.Equal(t, time.Now().UnixNano(), b.Snapshot().NextPoll.UnixNano(), "a poll could go now")
		start := time.Now()
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			p, err := b.Acquire(ctx, budget.ClassPoll)
			cancel()
			require.NoError(t, err)
			require.Zero(t, time.Since(start))
			p.Done(answered)
		}
		doneAll(uploads, answered)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := b.Acquire(ctx, budget.ClassPoll)
		require.ErrorIs(t, err, budget.ErrNoRoom, "now the submits have slots, and have gone before")
	})
}

func TestWhatCannotBeSentBeforeTheDeadlineFailsAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits  budget.Limits
		waiting int
		reason  string
		within  time.Duration // too short
		enough  time.Duration
	}{
		"the minute is full":             {budget.Limits{PerMinute: 5, PerHour: 100}, 0, "minute window", 59 * time.Second, 61 * time.Second},
		"the hour is full":               {budget.Limits{PerMinute: 10, PerHour: 5}, 0, "hour window", 59 * time.Minute, 63 * time.Minute},
		"the day is full":                {budget.Limits{PerHour: 10, PerDay: 5}, 0, "day window", 23 * time.Hour, 25 * time.Hour},
		"others go first":                {budget.Limits{PerMinute: 5}, 12, "minute window", 179 * time.Second, 181 * time.Second},
		"there is room, but not for all": {budget.Limits{PerMinute: 5}, 4, "minute window", 59 * time.Second, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(t, test.limits)
				send(t, b, 5)
				var wg sync.WaitGroup
				defer wg.Wait()
				for range test.waiting {
					wg.Go(func() {
						if p, err := b.Acquire(t.Context(), budget.ClassPoll); assert.NoError(t, err) {
							p.Done(answered)
						}
					})
				}
				synctest.Wait()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				defer cancel()
				_, err := b.Acquire(ctx, budget.ClassPoll)
				require.Zero(t, time.Since(start), "it waited")
				require.ErrorIs(t, err, budget.ErrNoRoom)
				require.NotErrorIs(t, err, context.DeadlineExceeded, "the deadline has not passed")
				require.ErrorContains(t, err, test.reason)
				late, ok := errors.AsType[*budget.Error](err)
				require.True(t, ok)
				assert.Greater(t, late.At.Sub(start), test.within)
				assert.Less(t, late.At.Sub(start), test.enough)
				require.ErrorContains(t, err, late.At.UTC().Format(time.RFC3339))

				ctx, cancel = context.WithTimeout(t.Context(), test.enough)
				defer cancel()
				p, err := b.Acquire(ctx, budget.ClassPoll)
				require.NoError(t, err)
				p.Done(answered)
				assert.Less(t, time.Since(late.At).Abs(), time.Second, "it named the time")
			})
		})
	}
}

func TestAWaiterThatBecomesHopelessFailsThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 5})
		send(t, b, 4)
		held := take(t, b, 1, budget.ClassPoll)
		failed := make(map[int]time.Duration)
		start := time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, within := range []time.Duration{2 * time.Minute, 30 * time.Minute, time.Hour, 20 * time.Minute} {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				p, err := b.Acquire(ctx, budget.ClassPoll)
				if err != nil {
					assert.ErrorIs(t, err, budget.ErrNoRoom)
					assert.NotErrorIs(t, err, context.DeadlineExceeded)
					assert.ErrorContains(t, err, "429")
					mu.Lock()
					failed[i] = time.Since(start)
					mu.Unlock()
					return
				}
				p.Done(answered)
			})
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		doneAll(held, budget.RateInfo{StatusCode: 429, RetryAfter: 10 * time.Minute})
		synctest.Wait()
		assert.Equal(t, map[int]time.Duration{0: 10 * time.Second}, failed)
		wg.Wait()
		assert.Len(t, failed, 1, "the others had the time")
	})
}

func TestA429FailsAtOnceThoseTooFarBackInTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 10})
		held := take(t, b, 10, budget.ClassPoll)
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var atOnce []int
		for i := range 30 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute+30*time.Second)
				defer cancel()
				p, err := b.Acquire(ctx, budget.ClassPoll)
				if err != nil {
					assert.ErrorIs(t, err, budget.ErrNoRoom)
					assert.GreaterOrEqual(t, i, 11, "5 and then 6 a minute leave room for it")
					mu.Lock()
					defer mu.Unlock()
					if time.Since(start) == 0 {
						atOnce = append(atOnce, i)
					}
					return
				}
				p.Done(answered)
			})
			synctest.Wait()
		}
		doneAll(held, budget.RateInfo{StatusCode: 429, RetryAfter: 10 * time.Minute})
		synctest.Wait()
		wg.Wait()
		assert.Subset(t, atOnce, []int{22, 23, 24, 25, 26, 27, 28, 29})
	})
}

func TestFiguresFailAtOnceWhoeverTheyLeaveNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 1})
		held := take(t, b, 1, budget.ClassPoll)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := b.Acquire(ctx, budget.ClassResult)
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		doneAll(held, budget.RateInfo{StatusCode: 200, HasRemaining: true, Reset: time.Now().Add(2 * time.Hour)})
		err := <-failed
		require.ErrorIs(t, err, budget.ErrNoRoom)
		require.ErrorContains(t, err, "X-RateLimit")
		require.Zero(t, time.Since(start))
	})
}

func TestACancelledWaiterLeavesAndTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 1, Concurrent: 1})
		send(t, b, 1)
		reason := errors.New("the user has left")
		ctx, cancel := context.WithCancelCause(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := b.Acquire(ctx, budget.ClassResult)
			first <- err
		}()
		synctest.Wait()
		second := make(chan time.Time, 1)
		go func() {
			_, err := b.Acquire(t.Context(), budget.ClassPoll)
			assert.NoError(t, err)
			second <- time.Now()
		}()
		synctest.Wait()
		start := time.Now()
		cancel(reason)
		err := <-first
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, reason)
		require.NotErrorIs(t, err, budget.ErrNoRoom)
		assert.InDelta(t, time.Minute, (<-second).Sub(start), float64(2*time.Millisecond))
		_, err = b.Acquire(ctx, budget.ClassResult)
		require.ErrorIs(t, err, context.Canceled, "it was over before it asked")
	})
}

func TestAGrantInTheMomentOfTheCancelIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 1})
		for range 100 {
			held := take(t, b, 1, budget.ClassPoll)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan bool)
			go func() {
				p, err := b.Acquire(ctx, budget.ClassPoll)
				if err == nil {
					p.Done(answered)
				}
				ended <- true
			}()
			synctest.Wait()
			cancel() // wakes it, and before it can leave
			doneAll(held, answered)
			<-ended
			synctest.Wait()
			require.Zero(t, b.Snapshot().InFlight)
		}
	})
}

func TestADeadlineDuringTheWaitForASlotIsBoth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{Concurrent: 1})
		take(t, b, 1, budget.ClassPoll)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Acquire(ctx, budget.ClassPoll)
		require.ErrorIs(t, err, budget.ErrNoRoom)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = b.Acquire(ctx, budget.ClassPoll)
		require.ErrorIs(t, err, budget.ErrNoRoom)
	})
}

func TestSnapshotTellsWhoWaitsAndWhenTheNextPollCouldGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 2})
		assert.Equal(t, time.Now().UnixNano(), b.Snapshot().NextPoll.UnixNano())
		send(t, b, 2)
		ctx, cancel := context.WithCancel(t.Context())
		for class, n := range []int{1, 2, 3} {
			for range n {
				go b.Acquire(ctx, budget.Class(class)) //nolint:errcheck // it ends with ctx
			}
		}
		synctest.Wait()
		s := b.Snapshot()
		assert.Equal(t, []int{1, 2, 3}, []int{s.Results, s.Submits, s.Polls})
		assert.InDelta(t, 4*time.Minute, time.Until(s.NextPoll), float64(10*time.Millisecond), "six wait, two go a minute")
		cancel()
	})
}

func BenchmarkGrantWhileOthersWait(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			key, err := budget.New(budget.Limits{Concurrent: 1, PerDay: math.MaxInt32})
			require.NoError(b, err)
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			granted := make(chan budget.Permit)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					for {
						p, err := key.Acquire(ctx, budget.Class(i%3))
						if err != nil {
							return
						}
						granted <- p
					}
				})
			}
			for s := key.Snapshot(); s.Results+s.Submits+s.Polls < n-1; s = key.Snapshot() {
				time.Sleep(time.Millisecond)
			}
			for b.Loop() {
				(<-granted).Done(answered)
			}
			cancel()
			go func() {
				for p := range granted {
					p.Done(answered)
				}
			}()
			wg.Wait()
			close(granted)
		})
	}
}
