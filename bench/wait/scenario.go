package main

import (
	"math/rand/v2"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// job is one recording. Times count from the start of the scenario.
type job struct {
	submitted, ended time.Duration
	duration         time.Duration
	callback         bool // it comes
}

// scenario is a service, its jobs and what may be asked of it for polls.
type scenario struct {
	name      string
	seed      uint64 // of the jobs, and of the client's jitter
	limits    scriptix.Limits
	callbacks bool // the client expects them
	jobs      []job
}

// horizon is when a scenario is over, whatever has not been found by then.
const horizon = 7 * 24 * time.Hour

func scenarios(seed uint64) []scenario {
	polls := func(perMinute int) scriptix.Limits {
		return scriptix.Limits{PerMinute: perMinute, Concurrent: 10}
	}
	all := []scenario{
		{
			name: "no queue, 2 % of the callbacks lost, 10 polls a minute, 5,000 jobs", limits: polls(10), callbacks: true,
			jobs: play(seed, 5_000, 4*time.Second, 0, 0.02),
		},
		{
			name: "queue grows (30 a minute in, 20 out), 2 % lost, 10 polls a minute, 20,000 jobs", limits: polls(10), callbacks: true,
			jobs: play(seed, 20_000, 2*time.Second, 3*time.Second, 0.02),
		},
		{
			name: "the same, receiver dead, 24 polls a minute", limits: polls(24), callbacks: true,
			jobs: play(seed, 20_000, 2*time.Second, 3*time.Second, 1),
		},
	}
	for _, p := range []struct {
		name string
		plan scriptix.Limits
	}{{"Free", scriptix.PlanFree}, {"Bronze", scriptix.PlanBronze}, {"Silver", scriptix.PlanSilver}, {"Gold", scriptix.PlanGold}} {
		// Three tenths of the day's requests in jobs: submits and results take six
		// tenths of each window, polls have the rest.
		jobs := p.plan.PerDay * 3 / 10
		rest := scriptix.Limits{PerMinute: p.plan.PerMinute * 4 / 10, PerHour: p.plan.PerHour * 4 / 10, PerDay: p.plan.PerDay * 4 / 10, Concurrent: p.plan.Concurrent}
		all = append(all, scenario{
			name: "polling only, " + p.name + ", " + number(jobs) + " jobs in a day", limits: rest,
			jobs: play(seed, jobs, 24*time.Hour/time.Duration(jobs), 0, 1),
		})
	}
	all = append(all, scenario{
		name: "100,000 jobs pending, 2 % lost, Gold", limits: scriptix.PlanGold, callbacks: true,
		jobs: play(seed, 100_000, 50*time.Millisecond, 800*time.Millisecond, 0.02),
	})
	for i := range all {
		all[i].seed = seed
	}
	return all
}

// play makes jobs that come at a steady rate. Recordings last 5 to 60 minutes,
// processing takes 10 to 20 % of that and a while, 40 s in the mean, and a
// service that queues begins with a job each so often, first come, first served.
func play(seed uint64, n int, every, each time.Duration, lost float64) []job {
	rng := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // a count
	jobs := make([]job, n)
	var free time.Duration
	for i := range jobs {
		j := &jobs[i]
		j.submitted = time.Duration(i) * every
		j.duration = 5*time.Minute + time.Duration(rng.Int64N(int64(55*time.Minute)))
		free = max(free, j.submitted) + each
		j.ended = free + time.Duration(rng.ExpFloat64()*float64(40*time.Second)) + time.Duration((0.1+0.1*rng.Float64())*float64(j.duration))
		j.callback = rng.Float64() >= lost
	}
	return jobs
}
