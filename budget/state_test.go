package budget_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

// stored is a store that survives the process: it keeps bytes.
type stored struct {
	mu   sync.Mutex
	data []byte
	n    int
	err  error
}

func (s *stored) persist(state budget.State) error {
	time.Sleep(3 * time.Millisecond) // a disk
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.n++
	data, err := json.Marshal(state)
	s.data = data
	return err
}

func (s *stored) load(t *testing.T) (state budget.State) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data != nil {
		require.NoError(t, json.Unmarshal(s.data, &state))
	}
	return state
}

// crashingProcess sends until it is killed, and returns how many requests were
// in flight then. What comes after the kill has not happened.
func crashingProcess(t *testing.T, b budget.Budget, life time.Duration, seed uint64, log *requestLog) (inFlight int) {
	t.Helper()
	ctx, kill := context.WithTimeout(t.Context(), life)
	defer kill()
	death := time.Now().Add(life)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				p, err := b.Acquire(ctx, budget.Class(r.IntN(3)))
				if err != nil && errors.Is(err, budget.ErrNoRoom) && !errors.Is(err, ctx.Err()) {
					<-ctx.Done() // nothing more fits into this life
				}
				if ctx.Err() != nil {
					return
				}
				start := time.Now()
				select {
				case <-time.After(time.Duration(r.ExpFloat64() * float64(20*time.Second))):
					log.add(start, time.Now())
					p.Done(answered)
				case <-ctx.Done():
					log.add(start, death)
					mu.Lock()
					inFlight++
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return inFlight
}

func TestARestoredBudgetNeverCountsTooFewWhereverItWasKilled(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]budget.Limits{
		"the bronze plan": budget.PlanBronze,
		"narrow":          {PerMinute: 20, PerHour: 60, PerDay: 300, Concurrent: 5},
		"a day alone":     {PerDay: 700, Concurrent: 8},
	} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := rand.New(rand.NewPCG(seed, 99))
					var disk stored
					var log requestLog
					slack := 0 // what all crashes so far may have counted too much
					for life := range uint64(12) {
						b, err := budget.Restore(limits, disk.load(t))
						require.NoError(t, err)
						used := 0
						for _, sent := range log.sent {
							if time.Since(sent.answer) < 24*time.Hour {
								used++
							}
						}
						day := b.Snapshot().Day.Used
						require.GreaterOrEqual(t, day, used, "life %d", life)
						// Slots hold up to 24 minutes longer: compare only while none has begun to leave.
						if time.Since(log.first()) < 24*time.Hour {
							require.LessOrEqual(t, day, used+slack, "life %d", life)
						}
						ahead := r.IntN(8) + 1
						b.Keep(ahead, disk.persist) // killed: never stopped
						length := time.Duration(r.ExpFloat64() * float64(3*time.Hour))
						if r.IntN(4) == 0 {
							length = time.Duration(r.IntN(5000)) * time.Millisecond
						}
						slack += ahead + crashingProcess(t, b, length, seed*100+life, &log)
						time.Sleep(time.Duration(r.ExpFloat64() * float64(20*time.Minute)))
					}
					windows := limits
					windows.Concurrent = 0 // the dead process holds no connection
					log.requireWithin(t, windows)
				})
			})
		}
	}
}

func (l *requestLog) first() time.Time {
	first := time.Now()
	for _, r := range l.sent {
		if r.start.Before(first) {
			first = r.start
		}
	}
	return first
}

func TestKeepStoresABlockBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk stored
		b := newBudget(t, budget.Limits{PerDay: 100})
		send(t, b, 2)
		stop := b.Keep(5, disk.persist)
		for i := range 11 {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			require.Equal(t, 1+i/5, disk.n, "grant %d", i)
			state := disk.load(t)
			require.Equal(t, 5, state.Reserved)
			p.Done(answered)
		}
		p := take(t, b, 1, budget.ClassPoll)
		require.NoError(t, stop())
		require.NoError(t, stop(), "a second stop does nothing")
		require.Equal(t, 4, disk.n)
		state := disk.load(t)
		require.Equal(t, []int{0, 1}, []int{state.Reserved, state.InFlight})
		doneAll(p, answered)
		send(t, b, 20)
		require.Equal(t, 4, disk.n)

		b, err := budget.Restore(budget.Limits{PerDay: 100}, state)
		require.NoError(t, err)
		assert.Equal(t, 14, b.Snapshot().Day.Used)
	})
}

func TestAStoreThatFailsEndsTheWaitWithItsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := stored{err: errors.New("disk full")}
		b := newBudget(t, budget.PlanSilver)
		stop := b.Keep(0, disk.persist)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := b.Acquire(t.Context(), budget.ClassResult)
				assert.ErrorIs(t, err, disk.err)
				assert.NotErrorIs(t, err, budget.ErrNoRoom)
			})
		}
		wg.Wait()
		require.ErrorIs(t, stop(), disk.err)
		disk.err = nil
		b.Keep(0, disk.persist)
		_, err := b.Acquire(t.Context(), budget.ClassResult)
		require.NoError(t, err)
		require.Equal(t, 10, disk.load(t).Reserved)
	})
}

func TestTwoKeepersBothKnowOfEveryGrant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var one, two stored
		b := newBudget(t, budget.Limits{})
		stop := b.Keep(3, one.persist)
		b.Keep(100, two.persist)
		for range 6 {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			p.Done(answered)
		}
		assert.Equal(t, []int{2, 2}, []int{one.n, two.n})
		require.NoError(t, stop())
		p, err := b.Acquire(t.Context(), budget.ClassPoll)
		require.NoError(t, err)
		p.Done(answered)
		assert.Equal(t, []int{3, 3}, []int{one.n, two.n}, "the first got its last state, the other a new block")
	})
}

func TestNothingIsGrantedWhileABlockIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk stored
		b := newBudget(t, budget.PlanSilver)
		b.Keep(100, disk.persist)
		p, err := b.Acquire(t.Context(), budget.ClassPoll) // 99 more are reserved
		require.NoError(t, err)
		p.Done(answered)
		b.Keep(3, func(budget.State) error {
			time.Sleep(time.Second)
			return nil
		})
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if p, err := b.Acquire(t.Context(), budget.ClassPoll); assert.NoError(t, err) {
					assert.GreaterOrEqual(t, time.Since(start), time.Second, "the new keeper does not know of it")
					p.Done(answered)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 3, disk.n)
	})
}

func TestStopWaitsForTheStoreThatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var states []budget.State
		calls := 0
		b := newBudget(t, budget.PlanSilver)
		stop := b.Keep(1, func(s budget.State) error {
			if calls++; calls == 1 {
				time.Sleep(time.Minute)
			}
			states = append(states, s)
			return nil
		})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if p, err := b.Acquire(t.Context(), budget.ClassPoll); assert.NoError(t, err) {
					p.Done(answered)
				}
			})
		}
		synctest.Wait()
		require.NoError(t, stop())
		n := len(states)
		require.Zero(t, states[n-1].Reserved, "the last one stored is the last one")
		wg.Wait()
		assert.Len(t, states, n, "nothing is stored after stop")
	})
}

func TestA429IsStoredAndRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk stored
		b := newBudget(t, budget.PlanSilver)
		b.Keep(50, disk.persist)
		p, err := b.Acquire(t.Context(), budget.ClassPoll)
		require.NoError(t, err)
		p.Done(budget.RateInfo{StatusCode: 429, RetryAfter: 5 * time.Minute})

		until := b.Snapshot().BlockedUntil
		time.Sleep(time.Minute)
		restored, err := budget.Restore(budget.PlanSilver, disk.load(t))
		require.NoError(t, err)
		s := restored.Snapshot()
		assert.WithinDuration(t, until, s.BlockedUntil, time.Millisecond)
		assert.Equal(t, 30, s.Minute.Limit)
		time.Sleep(time.Until(until) + time.Minute + time.Second)
		assert.Equal(t, 36, restored.Snapshot().Minute.Limit)
	})
}

func TestItsOwnStateIsNotCountedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.PlanSilver)
		send(t, b, 7)
		b.Merge(b.State())
		assert.Equal(t, 7, b.Snapshot().Hour.Used)

		other := newBudget(t, budget.PlanSilver)
		send(t, other, 3)
		time.Sleep(30 * time.Minute)
		send(t, other, 3)
		other.Merge(b.State())
		assert.Equal(t, []int{3, 13, 13}, used(other))
		time.Sleep(31*time.Minute + 2*time.Second)
		assert.Equal(t, []int{0, 3, 13}, used(other), "merged entries leave in their time")
	})
}

func used(b *budget.Key) []int {
	s := b.Snapshot()
	return []int{s.Minute.Used, s.Hour.Used, s.Day.Used}
}

func TestAStateFromABrokenClockOrFileDoesNoHarm(t *testing.T) {
	t.Parallel()
	const most = int64(math.MaxInt64)
	for name, test := range map[string]struct {
		state string
		used  int
		until bool
	}{
		"nothing":                {`{}`, 0, false},
		"answers in the future":  {`{"day":[[9000000000000,9000000000000,5]]}`, 5, false},
		"answers in year 292277": {fmt.Sprintf(`{"day":[[%d,%d,5]]}`, most, most), 5, false},
		"answers before time":    {fmt.Sprintf(`{"day":[[%d,%d,5]]}`, -most, -most), 0, false},
		"last before first":      {`{"day":[[9000000000000,1,5]]}`, 0, false},
		"negative counts":        {`{"day":[[9000000000000,9000000000000,-5]],"inFlight":-3,"reserved":-1}`, 0, false},
		"blocked for ever":       {fmt.Sprintf(`{"blockedUntil":%d}`, most), 0, true},
		"a strange minute":       {`{"minuteLow":-4,"minuteBase":-9,"quietSince":-1}`, 0, false},
		"in flight and reserved": {`{"inFlight":3,"reserved":4}`, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var state budget.State
				require.NoError(t, json.Unmarshal([]byte(test.state), &state))
				b, err := budget.Restore(budget.Limits{PerDay: 10}, state)
				require.NoError(t, err)
				s := b.Snapshot()
				assert.Equal(t, test.used, s.Day.Used)
				assert.Equal(t, test.until, !s.BlockedUntil.IsZero())
				assert.LessOrEqual(t, time.Until(s.BlockedUntil), 15*time.Minute)
				time.Sleep(25 * time.Hour)
				assert.Equal(t, 10, free(t, b), "a day later all is forgotten")
			})
		})
	}
}

func TestAStateIsSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.PlanGold)
		ctx, cancel := context.WithTimeout(t.Context(), 26*time.Hour)
		defer cancel()
		for {
			p, err := b.Acquire(ctx, budget.ClassPoll)
			if err != nil {
				break
			}
			time.Sleep(450 * time.Millisecond)
			p.Done(answered)
		}
		state := b.State()
		assert.LessOrEqual(t, len(state.Minute), 120)
		assert.LessOrEqual(t, len(state.Hour), 64)
		assert.LessOrEqual(t, len(state.Day), 64)
		data, err := json.Marshal(state)
		require.NoError(t, err)
		assert.Less(t, len(data), 10_000)
	})
}
