package subtitle

import (
	"math"
	"slices"
	"time"
)

// mostTokens bounds the search for the best places to break; nothing that can be read has as many words.
const mostTokens = 256

// divide cuts what one speaker says in one segment into cues. Of all ways that keep to the limits it takes the one with
// the lowest cost: few cues, ends where a reader stops anyway, time enough to read.
func divide(toks []token, label []token, l limits) [][]token {
	if len(toks) > mostTokens && fits(toks, label, l) {
		return [][]token{toks}
	}
	n := len(toks)
	best := make([]float64, n+1) // the cost of the cues up to a token
	from := make([]int, n+1)     // where the last of them starts
	for i := 1; i <= n; i++ {
		best[i] = math.Inf(1)
	}
	for i := range n {
		c := newCandidate(l)
		if i == 0 {
			for _, k := range label {
				c.fill.add(k)
			}
		}
		for j := i; j < min(n, i+mostTokens); j++ {
			c.add(toks[j])
			if j > i && !c.fits() {
				break
			}
			if cost := best[i] + c.cost(toks[j:]); cost < best[j+1] {
				best[j+1], from[j+1] = cost, i
			}
		}
	}
	var out [][]token
	for j := n; j > 0; j = from[j] {
		out = append(out, toks[from[j]:j])
	}
	slices.Reverse(out)
	return out
}

func fits(toks []token, label []token, l limits) bool {
	c := newCandidate(l)
	for _, k := range label {
		c.fill.add(k)
	}
	for _, k := range toks {
		c.add(k)
	}
	return c.fits()
}

// candidate is a cue that grows by a token at a time.
type candidate struct {
	limits     limits
	fill       filler
	start, end time.Duration
	stop       pause // behind the last token
	tokens     int
	strain     float64 // sentences that end within it, and silences
}

func newCandidate(l limits) *candidate {
	return &candidate{limits: l, fill: filler{width: l.width}}
}

func (c *candidate) add(k token) {
	if c.tokens == 0 {
		c.start = k.start
	} else {
		if c.stop == sentence {
			c.strain += 2
		}
		if silent := (k.start - c.end).Seconds(); silent > 0.5 {
			c.strain += 10 * silent
		}
	}
	c.fill.add(k)
	c.end = max(c.end, k.end)
	c.stop = k.stop
	c.tokens++
}

func (c *candidate) fits() bool {
	return (c.limits.lines == 0 || c.fill.lines <= c.limits.lines) &&
		(c.limits.longest == 0 || c.end-c.start <= c.limits.longest)
}

// cost is what the candidate costs as a cue that ends with the first of rest.
func (c *candidate) cost(rest []token) float64 {
	cost := 10 + c.strain
	available := c.end - c.start
	if len(rest) > 1 {
		next := rest[1]
		cost += breakCost(rest[0], next)
		cost -= min(6, max(0, 8*(next.start-c.end).Seconds()))
		available = max(next.start-c.start-c.limits.gap, 0)
		// A short cue in front of another one is gone before the eye is there.
		cost += 4 * max(0, 1-float64(c.fill.total)/30)
		if reading := c.limits.reading(c.fill.total); reading > available {
			cost += min(20, 10*float64(reading-available)/float64(available+glimpse))
		}
	}
	return cost + 3*max(0, 1-available.Seconds())
}

// breakCost is how much a reader minds a break between two tokens.
func breakCost(before, after token) float64 {
	switch {
	case onlyMarks(after.text):
		return 30
	case before.stop == sentence:
		return 0
	case before.stop == clause:
		return 4
	case after.glue:
		return 14
	default:
		return 10
	}
}
