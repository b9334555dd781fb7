package budget

import (
	"container/heap"
	"fmt"
	"time"
)

// fairShare: a class that waits is passed over at most this often, so that it
// gets at least every tenth grant.
const fairShare = 9

// waiter is one caller blocked in Acquire. Once ready is closed, permit or err
// is set for good.
type waiter struct {
	class      Class
	ready      chan struct{}
	permit     *permit
	err        error
	deadline   time.Duration
	index      int // in the deadline heap; -1: not in it
	prev, next *waiter
}

// pump grants what can be granted, fails who has become hopeless, and sets the
// timer for the next change that only time brings. It runs wherever something
// changed; the lock is held, but let go while the keepers store.
func (b *Key) pump() {
	for {
		now := b.now()
		for b.waiting() > 0 && b.open(now) {
			w := b.pick()
			if w == nil {
				break
			}
			b.drop(w)
			b.count(w.class)
			w.permit = b.grant(w.class, now)
			close(w.ready)
		}
		if !b.mustStore(now) {
			break
		}
		if err := b.store(); err != nil {
			b.failAll(fmt.Errorf("storing the request budget: %w", err))
		}
	}
	b.settle(b.now())
}

// pick returns who goes next, or nil if the concurrency cap holds all of them.
func (b *Key) pick() *waiter {
	for class := classes - 1; class > 0; class-- {
		if w := b.queues[class].front; w != nil && b.passed[class] >= fairShare && b.room(class) {
			return w
		}
	}
	for class := range classes {
		if w := b.queues[class].front; w != nil && b.room(class) {
			return w
		}
	}
	return nil
}

// count notes whom a grant to class passed over.
func (b *Key) count(class Class) {
	b.passed[class] = 0
	for other := range classes {
		if other != class && b.queues[other].n > 0 {
			b.passed[other]++
		}
	}
}

// ahead counts those who go before a newcomer of the class, as far as is known.
func (b *Key) ahead(class Class) int {
	own, above := b.queues[class].n, 0
	for higher := range class {
		above += b.queues[higher].n
	}
	return own + min(above, (own+1)*fairShare)
}

// settle fails the waiters whose deadline no grant can meet and arms the timer.
func (b *Key) settle(now time.Duration) {
	at, why := now, ""
	if b.waiting() > 0 {
		at, why = b.earliest(now, 1)
	}
	for len(b.urgent) > 0 && at > now && b.urgent[0].deadline < at {
		w := b.urgent[0]
		b.fail(w, b.late(w.class, now, at, why))
	}
	// With time on their side they wait for a slot, and its holder wakes them.
	if b.waiting() == 0 || at <= now {
		if b.timer != nil && b.wakeAt >= 0 {
			b.timer.Stop()
		}
		b.wakeAt = -1
		return
	}
	switch {
	case b.timer == nil:
		b.timer = time.AfterFunc(at-now, b.wake)
	case b.wakeAt != at:
		b.timer.Reset(at - now)
	}
	b.wakeAt = at
}

func (b *Key) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeAt = -1
	b.pump()
}

// recheck fails every waiter whose place in the queue lies beyond its deadline.
// It looks at all of them, so it runs when a 429 has moved everything at once.
func (b *Key) recheck(now time.Duration) {
	above := 0
	for class := range classes {
		own := 0
		var next *waiter
		for w := b.queues[class].front; w != nil; w = next {
			next = w.next
			if w.index >= 0 {
				at, why := b.earliest(now, own+min(above, (own+1)*fairShare)+1)
				if at > w.deadline {
					b.fail(w, b.late(class, now, at, why))
					continue
				}
			}
			own++
		}
		above += own
	}
}

func (b *Key) failAll(err error) {
	for class := range classes {
		for b.queues[class].front != nil {
			b.fail(b.queues[class].front, err)
		}
	}
}

func (b *Key) fail(w *waiter, err error) {
	b.drop(w)
	w.err = err
	close(w.ready)
}

func (b *Key) drop(w *waiter) {
	b.queues[w.class].remove(w)
	b.urgent.remove(w)
}

func (b *Key) waiting() int {
	return b.queues[ClassResult].n + b.queues[ClassSubmit].n + b.queues[ClassPoll].n
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
