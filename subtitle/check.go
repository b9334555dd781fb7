package subtitle

import (
	"math"
	"time"
)

// The rules of [Violation].
const (
	RuleLineLength   = "line-length"   // a line has more characters than MaxLineLength
	RuleLines        = "lines"         // a cue has more lines than MaxLines
	RuleMinDuration  = "min-duration"  // it is gone before MinDuration
	RuleMaxDuration  = "max-duration"  // it stays for longer than MaxDuration
	RuleGap          = "gap"           // it starts less than MinGap (2 frames, with a FrameRate) after the end of the one in front of it
	RuleOverlap      = "overlap"       // it starts before the end of the one in front of it
	RuleOrder        = "order"         // it starts before the start of the one in front of it
	RuleCloseGap     = "close-gap"     // the gap in front of it is one that CloseGaps would close
	RuleFrame        = "frame"         // it starts or ends between two frames
	RuleReadingSpeed = "reading-speed" // it has more characters a second than MaxCharsPerSecond
)

// Violation is a limit that a cue breaks.
type Violation struct {
	// Cue is its index, from 0. Of two cues that are too close, overlap or are in the wrong order it is the second.
	Cue int
	// Rule is one of the constants of this package, such as [RuleGap].
	Rule string
	// Value is what was found and Limit what is allowed: characters, lines, characters a second, or seconds. For an order
	// they are the starts of the cue and the one in front of it; for a frame, the time and that of the nearest frame; for a
	// gap to be closed, the gap and what it should be.
	Value, Limit float64
	// Forced is set if the speech leaves no room for anything better: a line is too long because of a single word; a cue
	// is too short or too fast although it lasts for as long as it may, until the next one (less the gap), MaxDuration or,
	// where Words tell it, half a second after its last word; a gap cannot be closed without breaking MaxDuration.
	Forced bool
}

// Check says where cues break the limits, in their order; none if they keep to all of them. It goes by the cues alone:
// what it says of those that were read from a file, which have no Words, is what can be said without hearing the speech.
// A limit that Options have off is not looked at, and with a FrameRate durations are allowed the millisecond by which
// their two times may be rounded.
func Check(cues []Cue, o Options) []Violation {
	c := checker{limits: o.limits(), cues: cues}
	for i := range cues {
		c.lines(i)
		c.duration(i)
		if i > 0 {
			c.distance(i)
		}
		c.frame(i)
		c.speed(i)
	}
	return c.found
}

type checker struct {
	limits limits
	cues   []Cue
	found  []Violation
}

func (c *checker) add(i int, rule string, value, limit float64, forced bool) {
	c.found = append(c.found, Violation{Cue: i, Rule: rule, Value: value, Limit: limit, Forced: forced})
}

func (c *checker) lines(i int) {
	l, cue := &c.limits, &c.cues[i]
	longest, forced := 0, true
	for k, line := range cue.Lines {
		n := length(line)
		if l.width == 0 || n <= l.width {
			continue
		}
		longest = max(longest, n)
		name := k == 0 && cue.Named && line == cue.Speaker+":"
		forced = forced && (name || unbreakable(line))
	}
	if longest > 0 {
		c.add(i, RuleLineLength, float64(longest), float64(l.width), forced)
	}
	if n := len(cue.Lines); l.lines > 0 && n > l.lines {
		c.add(i, RuleLines, float64(n), float64(l.lines), false)
	}
}

// unbreakable is a line that is a single word.
func unbreakable(line string) bool {
	n := 0
	for w := range words(line) {
		n += len(pieces(w))
	}
	return n <= 1
}

// tolerance is what the rounding of two times to milliseconds can make of a number of frames.
func (c *checker) tolerance() time.Duration {
	if c.limits.framed {
		return time.Millisecond
	}
	return 0
}

func (c *checker) duration(i int) {
	l, cue := &c.limits, &c.cues[i]
	stays := cue.End - cue.Start
	if stays+c.tolerance() < l.shortest && l.shortest > 0 {
		start, latest := c.latest(i)
		c.add(i, RuleMinDuration, stays.Seconds(), l.shortest.Seconds(), latest-start < l.ticks.shortest)
	}
	if longest := max(l.longest, l.span(1)); l.longest > 0 && stays-c.tolerance() > longest {
		c.add(i, RuleMaxDuration, stays.Seconds(), longest.Seconds(), false)
	}
}

// span is how long a number of ticks is.
func (l *limits) span(ticks int64) time.Duration {
	return time.Duration(float64(ticks) / l.frames * float64(time.Second))
}

func (c *checker) distance(i int) {
	l, before, cue := &c.limits, &c.cues[i-1], &c.cues[i]
	gap := cue.Start - before.End
	switch {
	case cue.Start < before.Start:
		c.add(i, RuleOrder, cue.Start.Seconds(), before.Start.Seconds(), false)
	case gap < 0:
		c.add(i, RuleOverlap, gap.Seconds(), 0, false)
	case gap+c.tolerance() < l.span(l.ticks.gap):
		c.add(i, RuleGap, gap.Seconds(), l.span(l.ticks.gap).Seconds(), false)
	case l.flickers(l.tick(before.End), l.tick(cue.Start)):
		_, latest := c.latest(i - 1)
		c.add(i, RuleCloseGap, gap.Seconds(), l.span(l.ticks.gap).Seconds(), l.flickers(latest, l.tick(cue.Start)))
	}
}

func (c *checker) frame(i int) {
	if !c.limits.framed {
		return
	}
	for _, t := range []time.Duration{c.cues[i].Start, c.cues[i].End} {
		frame := c.limits.time(c.limits.tick(t))
		if off := t - frame; off <= -time.Millisecond || off >= time.Millisecond {
			c.add(i, RuleFrame, t.Seconds(), frame.Seconds(), false)
			return
		}
	}
}

func (c *checker) speed(i int) {
	l, cue := &c.limits, &c.cues[i]
	letters := 0
	for k, line := range cue.Lines {
		if k > 0 && !unspacedBetween(cue.Lines[k-1], line) {
			letters++ // the end of a line counts as a space
		}
		letters += length(line)
	}
	if l.rate == 0 || letters == 0 {
		return
	}
	stays := cue.End - cue.Start
	if needed := l.reading(letters); stays+c.tolerance() < needed {
		start, latest := c.latest(i)
		value := math.Inf(1)
		if stays > 0 {
			value = float64(letters) / stays.Seconds()
		}
		c.add(i, RuleReadingSpeed, value, l.rate, l.span(latest-start) < needed)
	}
}

// latest are the ticks at which a cue starts and at which it could end at the latest.
func (c *checker) latest(i int) (start, latest int64) {
	l, cue := &c.limits, &c.cues[i]
	when := room{start: l.tick(cue.Start), linger: none, next: none}
	spoken := l.tick(cue.End)
	if len(cue.Words) > 0 {
		last := cue.Words[0].End
		for _, w := range cue.Words {
			last = max(last, w.End)
		}
		spoken = l.tick(last)
		if l.strict {
			when.linger = l.linger(last)
		}
	}
	if i+1 < len(c.cues) && c.cues[i+1].Start > cue.Start {
		when.next = l.tick(c.cues[i+1].Start)
	}
	return when.start, l.latest(when, spoken)
}
