package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/watch"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// playClient lets the SDK wait for the jobs, in virtual time.
func playClient(t *testing.T, sc scenario) (r result, note string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &player{scenario: sc, begin: time.Now()}
		err = p.play(t.Context())
		r, note = p.result, p.note
	})
	return r, note, err
}

// player is the service of a scenario, as the client's transport sees it.
type player struct {
	scenario
	begin time.Time
	note  string

	mu     sync.Mutex
	result result
}

func (p *player) play(ctx context.Context) error {
	opts := []scriptix.Option{scriptix.WithHTTPClient(&http.Client{Transport: p}), scriptix.WithLimits(p.limits)}
	if p.callbacks {
		opts = append(opts, scriptix.WithWebhook("https://receiver.example/scriptix", "whsec_simulated"))
	}
	c, err := scriptix.New("sk_simulated", opts...)
	if err != nil {
		return err
	}
	ids := make([]string, len(p.jobs))
	for i := range ids {
		ids[i] = "job_" + strconv.Itoa(i)
	}
	before, cpu := heapInUse(), cpuTime()
	w := c.STT.NewWatcher(seeded(p.seed))
	waiting, cancel := context.WithTimeout(ctx, horizon)
	defer cancel()
	// One goroutine submits and one sends the callbacks, as other processes would.
	go func() {
		for i, j := range p.jobs {
			time.Sleep(time.Until(p.begin.Add(j.submitted)))
			w.Add(scriptix.Job{ID: ids[i], Duration: j.duration, CreatedAt: time.Now()})
		}
	}()
	go p.deliver(waiting, c, ids)
	go func() {
		time.Sleep(time.Until(p.begin.Add(p.jobs[len(p.jobs)-1].submitted)))
		synctest.Wait()
		n := c.Stats().Waiting
		p.note = fmt.Sprintf("%s jobs wait when the last one comes", number(n))
		if n > 50_000 { // with fewer the rest of the heap weighs more
			p.note += fmt.Sprintf(", %d bytes of heap each, %d goroutines in all", (heapInUse()-before)/uint64(n), runtime.NumGoroutine())
		}
	}()
	found := 0
	for found < len(p.jobs) && waiting.Err() == nil { // All ends whenever nothing is left
		n, err := p.follow(waiting, w)
		if err != nil {
			return err
		}
		found += n
	}
	p.result.lost = len(p.jobs) - found
	p.note += fmt.Sprintf("; over after %s, %v of CPU", short(time.Since(p.begin)), (cpuTime() - cpu).Round(100*time.Millisecond))
	return nil
}

// follow counts the jobs that end until none is left, or the horizon comes.
func (p *player) follow(ctx context.Context, w *scriptix.Watcher) (found int, _ error) {
	for job, err := range w.All(ctx) {
		switch {
		case job == nil:
			return found, nil
		case err != nil:
			return found, err
		case !job.Status.Terminal():
			continue
		}
		found++
		if job.Source == scriptix.SourcePoll {
			i, err := index(job.ID)
			if err != nil {
				return found, err
			}
			p.result.late = append(p.result.late, time.Since(p.begin)-p.jobs[i].ended)
		}
	}
	return found, nil
}

func (p *player) deliver(ctx context.Context, c *scriptix.Client, ids []string) {
	var sent []int
	for i, j := range p.jobs {
		if j.callback {
			sent = append(sent, i)
		}
	}
	slices.SortFunc(sent, func(a, b int) int { return int(p.jobs[a].ended - p.jobs[b].ended) })
	for _, i := range sent {
		time.Sleep(time.Until(p.begin.Add(p.jobs[i].ended)))
		e := webhook.Event{Type: webhook.TranscriptionCompleted, Timestamp: time.Now(), Data: webhook.Data{ID: ids[i], Status: "completed"}}
		if ctx.Err() != nil || c.Deliver(ctx, e) != nil {
			return
		}
	}
}

// RoundTrip answers a poll after 100 ms.
func (p *player) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.result.polls++
	p.result.seen = append(p.result.seen, time.Since(p.begin))
	p.mu.Unlock()
	select {
	case <-time.After(100 * time.Millisecond):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/api/v3/stt/"), "/")
	i, err := index(id)
	if err != nil {
		return nil, err
	}
	status := "completed"
	if time.Since(p.begin) < p.jobs[i].ended {
		status = "processing"
		p.mu.Lock()
		p.result.wasted++
		p.mu.Unlock()
	}
	body := fmt.Sprintf(`{"id":%q,"status":%q,"progress":50}`, id, status)
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

// seeded makes the jitter of the watcher's client repeatable.
func seeded(seed uint64) scriptix.WaitOption {
	return func(o *watch.Options) error {
		o.Seed = seed
		return nil
	}
}

func index(id string) (int, error) { return strconv.Atoi(strings.TrimPrefix(id, "job_")) }

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
