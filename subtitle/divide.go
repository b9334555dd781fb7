package subtitle

import (
	"math"
	"slices"
	"time"
)

const (
	// mostTokens bounds the search for the best places to break; nothing that can be read has as many words.
	mostTokens = 256
	// horizon is how many tokens are looked at together. What goes on for longer is divided as it comes.
	horizon = 8 * mostTokens
)

// divider cuts tokens into cues as they come. It holds those of one group: what one speaker says in one segment or, if
// there is a shortest duration, in segments that follow each other.
type divider struct {
	limits  limits
	show    func(label, said []token)
	speaker string // of the last group
	group   []token
	label   []token
	whole   *candidate // the group as one cue, nil once it is too much for one
	best    []float64  // the cost of the cues up to a token
	from    []int32    // where the last of them starts
	found   [][2]int
}

// add takes the next token.
func (d *divider) add(k token) {
	if n := len(d.group); n > 0 && !d.joins(d.group[n-1], k) {
		d.flush(&k)
	}
	if len(d.group) == 0 {
		d.begin(k)
	}
	if len(d.group) == 0 {
		k.glue = false // nothing is in front of it but, perhaps, a name
	}
	d.group = append(d.group, k)
	if d.whole != nil {
		d.whole.add(&d.group[len(d.group)-1])
		if k.segment != d.group[0].segment || len(d.group) > mostTokens && !d.whole.fits() {
			d.whole = nil // segments are not joined for being long
		}
	}
	if d.whole == nil && len(d.group) >= horizon {
		d.flushSome()
	}
}

// joins says whether two tokens may be in one cue.
func (d *divider) joins(before, after token) bool {
	if before.speaker != after.speaker {
		return false
	}
	return before.segment == after.segment || d.limits.ticks.shortest > 0 && after.start >= before.end
}

func (d *divider) begin(first token) {
	d.label = nil
	if d.limits.speakers && first.speaker != "" && first.speaker != d.speaker {
		d.label = labelFor(first, d.limits)
	}
	d.speaker = first.speaker
	d.whole = newCandidate(&d.limits)
	for i := range d.label {
		d.whole.fill.add(&d.label[i])
	}
}

// flush shows the group; next is what is said behind it, nil at the end.
func (d *divider) flush(next *token) {
	if len(d.group) == 0 {
		return
	}
	if len(d.group) > mostTokens && d.whole != nil && d.whole.fits() {
		d.emit(0, len(d.group))
	} else {
		d.search(next)
		for _, cut := range d.cuts() {
			d.emit(cut[0], cut[1])
		}
	}
	d.group = d.group[:0]
}

// flushSome shows the cues of a group that goes on for longer than it is looked at, but for the last ones, which depend on
// what comes: up to the last sentence, if there is the end of one.
func (d *divider) flushSome() {
	d.search(nil)
	cuts := d.cuts()
	keep, settled := len(d.group)-mostTokens, 0
	for i, cut := range cuts {
		if cut[1] <= keep {
			settled = i + 1
		}
	}
	enough := settled
	for enough > settled/2 && d.group[cuts[enough-1][1]-1].stop != sentence {
		enough--
	}
	if enough == settled/2 {
		enough = settled
	}
	for _, cut := range cuts[:enough] {
		d.emit(cut[0], cut[1])
	}
	d.group = slices.Delete(d.group, 0, cuts[enough-1][1])
}

func (d *divider) emit(from, to int) {
	d.show(d.label, d.group[from:to])
	d.label = nil
}

// search finds, of all ways to cut the group that keep to the limits, the one with the lowest cost: few cues, ends where a
// reader stops anyway, time enough to read.
func (d *divider) search(next *token) {
	n := len(d.group)
	d.best = append(d.best[:0], 0)
	d.from = append(d.from[:0], 0)
	for range n {
		d.best = append(d.best, math.Inf(1))
		d.from = append(d.from, 0)
	}
	c := newCandidate(&d.limits)
	for i := range n {
		c.reset()
		if i == 0 {
			for k := range d.label {
				c.fill.add(&d.label[k])
			}
			c.label = d.label
		}
		for j := i; j < min(n, i+mostTokens); j++ {
			c.add(&d.group[j])
			if j > i && !c.fits() {
				break
			}
			after := next
			if j+1 < n {
				after = &d.group[j+1]
			}
			cost := d.best[i] + c.cost(d.group[i:j+1], after, j+1 < n)
			if cost < d.best[j+1] {
				d.best[j+1], d.from[j+1] = cost, int32(i)
			}
		}
	}
}

// cuts are the cues that search found, each from a token to another, until the next search.
func (d *divider) cuts() [][2]int {
	d.found = d.found[:0]
	for j := len(d.group); j > 0; j = int(d.from[j]) {
		d.found = append(d.found, [2]int{int(d.from[j]), j})
	}
	slices.Reverse(d.found)
	return d.found
}

