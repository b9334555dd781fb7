package lenient

import (
	"context"
	"slices"
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
	place *Place
	in    func(*Place) // called under the gate's lock
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
	admitted := make(chan struct{})
	place, waiter := g.line(size, func(*Place) { close(admitted) })
	if waiter == nil {
		return place, nil
	}
	select {
	case <-admitted:
		return place, nil
	case <-ctx.Done():
		g.quit(waiter)
		return nil, context.Cause(ctx)
	}
}

// Queue is Enter for a caller that must not wait: where there is no room it
// returns nil, and in is called once there is. Whoever makes the room calls it, so
// it must neither block nor use the gate.
func (g *Gate) Queue(size int64, in func(*Place)) *Place {
	place, waiter := g.line(size, in)
	if waiter != nil {
		return nil
	}
	return place
}

// Try is Enter for a caller that does without where there is no room, and then
// gets nil.
func (g *Gate) Try(size int64) *Place {
	g.mu.Lock()
	defer g.mu.Unlock()
	place := &Place{gate: g, held: min(size, g.total)}
	if len(g.waiting) > 0 || g.taken+place.held > g.total {
		return nil
	}
	g.taken += place.held
	return place
}

// line takes a place, or a position in the line for it.
func (g *Gate) line(size int64, in func(*Place)) (*Place, *gateWaiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	place := &Place{gate: g, held: min(size, g.total)}
	if len(g.waiting) == 0 && g.taken+place.held <= g.total {
		g.taken += place.held
		return place, nil
	}
	waiter := &gateWaiter{place, in}
	g.waiting = append(g.waiting, waiter)
	return place, waiter
}

// Grow takes more room, size bytes in all, if there is some. It never waits:
// those who have a place and wait for more would wait for one another.
func (p *Place) Grow(size int64) bool {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	more := max(min(size, p.gate.total)-p.held, 0)
	if p.gate.taken+more > p.gate.total {
		return false
	}
	p.gate.taken += more
	p.held += more
	return true
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
func (g *Gate) quit(waiter *gateWaiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, waiter); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else {
		g.taken -= waiter.place.held
	}
	g.admit()
}

// admit lets in whoever fits, in their order.
func (g *Gate) admit() {
	for len(g.waiting) > 0 && g.taken+g.waiting[0].place.held <= g.total {
		waiter := g.waiting[0]
		g.waiting = g.waiting[1:]
		g.taken += waiter.place.held
		waiter.in(waiter.place)
	}
}
