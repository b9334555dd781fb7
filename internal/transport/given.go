package transport

import "sync"

// Given remembers which jobs, or uploads, the last submits were given, because an
// answer that belongs to another one names what that one was given.
type Given struct {
	mu    sync.Mutex
	by    map[string]string // what was given the job: an upload's URL, or "" for a form
	order []string          // the oldest at next, once it is full
	next  int
}

const mostGiven = 10_000

// Add notes that id was given to an upload, or to a form where that is "". It
// fails when another one was given it.
func (g *Given) Add(id, to string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if before, known := g.by[id]; known {
		return to != "" && before == to
	}
	if g.by == nil {
		g.by = make(map[string]string)
	}
	g.by[id] = to
	if len(g.order) < mostGiven {
		g.order = append(g.order, id)
		return true
	}
	delete(g.by, g.order[g.next])
	g.order[g.next] = id
	g.next = (g.next + 1) % mostGiven
	return true
}
