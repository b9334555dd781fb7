package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// vigil is a person who waits for a few recordings without callbacks, all
// submitted at once.
type vigil struct {
	name   string
	limits scriptix.Limits
	jobs   []job
	order  bool // a row of the table that the promise is about
}

func vigils(seed uint64) []vigil {
	same := func(n int, audio, processing time.Duration) []job {
		jobs := make([]job, n)
		for i := range jobs {
			jobs[i] = job{ended: processing, duration: audio}
		}
		return jobs
	}
	spread := func(n int, audio time.Duration, took func(i int) time.Duration) []job {
		jobs := same(n, audio, 0)
		for i := range jobs {
			jobs[i].ended = took(i)
		}
		return jobs
	}
	const clip = 10 * time.Second
	rng := rand.New(rand.NewPCG(seed, 14))
	return []vigil{
		{"1, 2 s", scriptix.DefaultLimits, same(1, clip, 2*time.Second), true},
		{"1, 40 s", scriptix.DefaultLimits, same(1, clip, 40*time.Second), true},
		{"1 of an hour, 9 min", scriptix.DefaultLimits, same(1, time.Hour, 9*time.Minute), true},
		{"14, 2 s", scriptix.DefaultLimits, same(14, clip, 2*time.Second), true},
		{"14, 10 s", scriptix.DefaultLimits, same(14, clip, 10*time.Second), true},
		{"14, 30 s", scriptix.DefaultLimits, same(14, clip, 30*time.Second), true},
		{"14, 10 to 36 s", scriptix.DefaultLimits, spread(14, clip, func(i int) time.Duration { return time.Duration(10+2*i) * time.Second }), true},
		{"14 on Silver, 10 s", scriptix.PlanSilver, same(14, clip, 10*time.Second), true},
		{"20 on Gold, 10 s", scriptix.PlanGold, same(20, clip, 10*time.Second), true},
		{"4 on Free, 10 s", scriptix.PlanFree, same(4, clip, 10*time.Second), true},
		{"25, 10 s", scriptix.DefaultLimits, same(25, clip, 10*time.Second), true},
		{"1, 10 s", scriptix.DefaultLimits, same(1, clip, 10*time.Second), false},
		{"14, a queue of 5 min, then one each 3 s", scriptix.DefaultLimits, spread(14, time.Minute, func(i int) time.Duration {
			return 5*time.Minute + time.Duration(3*i)*time.Second
		}), false},
		{"40, 45 s in the mean", scriptix.DefaultLimits, spread(40, time.Minute, func(int) time.Duration {
			return time.Duration(rng.ExpFloat64() * float64(45*time.Second))
		}), false},
	}
}

// outcome is what a vigil came to.
type outcome struct {
	last     time.Duration // transcript
	late     []time.Duration
	requests int
}

func (o outcome) String() string {
	slices.Sort(o.late)
	return fmt.Sprintf("%.1f; %.1f / %.1f; %d", o.last.Seconds(), at(o.late, 50).Seconds(), at(o.late, 95).Seconds(), o.requests)
}

