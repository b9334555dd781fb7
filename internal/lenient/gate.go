package lenient

import (
	"context"
	"sync"
)

// Gate bounds how many bytes of answers are at hand at once. The first to wait is
// the first to go on, so that a large answer is not passed by small ones for ever.
type Gate struct {
	total int64

	mu      sync.Mutex
	taken   int64
	waiting []*gateWaiter
}

type gateWaiter struct {
	size int64
	in   chan struct{}
}

// NewGate makes a gate for so many bytes.
func NewGate(total int64) *Gate { return &Gate{total: total} }

// Enter waits until there is room for an answer of size bytes, as long as ctx
// lasts. One that is larger than the gate goes in alone. What leave is told to
// keep stays taken, of the size or less; the last call keeps nothing.
func (g *Gate) Enter(ctx context.Context, size int64) (leave func(keep int64), err error) {
	size = min(size, g.total)
	g.mu.Lock()
	if len(g.waiting) == 0 && g.taken+size <= g.total {
		g.taken += size
		g.mu.Unlock()
		return g.leaver(size), nil
	}
	w := &gateWaiter{size: size, in: make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.in:
		return g.leaver(size), nil
	case <-ctx.Done():
		g.quit(w)
		return nil, context.Cause(ctx)
	}
}

func (g *Gate) leaver(held int64) func(keep int64) {
	return func(keep int64) {
		g.mu.Lock()
		defer g.mu.Unlock()
		keep = max(min(keep, held), 0)
		g.taken -= held - keep
		held = keep
		g.admit()
	}
}

// quit takes a waiter out, or gives back what it was given meanwhile.
func (g *Gate) quit(w *gateWaiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == w {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			g.admit()
			return
		}
	}
	g.taken -= w.size
	g.admit()
}

// admit lets in whoever fits, in their order.
func (g *Gate) admit() {
	for len(g.waiting) > 0 && g.taken+g.waiting[0].size <= g.total {
		w := g.waiting[0]
		g.waiting = g.waiting[1:]
		g.taken += w.size
		close(w.in)
	}
}
