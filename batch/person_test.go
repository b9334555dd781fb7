package batch_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// vigil is a person who waits for a few recordings without callbacks.
type vigil struct {
	name       string
	recordings int
	audio      time.Duration // of each
	processing func(i int) time.Duration
	limits     scriptix.Limits
	within     time.Duration // the last transcript is there
	requests   int           // at most, for all recordings
}

// each takes the same time.
func each(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

var vigils = []vigil{
	{"one that takes 2 s", 1, 10 * time.Second, each(2 * time.Second), scriptix.DefaultLimits, 7 * time.Second, 4},
	{"one that takes 40 s", 1, 10 * time.Second, each(40 * time.Second), scriptix.DefaultLimits, 48 * time.Second, 17},
	{"an hour of audio that takes 9 min", 1, time.Hour, each(9 * time.Minute), scriptix.DefaultLimits, 10*time.Minute + 48*time.Second, 17},
	{"14 that take 2 s", 14, 10 * time.Second, each(2 * time.Second), scriptix.DefaultLimits, 7 * time.Second, 35},
	{"14 that take 10 s", 14, 10 * time.Second, each(10 * time.Second), scriptix.DefaultLimits, 15 * time.Second, 40},
	{"14 that take 30 s", 14, 10 * time.Second, each(30 * time.Second), scriptix.DefaultLimits, 36 * time.Second, 55},
	{"14 that take 10 to 36 s", 14, 10 * time.Second, func(i int) time.Duration { return time.Duration(10+2*i) * time.Second }, scriptix.DefaultLimits, 43*time.Second + 200*time.Millisecond, 60},
	{"14 on Silver that take 10 s", 14, 10 * time.Second, each(10 * time.Second), scriptix.PlanSilver, 15 * time.Second, 40},
	{"20 on Gold that take 10 s", 20, 10 * time.Second, each(10 * time.Second), scriptix.PlanGold, 15 * time.Second, 60},
	{"4 on Free that take 10 s", 4, 10 * time.Second, each(10 * time.Second), scriptix.PlanFree, 75 * time.Second, 12},
	{"25 that take 10 s", 25, 10 * time.Second, each(10 * time.Second), scriptix.DefaultLimits, 25 * time.Second, 60},
}

func TestAPersonDoesNotWaitMuchLongerThanTheService(t *testing.T) {
	t.Parallel()
	for _, v := range vigils {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { v.hold(t) })
		})
	}
}

func (v vigil) hold(t *testing.T) {
	t.Helper()
	opts := []scriptixtest.Option{scriptixtest.InMemory()}
	if v.limits.PerDay > 0 { // else the service says nothing of its limits
		opts = append(opts, scriptixtest.WithPlan(scriptixtest.Limits(v.limits)))
	}
	fake := scriptixtest.New(t, opts...)
	var submitted atomic.Int64
	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		i := int(submitted.Add(1)) - 1
		return scriptixtest.Outcome{Queue: -1, Processing: v.processing(i), Duration: v.audio, Text: "Hello."}
	})
	c := pollingClient(t, fake, scriptix.WithLimits(v.limits))
	begin := time.Now()
	var late []time.Duration
	for o := range batch.Run(t.Context(), c, recordings(t, v.recordings), batch.Options{Ledger: batch.Memory()}) {
		require.NoError(t, o.Err)
		for _, job := range fake.Jobs() {
			if job.ID == o.JobID {
				late = append(late, time.Since(job.EndedAt))
			}
		}
	}
	last := time.Since(begin)

	slices.Sort(late)
	stats := fake.Stats()
	t.Logf("%s: last after %.1fs, p50 %.1f, p95 %.1f, %d requests, %d polls", v.name, last.Seconds(), late[len(late)/2].Seconds(), late[len(late)*95/100].Seconds(), len(fake.Requests()), c.Stats().PollsSent)
	assert.LessOrEqual(t, last, v.within)
	assert.LessOrEqual(t, len(fake.Requests()), v.requests)
	assert.Zero(t, stats.Refused)
	if v.recordings == 1 {
		assert.LessOrEqual(t, late[0], v.processing(0)/5, "a fifth of its time")
	}
	requests := fake.Requests()
	for i := range requests {
		if before := i - v.limits.PerMinute; before >= 0 {
			assert.GreaterOrEqual(t, requests[i].Time.Sub(requests[before].Time), time.Minute, "more than the plan's minute")
		}
	}
}