// percentile sorts late first.
func percentile(late []time.Duration, percent int) time.Duration {
	slices.Sort(late)
	return at(late, percent)
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

// runVigils plays them and prints the table.
func runVigils(t *testing.T, seed uint64) error {
	t.Helper()
	fmt.Println("| recordings, processing | this SDK | each every 3 s | oracle |")
	fmt.Println("|---|---|---|---|")
	var sums [3]outcome
	jobs := 0
	for _, v := range vigils(seed) {
		ours, err := v.client(t, seed)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		results := [3]outcome{ours, v.loop(3 * time.Second), v.oracle()}
		fmt.Printf("| %s | %s | %s | %s |\n", v.name, results[0], results[1], results[2])
		if !v.order {
			continue
		}
		jobs += len(v.jobs)
		for i, r := range results {
			sums[i].late = append(sums[i].late, r.late...)
			sums[i].requests += r.requests
		}
	}
	fmt.Print("| **the first eleven rows: late p50 / p95, s; requests; questions beyond two a job** ")
	for _, sum := range sums {
		slices.Sort(sum.late)
		fmt.Printf("| %.1f / %.1f; %d; %d ", at(sum.late, 50).Seconds(), at(sum.late, 95).Seconds(), sum.requests, sum.requests-2*jobs)
	}
	fmt.Printf("|\n\nSeed %d. Each cell: last transcript, s; late p50 / p95, s; requests.\n\n", seed)
	return nil
}

// loop asks each job at such intervals, and fetches what has ended, as soon as
// the windows allow.
func (v vigil) loop(every time.Duration) (o outcome) {
	var seen []time.Duration
	open := windows{v.limits, &seen}
	send := func(at time.Duration) time.Duration {
		at = max(at, open.next())
		seen = append(seen, at)
		return at
	}
	queue := make([]question, 0, len(v.jobs))
	for i := range v.jobs {
		queue = append(queue, question{at: send(0) + every, job: i})
	}
	for len(queue) > 0 {
		next := 0
		for i, q := range queue {
			if q.at < queue[next].at {
				next = i
			}
		}
		q := queue[next]
		now := send(q.at)
		ended := v.jobs[q.job].ended
		switch {
		case q.fetch:
			o.late, o.last = append(o.late, now-ended), max(o.last, now)
			queue = slices.Delete(queue, next, next+1)
		case ended <= now:
			queue[next] = question{at: now, job: q.job, fetch: true}
		default:
			queue[next].at = now + every
		}
	}
	o.requests = len(seen)
	return o
}

type question struct {
	at    time.Duration
	job   int
	fetch bool
}

// oracle knows the ends: two requests a job, each as early as the windows allow.
func (v vigil) oracle() (o outcome) {
	var seen []time.Duration
	open := windows{v.limits, &seen}
	ends := make([]time.Duration, 0, len(v.jobs))
	for _, j := range v.jobs {
		seen = append(seen, open.next())
		ends = append(ends, j.ended)
	}
	slices.Sort(ends)
	for _, end := range ends {
		now := max(end, open.next())
		seen = append(seen, now)
		o.late, o.last = append(o.late, now-end), now
	}
	o.requests = len(seen)
	return o
}

// client has the SDK's batch bring the transcripts home, in virtual time.
func (v vigil) client(t *testing.T, seed uint64) (o outcome, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{begin: time.Now(), jobs: v.jobs}
		o, err = s.bring(t.Context(), seed, v.limits, everything(len(v.jobs), 0))
	})
	return o, err
}

// everything are n recordings, one after the other at such intervals.
func everything(n int, every time.Duration) iter.Seq[batch.Input] {
	return func(yield func(batch.Input) bool) {
		for i := range n {
			key := strconv.Itoa(i)
			input := batch.Input{Audio: scriptix.Bytes(key+".wav", []byte("RIFF")), Params: scriptix.SubmitParams{Language: "en"}, Key: key}
			if !yield(input) {
				return
			}
			time.Sleep(every)
		}
	}
}

// stand is the service of a vigil, as the client's transport sees it. A job runs
// from its submit on.
type stand struct {
	begin time.Time
	jobs  []job // ended counts from the submit

	mu       sync.Mutex
	started  []time.Time
	requests int
}

// bring runs a batch, and returns what was done until ctx ended.
func (s *stand) bring(ctx context.Context, seed uint64, limits scriptix.Limits, in iter.Seq[batch.Input]) (o outcome, _ error) {
	c, err := scriptix.New("sk_simulated", scriptix.WithHTTPClient(&http.Client{Transport: s}), scriptix.WithLimits(limits))
	if err != nil {
		return o, err
	}
	c.STT.NewWatcher(seeded(seed)) // the jitter is the client's, and so the batch's
	for out := range batch.Run(ctx, c, in, batch.Options{Ledger: batch.Memory()}) {
		if out.State != batch.StateDone {
			if ctx.Err() != nil {
				continue
			}
			return o, errors.Join(fmt.Errorf("%s is %s", out.Key, out.State), out.Err)
		}
		i, err := index(out.JobID)
		if err != nil {
			return o, err
		}
		s.mu.Lock()
		ended := s.started[i].Add(s.jobs[i].ended)
		s.mu.Unlock()
		o.late = append(o.late, time.Since(ended))
		o.last = time.Since(s.begin)
	}
	o.requests = s.requests
	return o, nil
}

// RoundTrip answers at once.
func (s *stand) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if req.Method == http.MethodPost {
		i := len(s.started)
		s.started = append(s.started, time.Now())
		return respond(req, http.StatusCreated, fmt.Sprintf(`{"id":"job_%d","status":"uploaded","duration_seconds":%.3f}`, i, s.jobs[i].duration.Seconds())), nil
	}
	id, what, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/api/v3/stt/"), "/")
	i, err := index(id)
	if err != nil {
		return nil, err
	}
	runs := time.Since(s.started[i]) < s.jobs[i].ended
	switch {
	case what == "result" && runs:
		return respond(req, http.StatusConflict, `{"error":"Conflict","message":"not completed"}`), nil
	case what == "result":
		return respond(req, http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","transcript":"Hello.","segments":[]}`, id)), nil
	case runs:
		return respond(req, http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"processing","progress":50}`, id)), nil
	}
	return respond(req, http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","progress":100}`, id)), nil
}

func respond(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}
