package budget_test

import (
	"cmp"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

func Test429StopsEveryClassUntilRetryAfter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ after, least, most time.Duration }{
		"a minute":     {time.Minute, time.Minute, 66 * time.Second},
		"ten minutes":  {10 * time.Minute, 10 * time.Minute, 11 * time.Minute},
		"three days":   {72 * time.Hour, 15 * time.Minute, 15 * time.Minute},
		"not said":     {0, 10 * time.Second, 11 * time.Second},
		"negative":     {-5, 10 * time.Second, 11 * time.Second},
		"nanoseconds":  {1, time.Millisecond, time.Millisecond},
		"the most int": {1<<63 - 1, 15 * time.Minute, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(t, budget.PlanGold)
				doneAll(take(t, b, 1, budget.ClassPoll), budget.RateInfo{StatusCode: 429, RetryAfter: test.after})
				until := b.Snapshot().BlockedUntil
				start := time.Now()
				var wg sync.WaitGroup
				for class := range 3 {
					wg.Go(func() {
						if p, err := b.Acquire(t.Context(), budget.Class(class)); assert.NoError(t, err) {
							assert.GreaterOrEqual(t, time.Since(start), test.least)
							assert.LessOrEqual(t, time.Since(start), test.most)
							p.Done(answered)
						}
					})
				}
				wg.Wait()
				assert.True(t, until.Equal(time.Now()))
				assert.Zero(t, b.Snapshot().BlockedUntil)
			})
		})
	}
}

func Test429WithoutRetryAfterStopsLongerEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerHour: 1000})
		stop := func() time.Duration {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			p.Done(budget.RateInfo{StatusCode: 429})
			return time.Until(b.Snapshot().BlockedUntil)
		}
		last := stop()
		for i := range 6 {
			next := stop()
			assert.Greater(t, next, last*8/5, "stop %d", i)
			last = next
		}
		for range 40 {
			last = stop()
		}
		assert.Equal(t, 15*time.Minute, last)
		time.Sleep(17 * time.Minute)
		assert.LessOrEqual(t, stop(), 11*time.Second, "after quiet it begins anew")
	})
}

func TestABurstOf429sHalvesTheMinuteOnceAndItClimbsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.PlanSilver)
		limit := func() int { return b.Snapshot().Minute.Limit }
		refused := budget.RateInfo{StatusCode: 429, RetryAfter: time.Minute}
		burst := take(t, b, 6, budget.ClassPoll)
		for _, p := range burst[:5] {
			p.Done(refused)
			time.Sleep(time.Second)
		}
		require.Equal(t, 30, limit())

		time.Sleep(time.Until(b.Snapshot().BlockedUntil))
		var climb []int
		for range 7 {
			climb = append(climb, limit())
			time.Sleep(time.Minute)
		}
		require.Equal(t, []int{30, 36, 42, 48, 54, 60, 60}, climb)

		burst[5].Done(refused) // the straggler of the burst
		require.Equal(t, 60, limit())
		time.Sleep(2 * time.Minute)
		for _, want := range []int{30, 15, 7, 3, 1, 1} {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			p.Done(refused)
			require.Equal(t, want, limit())
			time.Sleep(time.Until(b.Snapshot().BlockedUntil))
		}
		time.Sleep(time.Minute)
		require.Equal(t, 7, limit())
		assert.LessOrEqual(t, free(t, b), 7)
		require.Zero(t, free(t, b))
	})
}

func TestA429AlsoLowersAMinuteThatWasNotLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{})
		send(t, b, 99)
		doneAll(take(t, b, 1, budget.ClassPoll), budget.RateInfo{StatusCode: 429, RetryAfter: 2 * time.Minute})
		require.Equal(t, 50, b.Snapshot().Minute.Limit)
		time.Sleep(3 * time.Minute)
		assert.Equal(t, 50, free(t, b))
		time.Sleep(10 * time.Minute)
		assert.Equal(t, 0, b.Snapshot().Minute.Limit)
		assert.Equal(t, 1000, free(t, b))
	})
}

func TestAWaiterGoesWhenTheLoweredMinuteRises(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 10})
		doneAll(take(t, b, 1, budget.ClassPoll), budget.RateInfo{StatusCode: 429, RetryAfter: 3 * time.Minute})
		until := b.Snapshot().BlockedUntil
		time.Sleep(time.Until(until) + 30*time.Second)
		require.Equal(t, 5, free(t, b))
		ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second) // they leave only in 60 s
		defer cancel()
		_, err := b.Acquire(ctx, budget.ClassPoll)
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(until))
	})
}

