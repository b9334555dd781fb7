package watch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// model is all that is promised of a job: what the callbacks and the service
// told of its end, the first of which stays.
type model struct {
	mu    sync.Mutex
	truth map[string]scriptix.Status  // as the service has it
	said  map[string]bool             // a callback said that it is completed
	first map[string]*scriptix.Job    // what a waiter was told
	waits map[string]map[int]struct{} // waits that must still wake, by job
	next  int
}

func newModel() *model {
	return &model{truth: map[string]scriptix.Status{}, said: map[string]bool{}, first: map[string]*scriptix.Job{}, waits: map[string]map[int]struct{}{}}
}

func (m *model) began(id string) (wait int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waits[id] == nil {
		m.waits[id] = map[int]struct{}{}
	}
	m.next++
	m.waits[id][m.next] = struct{}{}
	return m.next
}

func (m *model) heard(t *testing.T, wait int, id string, job *scriptix.Job, err error) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waits[id], wait)
	if err != nil {
		assert.ErrorIs(t, err, scriptix.ErrWaitEnded)
		return
	}
	if m.first[id] == nil {
		m.first[id] = job
		assert.True(t, job.Status == m.truth[id] || m.said[id] && job.Status == scriptix.StatusCompleted, "%s is %s", id, job.Status)
	}
	assert.Equal(t, m.first[id], job, "an end never changes")
}

// Whatever comes in whatever order: an end never changes, every waiter wakes,
// the windows hold, and, because the bubble would not end otherwise, no
// goroutine is left.
func TestAnyOrderOfEventsKeepsThePromises(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { playRandomly(t, rand.New(rand.NewPCG(seed, 11))) })
		})
	}
}

func playRandomly(t *testing.T, rng *rand.Rand) {
	t.Helper()
	limits := scriptix.Limits{PerMinute: 5 + rng.IntN(20), PerHour: 200, Concurrent: 1 + rng.IntN(4)}
	opts := []scriptix.Option{scriptix.WithLimits(limits)}
	if rng.IntN(3) > 0 {
		opts = append(opts, withCallbacks())
	}
	s, m := newService(t), newModel()
	c := s.client(opts...)
	var ids []string
	s.create = func(id string) (serviceJob, bool) { // called under the service's lock
		j := serviceJob{started: time.Now(), ended: time.Now().Add(time.Duration(rng.Int64N(int64(30 * time.Minute))))}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.truth[id] = scriptix.StatusCompleted
		if rng.IntN(4) == 0 {
			j.failure, m.truth[id] = "noise", scriptix.StatusFailed
		}
		ids = append(ids, id)
		return j, rng.IntN(5) > 0
	}
	ctx, cancelAll := context.WithTimeout(t.Context(), 30*24*time.Hour)
	defer cancelAll()
	var running sync.WaitGroup
	deliver := func(id string, status scriptix.Status) {
		if status == scriptix.StatusFailed {
			assert.NoError(t, c.Deliver(ctx, failed(id, time.Now())))
			return
		}
		m.mu.Lock()
		m.said[id] = true
		m.mu.Unlock()
		assert.NoError(t, c.Deliver(ctx, completed(id, time.Now())))
	}
	wait := func(ctx context.Context, id string) {
		n := m.began(id)
		running.Go(func() {
			job, err := c.STT.Wait(ctx, id, scriptix.ExpectDuration(10*time.Minute))
			m.heard(t, n, id, job, err)
		})
	}
	pick := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return ids[rng.IntN(len(ids))]
	}
	for range 300 {
		op := rng.IntN(12)
		s.mu.Lock()
		if len(ids) == 0 {
			op = 0
		}
		s.mu.Unlock()
		switch op {
		case 0, 1: // submit; sometimes the answer is lost, or its callback comes before it
			early := rng.IntN(8) == 0
			if early {
				s.mu.Lock()
				id := fmt.Sprintf("stt_%06d", s.created+1)
				s.mu.Unlock()
				running.Go(func() { deliver(id, scriptix.StatusCompleted) })
			}
			_, err := c.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
			if err != nil && !errors.Is(err, scriptix.ErrRateLimited) {
				assert.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
			}
		case 2, 3, 4: // a callback, true, too early, twice or out of order
			id := pick()
			deliver(id, m.truth[id])
		case 5: // one that contradicts
			id := pick()
			deliver(id, map[scriptix.Status]scriptix.Status{scriptix.StatusCompleted: scriptix.StatusFailed, scriptix.StatusFailed: scriptix.StatusCompleted}[m.truth[id]])
		case 6, 7: // somebody waits, to the end
			wait(ctx, pick())
		case 8: // or not so long
			short, cancel := context.WithTimeout(ctx, time.Duration(rng.Int64N(int64(time.Hour))))
			running.Go(func() { <-short.Done(); cancel() })
			wait(short, pick())
		case 9: // or follows several and goes away
			watched := []string{pick(), pick(), pick()}
			running.Go(func() {
				c.STT.Watch(ctx, watched...)(func(*scriptix.Job, error) bool { return false })
			})
		case 10: // the service refuses
			s.mu.Lock()
			s.refuse = rng.IntN(4)
			s.mu.Unlock()
		case 11: // time passes, now and then a lot of it
			span := int64(time.Minute)
			if rng.IntN(6) == 0 {
				span = int64(10 * time.Hour)
			}
			time.Sleep(time.Duration(rng.Int64N(span)))
		}
	}
	running.Wait()
	require.NoError(t, ctx.Err(), "every waiter woke before a month was over")
	for id, left := range m.waits {
		assert.Empty(t, left, id)
	}
	stats := c.Stats()
	assert.Zero(t, stats.Waiting)
	assert.LessOrEqual(t, stats.EndedByCallback+stats.EndedByPoll, len(ids))
	assert.LessOrEqual(t, s.within(time.Minute), limits.PerMinute)
	assert.LessOrEqual(t, s.within(time.Hour), limits.PerHour)
	assert.LessOrEqual(t, s.most, limits.Concurrent)
}
