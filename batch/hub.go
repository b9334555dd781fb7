package batch

import (
	"context"
	"sync"
)

// hub tells watchers which records changed.
type hub struct {
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

// watch returns the channel of a new watcher. What changes from now on reaches it.
func (h *hub) watch(ctx context.Context) (<-chan string, error) {
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

// tell notes that a record changed.
func (h *hub) tell(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if len(w.keys) < maxWatching {
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

// close ends all watches and waits for their goroutines.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for w := range h.watchers {
		close(w.stopped)
	}
	clear(h.watchers)
	h.mu.Unlock()
	h.wg.Wait()
}

func (h *hub) next(w *watching) (key string, ok bool) {
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

func (h *hub) forget(w *watching) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}
