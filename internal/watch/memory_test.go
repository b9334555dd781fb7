package watch_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// heap is what is in use once everything that nobody holds was collected.
func heap() (bytes, mallocs uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.Mallocs
}

// Not parallel: it measures the whole process.
func TestHundredThousandWaitingJobsAllocateLittleAndSleep(t *testing.T) {
	const jobs = 100_000
	ids := make([]string, jobs)
	for i := range ids {
		ids[i] = fmt.Sprintf("stt_%024d", i)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		ctx, cancel := context.WithCancel(t.Context())
		before, _ := heap()
		goroutines := runtime.NumGoroutine()
		w := c.STT.NewWatcher(scriptix.ExpectDuration(24 * time.Hour)) // due in five hours
		for _, id := range ids {
			w.Add(scriptix.Job{ID: id})
		}
		go func() {
			drain(w.All(ctx))
		}()
		synctest.Wait()
		after, mallocs := heap()
		require.Equal(t, jobs, c.Stats().Waiting)
		each := float64(after-before) / jobs
		t.Logf("%.0f bytes for each job beyond its id, %d goroutines", each, runtime.NumGoroutine()-goroutines)
		assert.Less(t, each, 250.0)
		assert.LessOrEqual(t, runtime.NumGoroutine()-goroutines, 1)

		time.Sleep(4 * time.Hour)
		_, later := heap()
		assert.Less(t, later-mallocs, uint64(100), "nothing happens before a job is due")
		assert.Zero(t, s.requests())
		cancel()
		synctest.Wait()
	})
	runtime.KeepAlive(ids)
}

// Not parallel: it measures the whole process.
func TestThreeDaysOfPollsAllocateNothingThatStays(t *testing.T) {
	const jobs = 2_000
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.forgetful = true
		c := s.client(scriptix.WithLimits(scriptix.PlanBronze))
		ctx, cancel := context.WithCancel(t.Context())
		w := c.STT.NewWatcher()
		for i := range jobs {
			id := fmt.Sprintf("stt_%024d", i)
			s.start(id, 1000*time.Hour)
			w.Add(scriptix.Job{ID: id})
		}
		go func() {
			drain(w.All(ctx))
		}()
		time.Sleep(24 * time.Hour) // each job has been asked about: what that takes is no growth
		synctest.Wait()
		before, _ := heap()

		time.Sleep(72 * time.Hour)

		synctest.Wait()
		after, _ := heap()
		polls := s.polls
		for id := range s.jobs {
			require.True(t, s.jobs[id].polled, id)
		}
		t.Logf("%d polls; the heap went from %d to %d KiB", polls, before>>10, after>>10)
		assert.Less(t, float64(after), float64(before)+40*jobs)
		cancel()
		synctest.Wait()
	})
}

// Not parallel: it measures the whole process.
func TestEndedJobsAllocateWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.forgetful = true
		c := s.client(withCallbacks(), scriptix.WithLimits(scriptix.Limits{}))
		run := func(from, to int) {
			for i := from; i < to; i++ {
				id := fmt.Sprintf("stt_%024d", i)
				e := completed(id, time.Now())
				e.Raw = make([]byte, 512)
				go func() { assert.NoError(t, c.Deliver(t.Context(), e)) }()
				_, err := c.STT.Wait(t.Context(), id)
				require.NoError(t, err)
			}
		}
		run(0, 12_000)
		before, _ := heap()
		run(12_000, 36_000)
		after, _ := heap()
		t.Logf("the heap went from %d to %d KiB", before>>10, after>>10)
		assert.Less(t, after, before+before/5)

		job, err := c.STT.Wait(t.Context(), "stt_000000000000000000035999")
		require.NoError(t, err)
		assert.Len(t, job.Raw, 512, "the last ones are remembered")
	})
}

// Not parallel: it measures the whole process.
func TestManyWaitsForOneJobAllocateAndCostTheirNumber(t *testing.T) {
	cost := func(waits int) (spent time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			c := s.client(withCallbacks())
			begin := cpuTime(t)
			var all sync.WaitGroup
			for range waits {
				all.Go(func() {
					job, err := c.STT.Wait(t.Context(), "job")
					assert.NoError(t, err)
					assert.Equal(t, scriptix.StatusCompleted, job.Status)
				})
			}
			synctest.Wait()
			require.Equal(t, 1, c.Stats().Waiting)
			require.NoError(t, c.Deliver(t.Context(), completed("job", time.Now())))
			all.Wait()
			spent = cpuTime(t) - begin
		})
		return spent
	}
	const few, many = 2_000, 16_000
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // few never collect
	cost(many)                                       // warms up: the goroutines' stacks are there
	var best float64
	for range 10 { // the machine may be busy
		a, b := cost(few), cost(many)
		ratio := float64(b) / float64(a)
		t.Logf("%d waits took %v of CPU, %d took %v: %.1f times as much", few, a, many, b, ratio)
		if best == 0 || ratio < best {
			best = ratio
		}
		if best <= 12 {
			break
		}
	}
	assert.LessOrEqual(t, best, 12.0)
}
