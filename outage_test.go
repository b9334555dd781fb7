package scriptix_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// outOfOrder is a budget whose database is down until it is repaired.
type outOfOrder struct {
	scriptix.Budget
	broken   atomic.Bool
	latency  time.Duration
	acquires atomic.Int64
}

func (b *outOfOrder) Acquire(ctx context.Context, class scriptix.Class) (scriptix.Permit, error) {
	b.acquires.Add(1)
	time.Sleep(b.latency)
	if b.broken.Load() {
		return nil, errors.New("connection refused")
	}
	return b.Budget.Acquire(ctx, class)
}

// warnings are the lines of a log at the level of a warning.
func warnings(log *bytes.Buffer) int { return strings.Count(log.String(), "level=WARN") }

func TestABudgetThatFailsIsAskedAsAServiceThatIsDown(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]func(context.Context, *scriptix.Client){
		"a Watch of 1,000 jobs": func(ctx context.Context, c *scriptix.Client) {
			w := c.STT.NewWatcher(scriptix.SubmittedAt(time.Now().Add(-time.Hour)))
			for i := range 1000 {
				w.Add(scriptix.Job{ID: fmt.Sprint("stt_", i)})
			}
			for range w.All(ctx) {
			}
		},
		"a hundred calls at a time": func(ctx context.Context, c *scriptix.Client) {
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					for ; ctx.Err() == nil; time.Sleep(time.Duration(i+1) * time.Millisecond) {
						_, err := c.STT.Status(ctx, "stt_1")
						assert.ErrorContains(t, err, "connection refused")
					}
				})
			}
			wg.Wait()
		},
		"submits": func(ctx context.Context, c *scriptix.Client) {
			for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
				_, _ = c.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), english)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				key, err := scriptix.NewBudget(scriptix.Limits{})
				require.NoError(t, err)
				b := &outOfOrder{Budget: key}
				b.broken.Store(true)
				var log bytes.Buffer
				c := newClient(t, fake, scriptix.WithBudget(b), scriptix.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				load(ctx, c)
				synctest.Wait()
				t.Log("asked", b.acquires.Load(), "times")
				assert.LessOrEqual(t, b.acquires.Load(), int64(20))
				assert.Equal(t, 1, warnings(&log), log.String())
				assert.Empty(t, fake.Requests())

				b.broken.Store(false)
				time.Sleep(time.Minute)
				job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
				require.NoError(t, err)
				_, err = c.STT.Status(t.Context(), job.ID)
				require.NoError(t, err)
				b.broken.Store(true)
				_, err = c.STT.Status(t.Context(), job.ID)
				require.Error(t, err)
				assert.Equal(t, 2, warnings(&log), "the next outage is another one")
			})
		})
	}
}

func TestABudgetThatHasNoRoomWorksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		key, err := scriptix.NewBudget(scriptix.Limits{PerHour: 1})
		require.NoError(t, err)
		p, err := key.Acquire(t.Context(), scriptix.ClassPoll)
		require.NoError(t, err)
		p.Done(scriptix.RateInfo{Sent: true})
		b := &outOfOrder{Budget: key}
		b.broken.Store(true)
		c := newClient(t, fake, scriptix.WithBudget(b), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
		_, err = c.STT.Status(t.Context(), "stt_1")
		require.ErrorContains(t, err, "connection refused")
		b.broken.Store(false)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			_, err = c.STT.Status(ctx, "stt_1")
			require.ErrorIs(t, err, scriptix.ErrBudget)
		}
	})
}

func TestAKeeperThatFailsIsNotAskedForEachPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		key, err := scriptix.NewBudget(scriptix.PlanSilver)
		require.NoError(t, err)
		var stored atomic.Int64
		var full atomic.Bool
		full.Store(true)
		key.Keep(5, func(scriptix.BudgetState) error {
			if stored.Add(1); full.Load() {
				return errors.New("disk full")
			}
			return nil
		})
		var log bytes.Buffer
		c := newClient(t, fake, scriptix.WithBudget(key), scriptix.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		job := submitted(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := c.STT.Wait(ctx, job, scriptix.SubmittedAt(time.Now().Add(-time.Hour)))
			ended <- err
		}()
		time.Sleep(3 * time.Second)
		assert.LessOrEqual(t, stored.Load(), int64(20))
		time.Sleep(10 * time.Minute)
		assert.LessOrEqual(t, stored.Load(), int64(30))
		assert.Equal(t, 1, warnings(&log), log.String())
		full.Store(false)
		start := time.Now()
		require.NoError(t, <-ended)
		assert.LessOrEqual(t, time.Since(start), 2*time.Minute)
	})
}

// submitted makes a job at the fake with a client of its own.
func submitted(t *testing.T, fake *scriptixtest.Server) (id string) {
	t.Helper()
	job, err := newClient(t, fake).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.NoError(t, err)
	return job.ID
}

func TestCallsThatAskAtOnceCountAsOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		key, err := scriptix.NewBudget(scriptix.Limits{})
		require.NoError(t, err)
		b := &outOfOrder{Budget: key, latency: 10 * time.Millisecond}
		b.broken.Store(true)
		c := newClient(t, fake, scriptix.WithBudget(b), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := c.STT.Status(t.Context(), "stt_1")
				assert.Error(t, err)
			})
		}
		wg.Wait()
		b.broken.Store(false)
		time.Sleep(250 * time.Millisecond)
		_, err = c.STT.Status(t.Context(), submitted(t, fake))
		require.NoError(t, err, "it is asked again soon")
	})
}
