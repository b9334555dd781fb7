package watch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// Loops over watchers that grow, shrink and are left, waits that give up, and
// callbacks, all at once: every loop that nobody leaves sees each end, and each
// once; nothing is polled, held or left afterwards.
func TestWatchersThatAreUsedFromEverywhereAtOnceMissNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { useFromEverywhere(t, seed) })
		})
	}
}

func useFromEverywhere(t *testing.T, seed uint64) {
	t.Helper()
	const jobs = 60
	var out atomic.Int64
	budget, err := scriptix.NewBudget(scriptix.Limits{PerMinute: 60, Concurrent: 5})
	require.NoError(t, err)
	s := newService(t)
	s.latency = time.Second
	opts := []scriptix.Option{scriptix.WithBudget(permits{budget, &out})}
	if seed%2 == 0 {
		opts = append(opts, withCallbacks())
	}
	if seed%3 == 0 {
		opts = append(opts, scriptix.WithHTTPClient(&http.Client{Transport: stubborn{s, 2 * time.Second}}))
	}
	c := s.client(opts...)
	ids := make([]string, jobs)
	for i := range ids {
		ids[i] = fmt.Sprintf("job_%02d", i)
		s.start(ids[i], time.Duration(i+1)*20*time.Second)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*24*time.Hour)
	defer cancel()
	var all sync.WaitGroup
	worker := func(n uint64, f func(rng *rand.Rand)) {
		all.Go(func() { f(rand.New(rand.NewPCG(seed, n))) })
	}
	pick := func(rng *rand.Rand) string { return ids[rng.IntN(jobs)] }
	for n := range uint64(4) { // loops to the end
		worker(n, func(rng *rand.Rand) {
			w := c.STT.NewWatcher()
			stays := make(map[string]bool)
			for range 20 {
				id := pick(rng)
				stays[id] = true
				w.Add(scriptix.Job{ID: id, CreatedAt: time.Now().Add(-time.Duration(rng.IntN(100)) * time.Second)})
			}
			done := make(chan struct{})
			all.Go(func() { // others come and go meanwhile
				rng := rand.New(rand.NewPCG(seed, 100+n))
				for range 200 {
					if id := pick(rng); !stays[id] {
						w.Add(scriptix.Job{ID: id})
						time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
						w.Remove(id)
					}
				}
				close(done)
			})
			ended := make(map[string]int)
			for job, err := range w.All(ctx) {
				if !assert.NoError(t, err) {
					return
				}
				if job.Status.Terminal() && stays[job.ID] {
					ended[job.ID]++
				}
			}
			for id := range stays {
				assert.Equal(t, 1, ended[id], id)
			}
			<-done
			w.Add(scriptix.Job{ID: pick(rng)})
			for range w.All(ctx) { // what came after the loop
			}
		})
	}
	for n := range uint64(4) { // loops that are left, and waits that give up
		worker(10+n, func(rng *rand.Rand) {
			for range 60 {
				short, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(20_000))*time.Millisecond)
				if rng.IntN(2) == 0 {
					_, err := c.STT.Wait(short, pick(rng), scriptix.SubmittedAt(time.Now().Add(-time.Minute)))
					if err != nil {
						assert.ErrorIs(t, err, scriptix.ErrWaitEnded)
					}
				} else {
					left := rng.IntN(4)
					for range c.STT.Watch(short, pick(rng), pick(rng), pick(rng)) {
						if left--; left < 0 {
							break
						}
					}
				}
				cancel()
			}
		})
	}
	worker(20, func(rng *rand.Rand) { // callbacks, some early, some never
		for range 80 {
			id := pick(rng)
			status := completed
			if rng.IntN(4) == 0 {
				status = failed
			}
			assert.NoError(t, c.Deliver(ctx, status(id, time.Now())))
			_ = c.Stats()
			time.Sleep(time.Duration(rng.IntN(30_000)) * time.Millisecond)
		}
	})
	all.Wait()
	require.NoError(t, ctx.Err(), "every loop came to its end")
	time.Sleep(time.Minute)
	assert.Zero(t, c.Stats().Waiting)
	assert.Zero(t, out.Load(), "permits")
	assert.Zero(t, c.Budget().InFlight)
	assert.LessOrEqual(t, s.within(time.Minute), 60)
	assert.LessOrEqual(t, s.most, 5)
	seen := s.requests()
	time.Sleep(24 * time.Hour)
	assert.Equal(t, seen, s.requests())
}
