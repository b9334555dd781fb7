package main

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// policy says when a job is polled.
type policy struct {
	name  string
	first func(j job) time.Duration // after its submission
	gap   time.Duration
}

var policies = []policy{
	{"every 30 s", func(job) time.Duration { return 30 * time.Second }, 30 * time.Second},
	{"20 % of the duration + 60 s, then every minute", func(j job) time.Duration { return j.duration/5 + time.Minute }, time.Minute},
	{"after the sender's last retry, then every minute", func(j job) time.Duration { return j.duration/5 + time.Minute + 21*time.Minute }, time.Minute},
}

// playPolicy asks for the job that is due first whenever the windows allow.
func playPolicy(sc scenario, p policy) result {
	var r result
	var queue dueQueue
	for i, j := range sc.jobs {
		queue = append(queue, dueJob{j.submitted + p.first(j), i})
	}
	heap.Init(&queue)
	open := windows{sc.limits, &r.seen}
	now := time.Duration(0)
	for len(queue) > 0 {
		next := queue[0]
		j := sc.jobs[next.job]
		if at := max(next.due, now); sc.callbacks && j.callback && j.ended <= at {
			heap.Pop(&queue)
			continue
		}
		now = max(now, next.due, open.next())
		if now > horizon {
			break
		}
		if sc.callbacks && j.callback && j.ended <= now {
			heap.Pop(&queue)
			continue
		}
		r.polls++
		r.seen = append(r.seen, now)
		if j.ended <= now {
			r.late = append(r.late, now-j.ended)
			heap.Pop(&queue)
			continue
		}
		r.wasted++
		queue[0].due = now + p.gap
		heap.Fix(&queue, 0)
	}
	for _, left := range queue {
		if j := sc.jobs[left.job]; !sc.callbacks || !j.callback {
			r.lost++
		}
	}
	return r
}

// windows are exact sliding ones, over the polls seen.
type windows struct {
	limits scriptix.Limits
	seen   *[]time.Duration
}

func (w windows) next() (at time.Duration) {
	for _, l := range []struct {
		limit int
		span  time.Duration
	}{{w.limits.PerMinute, time.Minute}, {w.limits.PerHour, time.Hour}, {w.limits.PerDay, 24 * time.Hour}} {
		if l.limit > 0 && len(*w.seen) >= l.limit {
			at = max(at, (*w.seen)[len(*w.seen)-l.limit]+l.span)
		}
	}
	return at
}

type dueJob struct {
	due time.Duration
	job int
}

type dueQueue []dueJob

func (q dueQueue) Len() int { return len(q) }
func (q dueQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].due, q[j].due), cmp.Compare(q[i].job, q[j].job)) < 0
}
func (q dueQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(x any)   { *q = append(*q, x.(dueJob)) } //nolint:errcheck // what was put in
func (q *dueQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = slices.Delete(*q, len(*q)-1, len(*q))
	return last
}
