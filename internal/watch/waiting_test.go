package watch_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

func TestWaitingSaysWhatIsWaitedForAndWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(scriptix.WithLimits(scriptix.Limits{PerMinute: 1}))
		assert.Empty(t, slices.Collect(c.Waiting()))
		ctx, cancel := context.WithCancel(t.Context())
		s.start("other", time.Hour)
		_, err := c.STT.Status(t.Context(), "other") // which fills the minute
		require.NoError(t, err)
		begin := time.Now()
		var all sync.WaitGroup
		w := c.STT.NewWatcher()
		for id, age := range map[string]time.Duration{"fresh": 0, "late_1": time.Hour, "late_2": time.Hour} {
			s.start(id, 100*time.Hour)
			w.Add(scriptix.Job{ID: id, CreatedAt: begin.Add(-age)})
		}
		all.Go(func() { drain(w.All(ctx)) })
		time.Sleep(10 * time.Second)

		byID := map[string]scriptix.WaitState{}
		for state := range c.Waiting() {
			byID[state.JobID] = state
			assert.Zero(t, state.LastAsked)
		}
		require.Len(t, byID, 3)
		assert.Equal(t, begin, byID["fresh"].Since)
		assert.Equal(t, scriptix.WaitsForEnd, byID["fresh"].Reason)
		assert.False(t, byID["fresh"].Next.Before(time.Now()))
		assert.Equal(t, begin.Add(-time.Hour), byID["late_1"].Since)
		assert.Equal(t, scriptix.WaitsForBudget, byID["late_1"].Reason)
		assert.GreaterOrEqual(t, time.Until(byID["late_1"].Next), 49*time.Second, "the minute has no room before")

		time.Sleep(time.Minute)
		asked := 0
		for state := range c.Waiting() {
			if !state.LastAsked.IsZero() {
				asked++
				assert.Equal(t, scriptix.WaitsForEnd, state.Reason)
			}
		}
		assert.Equal(t, 1, asked)
		for range c.Waiting() {
			break // a loop may be left
		}
		cancel()
		all.Wait()
		assert.Empty(t, slices.Collect(c.Waiting()))
	})
}

func TestWaitingSaysThatTheServiceIsDownAndHow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.respond = func(string, int) *http.Response { return response(http.StatusBadGateway, ``) }
		s.start("job", time.Hour)
		c := s.client()
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _, _ = c.STT.Wait(ctx, "job") })
		time.Sleep(time.Minute)
		down := false
		for range 100 {
			time.Sleep(time.Second)
			for state := range c.Waiting() {
				if state.Reason == scriptix.WaitsForService {
					down = true
					require.ErrorIs(t, state.Err, scriptix.ErrServer)
				}
			}
		}
		assert.True(t, down)
		cancel()
		all.Wait()
	})
}

func TestAnEndThatWasLearnedElsewhereEndsTheWaitAndTeachesTheEstimates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		c := s.client(withCallbacks())
		w := c.STT.NewWatcher()
		for i := range 40 {
			id := fmt.Sprintf("job_%02d", i)
			s.start(id, 48*time.Hour)
			w.Add(scriptix.Job{ID: id, CreatedAt: time.Now(), Duration: 10 * time.Minute})
		}
		w.Observe(scriptix.Job{ID: "stranger", Status: scriptix.StatusCompleted}, time.Now())
		w.Observe(scriptix.Job{ID: "job_00", Status: scriptix.StatusProcessing}, time.Now())
		time.AfterFunc(10*time.Minute, func() {
			for i := range 40 {
				status := scriptix.StatusCompleted
				if i%4 == 0 {
					status = scriptix.StatusFailed
				}
				job := scriptix.Job{ID: fmt.Sprintf("job_%02d", i), Status: status, Source: scriptix.SourceWebhook}
				w.Observe(job, time.Now())
				w.Observe(job, time.Now())
			}
		})
		ended := map[scriptix.Status]int{}
		for job, err := range w.All(t.Context()) {
			require.NoError(t, err)
			if job.Status.Terminal() {
				ended[job.Status]++
			}
		}
		assert.Equal(t, map[scriptix.Status]int{scriptix.StatusCompleted: 30, scriptix.StatusFailed: 10}, ended)
		stats := c.Stats()
		assert.Equal(t, 40, stats.EndedByCallback)
		assert.Zero(t, stats.Duplicates)
		assert.InDelta(t, 8, stats.QueueTime.Minutes(), 0.5)
		assert.InDelta(t, 1, stats.HookHealth, 0.001)
	})
}

func TestLearnSparesANewProcessItsFirstTwentyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newService(t).client()
		w := c.STT.NewWatcher()
		w.Learn()
		assert.Equal(t, time.Minute, c.Stats().QueueTime)
		ends := make([]scriptix.JobTime, 300)
		for i := range ends {
			ends[i] = scriptix.JobTime{Took: time.Hour, Duration: 10 * time.Minute}
			if i >= 100 {
				ends[i].Took = 20 * time.Minute
			}
		}
		w.Learn(ends...)
		assert.InDelta(t, 18, c.Stats().QueueTime.Minutes(), 0.1, "the last 200 count")
	})
}

func TestObserveAndLearnOfAWatcherThatWasNotMadeDoNothing(t *testing.T) {
	t.Parallel()
	w := (&scriptix.STTService{}).NewWatcher()
	w.Observe(scriptix.Job{ID: "job", Status: scriptix.StatusCompleted}, time.Time{})
	w.Learn(scriptix.JobTime{Took: time.Minute})
}
