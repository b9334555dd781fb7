package lenient_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

func TestNoMoreIsAtHandThanTheGateLetsIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := lenient.NewGate(100)
		var atHand, most atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				size := int64(10 + i)
				place, err := gate.Enter(t.Context(), size)
				assert.NoError(t, err)
				most.Store(max(most.Load(), atHand.Add(size)))
				time.Sleep(time.Second)
				atHand.Add(-size / 2)
				place.Keep(size - size/2)
				time.Sleep(time.Second)
				atHand.Add(size/2 - size)
				place.Keep(0)
				place.Keep(0)
			})
		}
		all.Wait()
		assert.LessOrEqual(t, most.Load(), int64(100))
		place, err := gate.Enter(t.Context(), 1000)
		require.NoError(t, err, "one that is larger goes in alone")
		place.Keep(0)
	})
}

func TestGateLetsTheFirstInFirstAndForgetsWhoLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := lenient.NewGate(100)
		place, err := gate.Enter(t.Context(), 60)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var entered atomic.Int64
		go func() {
			_, err := gate.Enter(ctx, 90)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}()
		synctest.Wait()
		go func() {
			small, err := gate.Enter(t.Context(), 10)
			assert.NoError(t, err)
			entered.Add(1)
			small.Keep(0)
		}()
		synctest.Wait()
		assert.Zero(t, entered.Load(), "it is not passed by a small one")
		time.Sleep(2 * time.Second)
		assert.Equal(t, int64(1), entered.Load())
		place.Keep(0)
	})
}

func TestWhoIsInAGateGrowsWithoutWaiting(t *testing.T) {
	t.Parallel()
	gate := lenient.NewGate(100)
	first, second := gate.Try(20), gate.Try(30)
	assert.True(t, first.Grow(70))
	assert.False(t, second.Grow(31), "there is no more")
	assert.True(t, second.Grow(10), "it has that")
	second.Keep(0)
	assert.True(t, first.Grow(1000), "all of it, for who is alone")
	assert.Nil(t, gate.Try(1))
	first.Keep(99)
	assert.NotNil(t, gate.Try(1))
}

func TestWhoMustNotWaitIsCalledWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	gate := lenient.NewGate(100)
	place := gate.Queue(60, nil)
	require.NotNil(t, place)
	var admitted []*lenient.Place
	in := func(p *lenient.Place) { admitted = append(admitted, p) }
	assert.Nil(t, gate.Queue(50, in))
	assert.Nil(t, gate.Queue(10, in), "the first one comes first")
	assert.Nil(t, gate.Try(10), "nobody goes before those who wait")
	assert.Empty(t, admitted)
	place.Keep(30)
	require.Len(t, admitted, 2)
	assert.Nil(t, gate.Try(11))
	admitted[0].Keep(0)
	assert.NotNil(t, gate.Try(60))
}
