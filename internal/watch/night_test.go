package watch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

func TestALoneClipIsFoundSoonWithFewPolls(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{500 * time.Millisecond, 1600 * time.Millisecond, 3 * time.Second, 5 * time.Second, 9 * time.Second} {
		t.Run(took.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				c := s.client()
				s.start("clip", took)
				begin := time.Now()

				job, err := c.STT.Wait(t.Context(), "clip", scriptix.ExpectDuration(8*time.Second))

				require.NoError(t, err)
				assert.Equal(t, scriptix.StatusCompleted, job.Status)
				assert.LessOrEqual(t, time.Since(begin), 16*time.Second)
				assert.LessOrEqual(t, s.polls, 8)
				t.Logf("found %v after its submit, %d polls", time.Since(begin), s.polls)
			})
		})
	}
}

func TestSixHoursOfWaitingForOneJobCostFewPolls(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]scriptix.Option{nil, {scriptix.WithLimits(scriptix.PlanFree)}, {withCallbacks()}} {
		worst, late := 0, 0.0
		for i := range 12 {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				c := s.client(opts...)
				took := 6*time.Hour - time.Duration(i)*3*time.Minute
				s.start("long", took)
				begin := time.Now()

				_, err := c.STT.Wait(t.Context(), "long")

				require.NoError(t, err)
				assert.LessOrEqual(t, s.polls, 60)
				assert.LessOrEqual(t, time.Since(begin).Seconds(), 1.12*took.Seconds())
				worst, late = max(worst, s.polls), max(late, time.Since(begin).Seconds()/took.Seconds()-1)
			})
		}
		t.Logf("at most %d polls, found within %.1f %% of its age", worst, 100*late)
	}
}

func TestOfAThousandJobsOnlyThoseWithALostCallbackCostPolls(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			s := newService(t)
			c := s.client(withCallbacks(), scriptix.WithLimits(scriptix.PlanSilver))

			late := night{jobs: 1000, every: 2 * time.Second, queue: unqueued, lost: func(i int) bool { return i%50 == 49 }}.play(s, c, seed)

			stats := c.Stats()
			t.Logf("%d by callback, %d polls, the lost ones found within %v", stats.EndedByCallback, s.polls, late[len(late)-1].Round(time.Second))
			assert.Equal(t, 980, stats.EndedByCallback)
			assert.Equal(t, 20, stats.EndedByPoll)
			assert.LessOrEqual(t, s.polls, 100)
			assert.LessOrEqual(t, late[len(late)-1], 15*time.Minute)
		})
	}
}

func TestThreeThousandJobsWithoutCallbacksStayWithinThePlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 3))
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.PlanSilver))
		w := c.STT.NewWatcher()
		begin := time.Now()
		for i := range 3000 {
			id := fmt.Sprintf("job_%04d", i)
			duration := time.Duration(5+rng.IntN(235)) * time.Minute
			s.start(id, time.Duration(rng.Int64N(int64(time.Hour))))
			w.Add(scriptix.Job{ID: id, Duration: duration, CreatedAt: begin})
		}
		found := 0
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				found++
			}
		}

		t.Logf("%d found in %v with %d polls; most in a minute %d, an hour %d, a day %d, at once %d",
			found, time.Since(begin).Round(time.Second), s.polls, s.within(time.Minute), s.within(time.Hour), s.within(24*time.Hour), s.most)
		assert.Equal(t, 3000, found)
		assert.Less(t, time.Since(begin), 5*time.Hour)
		assert.LessOrEqual(t, s.within(time.Minute), 60)
		assert.LessOrEqual(t, s.within(time.Hour), 2000)
		assert.LessOrEqual(t, s.within(24*time.Hour), 20_000)
		assert.LessOrEqual(t, s.most, 10)
	})
}

