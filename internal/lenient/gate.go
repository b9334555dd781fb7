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

// Place is what one answer takes of a gate. A nil Place takes nothing.
type Place struct {
	gate *Gate
	held int64
}

// Enter waits until there is room for an answer of size bytes, as long as ctx
// lasts. One that is larger than the gate goes in alone.
func (g *Gate) Enter(ctx context.Context, size int64) (*Place, error) {
	place := &Place{gate: g, held: min(size, g.total)}
	g.mu.Lock()
	if len(g.waiting) == 0 && g.taken+place.held <= g.total {
		g.taken += place.held
		g.mu.Unlock()
		return place, nil
	}
	w := &gateWaiter{size: place.held, in: make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.in:
		return place, nil
	case <-ctx.Done():
		g.quit(w)
		return nil, context.Cause(ctx)
	}
}

// Keep makes room for others by all but size bytes; by all in the end.
func (p *Place) Keep(size int64) {
	if p == nil {
		return
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	size = max(min(size, p.held), 0)
	p.gate.taken -= p.held - size
	p.held = size
	p.gate.admit()
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