func TestHeadersOnlyEverLowerTheBudget(t *testing.T) {
	t.Parallel()
	figures := func(remaining int, reset time.Duration) func(time.Time) budget.RateInfo {
		return func(now time.Time) budget.RateInfo {
			return budget.RateInfo{StatusCode: 200, Limit: 20, Remaining: remaining, HasRemaining: true, Reset: now.Add(reset)}
		}
	}
	for name, test := range map[string]struct {
		info   func(now time.Time) budget.RateInfo
		within int // a minute that the headers describe
		after  time.Duration
	}{
		"no figures":                       {func(time.Time) budget.RateInfo { return answered }, 19, 0},
		"more is left than we know of":     {figures(5000, time.Minute), 19, 0},
		"little is left":                   {figures(3, 30*time.Second), 3, 30 * time.Second},
		"a twentieth is left for others":   {figures(40, time.Minute), 19, 0},
		"nothing is left":                  {figures(0, 30*time.Second), 0, 30 * time.Second},
		"a negative remainder is no limit": {figures(-1, 25*time.Hour), 19, 0},
		"a negative limit is none": {func(now time.Time) budget.RateInfo {
			return budget.RateInfo{StatusCode: 200, Limit: -1, HasRemaining: true, Reset: now.Add(time.Hour)}
		}, 19, 0},
		"the reset has passed":   {figures(0, -time.Second), 19, 0},
		"the reset is now":       {figures(0, 0), 19, 0},
		"the reset is next week": {figures(0, 26*time.Hour), 19, 0},
		"no reset": {func(time.Time) budget.RateInfo {
			return budget.RateInfo{StatusCode: 200, HasRemaining: true}
		}, 19, 0},
		"our clock is a year late": {func(now time.Time) budget.RateInfo {
			there := now.Add(365 * 24 * time.Hour)
			return budget.RateInfo{StatusCode: 200, HasRemaining: true, Remaining: 1, Reset: there.Add(20 * time.Second), Date: there}
		}, 1, 20 * time.Second},
		"our clock is an hour early": {func(now time.Time) budget.RateInfo {
			there := now.Add(-time.Hour)
			return budget.RateInfo{StatusCode: 200, HasRemaining: true, Remaining: 1, Reset: there.Add(20 * time.Second), Date: there}
		}, 1, 20 * time.Second},
		"their reset is behind their date": {func(now time.Time) budget.RateInfo {
			return budget.RateInfo{StatusCode: 200, HasRemaining: true, Reset: now.Add(time.Minute), Date: now.Add(time.Hour)}
		}, 19, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(t, budget.Limits{PerMinute: 20})
				doneAll(take(t, b, 1, budget.ClassPoll), test.info(time.Now()))
				n, end := 0, time.Now().Add(cmp.Or(test.after, time.Nanosecond))
				for time.Now().Before(end) {
					n += free(t, b)
					time.Sleep(min(time.Second, time.Until(end)))
				}
				assert.Equal(t, test.within, n, "requests until the reset")
				if test.after > 0 {
					assert.Equal(t, 19-n, free(t, b), "after the reset our own limit holds again")
				}
			})
		})
	}
}

func TestFiguresOfAnAnswerThatWasOvertakenDoNotRaise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{})
		reset := time.Now().Add(time.Minute)
		p := take(t, b, 3, budget.ClassPoll)
		p[1].Done(budget.RateInfo{StatusCode: 200, HasRemaining: true, Remaining: 5, Reset: reset})
		p[0].Done(budget.RateInfo{StatusCode: 200, HasRemaining: true, Remaining: 6, Reset: reset})
		assert.Equal(t, 2, free(t, b), "two were in flight and may not have been in the figure")
		time.Sleep(59 * time.Second)
		assert.Equal(t, 1, free(t, b), "the last ones are spread")
	})
}

func TestTheFiguresOfADayDoNotPushOutThoseOfAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{})
		now := time.Now()
		p := take(t, b, 2, budget.ClassPoll)
		p[0].Done(budget.RateInfo{StatusCode: 200, HasRemaining: true, Reset: now.Add(time.Minute)})
		p[1].Done(budget.RateInfo{StatusCode: 200, HasRemaining: true, Remaining: 15_000, Reset: now.Add(10 * time.Hour)})
		assert.Equal(t, time.Minute, b.Snapshot().NextPoll.Sub(now))
	})
}

func TestTheFiguresOfADayAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{})
		// A hundredth of the day is left, and ten hours of it.
		now := time.Now()
		reset := now.Add(10 * time.Hour)
		doneAll(take(t, b, 1, budget.ClassPoll),
			budget.RateInfo{StatusCode: 200, Limit: 1000, HasRemaining: true, Remaining: 10, Reset: reset})
		var at []time.Duration
		for range 10 {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			at = append(at, time.Since(now))
			p.Done(budget.RateInfo{StatusCode: 200, Limit: 1000, HasRemaining: true, Remaining: 10 - len(at), Reset: reset})
		}
		assert.Zero(t, at[0])
		for i := range at[1:] {
			assert.InDelta(t, time.Hour, at[i+1]-at[i], float64(time.Minute))
		}
		_, err := b.Acquire(t.Context(), budget.ClassPoll)
		require.NoError(t, err)
		assert.Equal(t, reset.UnixNano(), time.Now().UnixNano())
	})
}