// The figures for 20,000 jobs are in bench/README.md.
func TestGrowingQueueIsNotPolledForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks(), scriptix.WithLimits(scriptix.Limits{PerMinute: 10}))
		lost := rand.New(rand.NewPCG(7, 8))

		late := night{jobs: 3000, every: 2 * time.Second, queue: oneBy(3 * time.Second), lost: func(int) bool { return lost.IntN(50) == 0 }}.play(s, c, 7)

		t.Logf("%d lost, %d polls; lateness p50 %v p95 %v p99 %v", len(late), s.polls, late[len(late)/2], late[len(late)*95/100], late[len(late)*99/100])
		assert.LessOrEqual(t, s.polls, 150)
		assert.Less(t, late[len(late)*95/100], 12*time.Minute)
	})
}

// Nothing tells how long these take: the recordings' lengths do not, and those
// that end first are the short ones.
func TestJobsThatTakeAnyTimeAreNotPolledWhileTheirPeersRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks(), scriptix.WithLimits(scriptix.PlanSilver))
		rng := rand.New(rand.NewPCG(9, 9))
		queue := func(time.Time) time.Duration { return time.Duration(rng.Int64N(int64(30 * time.Minute))) }

		late := night{jobs: 1000, every: 2 * time.Second, queue: queue, lost: func(i int) bool { return i%50 == 49 }}.play(s, c, 9)

		t.Logf("%d polls, the lost ones found within %v", s.polls, late[len(late)-1].Round(time.Second))
		assert.Len(t, late, 20)
		assert.LessOrEqual(t, s.polls, 250)
	})
}

func TestModelLearnsHowTheServiceQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		before := c.Stats()
		assert.Equal(t, time.Minute, before.QueueTime)
		assert.InDelta(t, 0.2, before.Ratio, 0)

		night{jobs: 300, every: 10 * time.Second, queue: func(time.Time) time.Duration { return 10 * time.Minute }, lost: func(int) bool { return false }}.play(s, c, 5)

		after := c.Stats()
		assert.InDelta(t, 10.0, after.QueueTime.Minutes(), 2)
		assert.InDelta(t, 0.15, after.Ratio, 0.03)
		assert.InDelta(t, 1.0, after.HookHealth, 0.001)
		assert.LessOrEqual(t, s.polls, 90, "it starts without knowing the queue, and must not ask each of 300 jobs about it")
	})
}

// night is a run of recordings of 5 to 60 minutes, whose processing takes 10 to
// 20 % of that and comes after a queue.
type night struct {
	jobs  int
	every time.Duration
	queue func(submitted time.Time) time.Duration
	lost  func(i int) bool // its callback
}

// unqueued is a service that does not queue.
func unqueued(time.Time) time.Duration { return 20 * time.Second }

// oneBy is a service that finishes a job in so long, first come, first served.
func oneBy(each time.Duration) func(time.Time) time.Duration {
	var last time.Time
	return func(now time.Time) time.Duration {
		if last.Before(now) {
			last = now
		}
		last = last.Add(each)
		return last.Sub(now)
	}
}

// play returns how late the jobs without a callback were found, the least late
// first.
func (n night) play(s *service, c *scriptix.Client, seed uint64) (late []time.Duration) {
	s.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	w := c.STT.NewWatcher()
	go func() {
		for i := range n.jobs {
			id, now := fmt.Sprintf("job_%05d", i), time.Now()
			duration := time.Duration(5+rng.IntN(55)) * time.Minute
			took := n.queue(now) + time.Duration((0.1+0.1*rng.Float64())*float64(duration))
			s.start(id, took)
			w.Add(scriptix.Job{ID: id, Duration: duration, CreatedAt: now})
			if !n.lost(i) {
				time.AfterFunc(took, func() { assert.NoError(s.t, c.Deliver(s.t.Context(), completed(id, time.Now()))) })
			}
			time.Sleep(n.every)
		}
	}()
	found := 0
	for job, err := range w.All(s.t.Context()) {
		require.NoError(s.t, err)
		if !job.Status.Terminal() {
			continue
		}
		if found++; job.Source == scriptix.SourcePoll {
			late = append(late, time.Since(s.job(job.ID).ended))
		}
		if found == n.jobs {
			break
		}
	}
	slices.Sort(late)
	return late
}
