package batch

import "sync"

// queue is an unbounded queue for several workers.
type queue[T any] struct {
	mu    *sync.Mutex
	items *[]T
	ready chan struct{} // there may be something
}

func newQueue[T any]() queue[T] {
	return queue[T]{new(sync.Mutex), new([]T), make(chan struct{}, 1)}
}

func (q queue[T]) push(v T) {
	q.mu.Lock()
	*q.items = append(*q.items, v)
	q.mu.Unlock()
	q.signal()
}

func (q queue[T]) pop() (v T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(*q.items) == 0 {
		return v, false
	}
	v = (*q.items)[0]
	var none T
	(*q.items)[0] = none
	*q.items = (*q.items)[1:]
	if len(*q.items) > 0 {
		q.signal()
	} else {
		*q.items = nil
	}
	return v, true
}

func (q queue[T]) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
