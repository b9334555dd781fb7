package budget

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// waiter is one caller blocked in Acquire. Once ready is closed, permit or err
// is set for good.
type waiter struct {
	class      Class
	ready      chan struct{}
	permit     *permit
	err        error
	deadline   time.Duration // after the clock's start
	index      int           // in the heap of deadlines; -1: not in it
	prev, next *waiter
}

// waiting counts the waiters by class.
func (k *Key) waiting() (w rate.Waiting) {
	for class := range rate.Classes {
		w[class] = k.queues[class].n
	}
	return w
}

// pump grants what can be granted, fails those who have become hopeless, and sets
// the timer for the next change that only time brings. It runs wherever something
// changed. The lock is held, but let go while the keepers store.
func (k *Key) pump() {
	for {
		now := k.clock.now()
		for k.waiting().Total() > 0 && k.open(now) {
			class, ok := k.meter.Next(k.waiting())
			if !ok {
				break
			}
			w := k.queues[class].front
			k.drop(w)
			k.meter.PassOver(class, k.waiting())
			w.permit = k.grant(w.class, now)
			close(w.ready)
		}
		if !k.mustStore(now) {
			break
		}
		if err := k.store(); err != nil {
			k.failAll(fmt.Errorf("storing the request budget: %w", err))
		}
	}
	k.settle(k.clock.now())
}

// settle fails the waiters whose deadline no grant can meet and arms the timer.
func (k *Key) settle(now rate.Millis) {
	at, obstacle := now, ""
	if k.waiting().Total() > 0 {
		at, obstacle = k.meter.Earliest(now, 1)
	}
	for len(k.urgent) > 0 && at > now && k.urgent[0].deadline < k.clock.elapsed(at) {
		w := k.urgent[0]
		k.fail(w, k.late(w.class, at, obstacle))
	}
	// With time on their side they wait for a slot, and its holder wakes them.
	if k.waiting().Total() == 0 || at <= now {
		if k.timer != nil && k.wakeAt != notSet {
			k.timer.Stop()
		}
		k.wakeAt = notSet
		return
	}
	switch {
	case k.timer == nil:
		k.timer = time.AfterFunc(k.clock.until(at), k.wake)
	case k.wakeAt != at:
		k.timer.Reset(k.clock.until(at))
	}
	k.wakeAt = at
}

// wake runs on the timer's goroutine, which nobody could recover a keeper's panic
// on: it is handed to those whose wait it ended.
func (k *Key) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.aborted = nil
	defer func() {
		if k.aborted != nil {
			k.aborted.panicked = recover()
		}
	}()
	k.wakeAt = notSet
	k.pump()
}

// recheck fails every waiter whose place in the queue lies beyond its deadline.
// It looks at all of them, so it runs when a 429 has moved everything at once.
func (k *Key) recheck(now rate.Millis) {
	var before rate.Waiting
	for class := range rate.Classes {
		var next *waiter
		for w := k.queues[class].front; w != nil; w = next {
			next = w.next
			if w.index >= 0 {
				at, obstacle := k.meter.Earliest(now, k.meter.Position(class, before))
				if k.clock.elapsed(at) > w.deadline {
					k.fail(w, k.late(w.class, at, obstacle))
					continue
				}
			}
			before[class]++
		}
	}
}

func (k *Key) failAll(err error) {
	for class := range rate.Classes {
		for k.queues[class].front != nil {
			k.fail(k.queues[class].front, err)
		}
	}
}

func (k *Key) fail(w *waiter, err error) {
	k.drop(w)
	w.err = err
	close(w.ready)
}

func (k *Key) drop(w *waiter) {
	k.queues[w.class].remove(w)
	k.urgent.remove(w)
}

// queue is a class's waiters in the order they came.
type queue struct {
	front, back *waiter
	n           int
}

func (q *queue) push(w *waiter) {
	w.prev = q.back
	if q.back == nil {
		q.front = w
	} else {
		q.back.next = w
	}
	q.back = w
	q.n++
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.front = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.back = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	q.n--
}

// deadlines is a heap of the waiters that have one, the first to pass on top.
type deadlines []*waiter

func (d *deadlines) add(w *waiter) { heap.Push(d, w) }

func (d *deadlines) remove(w *waiter) {
	if w.index >= 0 {
		heap.Remove(d, w.index)
	}
}

// Len, Less, Swap, Push and Pop are for [container/heap].
func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline < d[j].deadline }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

func (d *deadlines) Push(x any) {
	w := x.(*waiter)
	w.index = len(*d)
	*d = append(*d, w)
}

func (d *deadlines) Pop() any {
	last := len(*d) - 1
	w := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	w.index = -1
	return w
}
