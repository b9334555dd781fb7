package budget_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

var errDown = errors.New("connection refused")

// shaky is a budget that answers as it is told to.
type shaky struct {
	err   error
	empty bool // neither a permit nor an error
	asked atomic.Int64
}

func (s *shaky) Acquire(context.Context, budget.Class) (budget.Permit, error) {
	s.asked.Add(1)
	if s.err != nil || s.empty {
		return nil, s.err
	}
	return noPermit{}, nil
}

type noPermit struct{}

func (noPermit) Done(budget.RateInfo) {}

func TestABreakerAsksABudgetThatFailsEverMoreRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &shaky{err: errDown}
		told := 0
		breaker := budget.NewBreaker(b, func(_ context.Context, err error) {
			require.ErrorIs(t, err, errDown)
			told++
		})
		ask := func(class budget.Class) error {
			_, err := breaker.Acquire(t.Context(), class)
			return err
		}
		start := time.Now()
		var asked []time.Duration
		for time.Since(start) < time.Minute {
			before := b.asked.Load()
			require.ErrorIs(t, ask(budget.ClassPoll), errDown)
			if b.asked.Load() > before {
				asked = append(asked, time.Since(start))
			}
			time.Sleep(100 * time.Millisecond)
		}
		const ms = time.Millisecond
		assert.Equal(t, []time.Duration{0, 200 * ms, 600 * ms, 1400 * ms, 3000 * ms, 6200 * ms, 12600 * ms, 22600 * ms, 32600 * ms, 42600 * ms, 52600 * ms}, asked)
		require.ErrorIs(t, ask(budget.ClassResult), errDown)
		assert.Equal(t, 1, told, "once for all classes")

		b.err = nil
		require.ErrorIs(t, ask(budget.ClassPoll), errDown, "not asked yet")
		time.Sleep(10 * time.Second)
		require.NoError(t, ask(budget.ClassPoll))
		require.NoError(t, ask(budget.ClassPoll))
		b.err = errDown
		require.Error(t, ask(budget.ClassPoll))
		assert.Equal(t, 2, told, "another outage")
	})
}

func TestABreakerLetsARefusalAndTheEndOfAContextPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &shaky{err: budget.ErrNoRoom}
		breaker := budget.NewBreaker(b, func(context.Context, error) { assert.Fail(t, "it works") })
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			_, err := breaker.Acquire(t.Context(), budget.ClassPoll)
			require.ErrorIs(t, err, budget.ErrNoRoom)
		}
		b.err = context.Canceled
		for range 10 {
			_, err := breaker.Acquire(ended, budget.ClassPoll)
			require.ErrorIs(t, err, context.Canceled)
		}
		b.err = errors.New("unknown class 7")
		for range 10 {
			_, err := breaker.Acquire(t.Context(), 7)
			require.ErrorContains(t, err, "class 7")
		}
		assert.Equal(t, int64(30), b.asked.Load())
	})
}

func TestCallersThatAskAtOnceAreOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &shaky{empty: true}
		var told atomic.Int64
		breaker := budget.NewBreaker(b, func(context.Context, error) { told.Add(1) })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := breaker.Acquire(t.Context(), budget.ClassPoll)
				assert.ErrorContains(t, err, "neither a permit nor an error")
			})
		}
		wg.Wait()
		assert.Equal(t, int64(1), told.Load())
		b.empty = false
		time.Sleep(200 * time.Millisecond)
		_, err := breaker.Acquire(t.Context(), budget.ClassPoll)
		require.NoError(t, err)
	})
}