// candidate is a cue that grows by a token at a time.
type candidate struct {
	limits     *limits
	fill       filler
	label      []token
	start, end time.Duration
	in, out    int64 // the same in ticks
	linger     int64
	stop       pause // behind the last token
	segment    int
	tokens     int
	strain     float64 // sentences that end within it, and silences
	unsure     bool    // not every word has a time of its own
}

func newCandidate(l *limits) *candidate {
	c := &candidate{limits: l}
	c.reset()
	return c
}

func (c *candidate) reset() { *c = candidate{limits: c.limits, fill: filler{width: c.limits.width}} }

func (c *candidate) add(k *token) {
	if c.tokens == 0 {
		c.start, c.in = k.start, k.startTick
	} else {
		if c.stop == sentence {
			c.strain += 2
		}
		if k.segment != c.segment {
			c.strain += 25 // it is better not to, unless a cue would be too short
		}
		if silent := (k.start - c.end).Seconds(); silent > 0.5 {
			c.strain += 10 * silent
		}
	}
	c.fill.add(k)
	c.end, c.out, c.linger = max(c.end, k.end), max(c.out, k.endTick), max(c.linger, k.linger)
	c.stop, c.segment = k.stop, k.segment
	c.unsure = c.unsure || k.told == guessed
	c.tokens++
}

func (c *candidate) fits() bool {
	return (c.limits.lines == 0 || c.fill.lines <= c.limits.lines) &&
		(c.limits.longest == 0 || c.end-c.start <= c.limits.longest)
}

// cost is what the candidate costs as a cue of the tokens said, in front of next, which may be nil; goesOn is whether next
// is of the same group.
func (c *candidate) cost(said []token, next *token, goesOn bool) float64 {
	cost := 10 + c.strain
	available := c.end - c.start
	if goesOn {
		last := &said[len(said)-1]
		cost += c.limits.breakCost(last, next)
		cost -= min(6, max(0, 8*(next.start-c.end).Seconds()))
		available = max(next.start-c.start-c.limits.gap, 0)
		// A short cue in front of another one is gone before the eye is there.
		cost += 4 * max(0, 1-float64(c.fill.total)/30)
		if reading := c.limits.reading(c.fill.total); reading > available {
			cost += min(20, 10*float64(reading-available)/float64(available+glimpse))
		}
	}
	if c.limits.words != nil && c.fill.lines > 1 {
		cost += c.phrases(said)
	}
	if c.limits.strict {
		cost += c.faults(next)
	}
	return cost + 3*max(0, 1-available.Seconds())
}

// phrases is what the best line breaks within a cue cost.
func (c *candidate) phrases(said []token) float64 {
	if len(c.label) > 0 {
		said = slices.Concat(c.label, said)
	}
	if c.fill.lines == 2 {
		_, cost := breakOnce(said, c.fill.total, c.limits)
		return cost / 4
	}
	_, cost := breakLines(said, c.limits, c.fill.lines)
	return cost / 4
}

// faults is what the limits cost that the cue cannot keep to.
func (c *candidate) faults(next *token) float64 {
	l, start := c.limits, c.in
	when := room{start: start, linger: none, next: none}
	if !c.unsure {
		when.linger = c.linger
	}
	if next != nil {
		when.next = next.startTick
	}
	reading := l.readingTicks(c.fill.total)
	end := l.planEnd(when, c.out, reading)
	cost := 0.0
	if short := l.ticks.shortest - (end - start); short > 0 {
		cost += 200 + 100*float64(short)/float64(l.ticks.shortest)
	}
	if slow := reading - (end - start); slow > 0 {
		cost += 100 + 100*float64(slow)/float64(max(end-start, 1))
	}
	if l.flickers(end, when.next) {
		cost += 150
	}
	return cost
}

// breakCost is how much a reader minds a break between two tokens.
func (l *limits) breakCost(before, after *token) float64 {
	switch {
	case after.marks:
		return 30
	case before.stop == sentence:
		return 0
	case before.stop == clause:
		return 4
	case after.glue:
		return 14
	case l.words == nil:
		return 10
	default:
		return phraseCost(before.part, after.part)
	}
}

// phraseCost is how much a reader minds a break within a sentence. A phrase begins with its conjunction or its
// preposition; what belongs together is not torn apart.
func phraseCost(before, after partOfSpeech) float64 {
	switch before {
	case article:
		return torn
	case preposition, conjunction:
		return 24
	case pronoun, auxiliary:
		return 16
	}
	switch {
	case after == conjunction:
		return 5
	case after == preposition:
		return 7
	case before == capital && after == capital:
		return 18
	default:
		return 10
	}
}

// torn is the cost of a break that there is only where the width of a line leaves no other.
const torn = 400
