package ledger

import (
	"context"
	"sync"
)

// maxWatching is how many keys one watcher is still to be told of before they
// become one hint about all records.
const maxWatching = 10_000

// Hub tells the watchers of a ledger which records changed. Its zero value is
// ready. All methods may be called concurrently.
type Hub struct {
	mu       sync.Mutex
	watchers map[*watching]bool
	closed   bool
	wg       sync.WaitGroup
}

// watching is one watcher, and what it is still to be told.
type watching struct {
	wake    chan struct{}
	keys    map[string]bool
	missed  bool // more changed than are kept: ""
	stopped chan struct{}
}

// Watch returns the channel of a new watcher, as a ledger's Watch does. What
// changes from now on reaches it, until ctx ends or the hub is closed.
func (h *Hub) Watch(ctx context.Context) (<-chan string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	w := &watching{wake: make(chan struct{}, 1), keys: make(map[string]bool), stopped: make(chan struct{})}
	if h.watchers == nil {
		h.watchers = make(map[*watching]bool)
	}
	h.watchers[w] = true
	out := make(chan string)
	h.wg.Go(func() {
		defer close(out)
		defer h.forget(w)
		for {
			key, ok := h.next(w)
			if !ok {
				select {
				case <-w.wake:
					continue
				case <-w.stopped:
					return
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- key:
			case <-w.stopped:
				return
			case <-ctx.Done():
				return
			}
		}
	})
	return out, nil
}

// Tell notes that a record changed; "" stands for any number of them. It does
// not wait for the watchers.
func (h *Hub) Tell(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if key != "" && len(w.keys) < maxWatching {
			w.keys[key] = true
		} else {
			w.missed = true
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Close ends all watches and waits for their goroutines.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for w := range h.watchers {
		close(w.stopped)
	}
	clear(h.watchers)
	h.mu.Unlock()
	h.wg.Wait()
}

func (h *Hub) next(w *watching) (key string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.missed {
		w.missed = false
		clear(w.keys)
		return "", true
	}
	for key := range w.keys {
		delete(w.keys, key)
		return key, true
	}
	return "", false
}

func (h *Hub) forget(w *watching) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}
