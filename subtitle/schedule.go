package subtitle

import (
	"math"
	"slices"
	"time"
)

const (
	glimpse = 100 * time.Millisecond // a cue stays as long as this at least, even if the next one is late for it
	squeeze = time.Second            // and as long as this, if it can, when its words take no time at all
)

// timing is when a cue should be shown.
type timing struct {
	start, end time.Duration // of what is said
	letters    int           // that are to be read
	told       bool          // the transcript tells when its last word ends
}

func timingOf(shown, said []token) timing {
	t := timing{start: said[0].start, end: said[0].end, letters: width(shown)}
	unsure := false
	for i := range said {
		t.end = max(t.end, said[i].end)
		t.told = t.told || said[i].told == told
		unsure = unsure || said[i].told == guessed
	}
	t.told = t.told && !unsure
	return t
}

// scheduler gives the cues their times, as they come. A cue starts when its first word does, unless the one in front of it
// would then not have been there long enough; it ends once it is known when the next one starts.
type scheduler struct {
	limits  *limits
	cues    []Cue
	waiting timing // of the last cue, which has no end yet

	free     time.Duration // when the next cue can start
	freeTick int64         // the same, if the limits are strict

	letters, expected int // shown so far, and in all: how many cues there will be
}

func (s *scheduler) add(c Cue, t timing) {
	if s.limits.strict {
		c.Start = s.limits.time(s.startTick(t))
	} else {
		t.start, t.end = t.start.Round(time.Millisecond), t.end.Round(time.Millisecond)
		c.Start = s.start(t)
	}
	s.finish(c.Start, true)
	s.grow()
	s.cues = append(s.cues, c)
	s.waiting = t
	s.letters += t.letters + 1
}

// grow makes room for about as many cues as will come, for to copy them again and again would take more memory than they.
func (s *scheduler) grow() {
	n := len(s.cues)
	if n < cap(s.cues) || n < 128 {
		return
	}
	total := int(float64(n) * float64(s.expected) / float64(s.letters) * 1.02)
	s.cues = slices.Grow(s.cues, min(max(total-n, n/4), 64*n))
}

// start is when a cue starts, in whole milliseconds.
func (s *scheduler) start(t timing) time.Duration {
	l := s.limits
	shortest := glimpse
	if l.longest > 0 {
		shortest = min(shortest, l.longest)
	}
	start := max(t.start, s.free)
	hold := min(l.reading(t.letters), squeeze)
	if spoken := t.end - t.start; spoken >= glimpse+l.gap {
		hold = min(l.reading(t.letters), spoken-l.gap)
	}
	if l.longest > 0 {
		hold = min(hold, l.longest)
	}
	s.free = start + max(hold, shortest) + l.gap
	return start
}

// startTick is when a cue starts, in ticks.
func (s *scheduler) startTick(t timing) int64 {
	l := s.limits
	start := max(l.tick(t.start), s.freeTick)
	wanted := max(l.readingTicks(t.letters), l.ticks.shortest)
	hold := min(wanted, l.ticks.squeeze)
	if spoken := l.tick(t.end) - l.tick(t.start); spoken >= l.ticks.glimpse+l.ticks.gap {
		hold = min(wanted, spoken-l.ticks.gap)
	}
	if l.longest > 0 {
		hold = min(hold, l.ticks.longest)
	}
	s.freeTick = start + max(hold, l.ticks.glimpse) + l.ticks.gap
	return start
}

// finish gives the last cue its end; next is when the one behind it starts, if there is one.
func (s *scheduler) finish(next time.Duration, more bool) {
	if len(s.cues) == 0 {
		return
	}
	c, t, l := &s.cues[len(s.cues)-1], s.waiting, s.limits
	if l.strict {
		when := room{start: l.tick(c.Start), linger: none, next: none}
		if more {
			when.next = l.tick(next)
		}
		if t.told {
			when.linger = l.linger(t.end)
		}
		c.End = l.time(l.planEnd(when, l.tick(t.end), l.readingTicks(t.letters)))
		return
	}
	shortest := glimpse
	if l.longest > 0 {
		shortest = min(shortest, l.longest)
	}
	c.End = max(t.end, c.Start+max(l.reading(t.letters), shortest))
	if l.longest > 0 {
		c.End = min(c.End, c.Start+l.longest)
	}
	if more {
		c.End = min(c.End, next-l.gap)
	}
}

// none is a tick that there is not.
const none = -1

// room is where a cue may be, in ticks.
type room struct {
	start  int64
	linger int64 // half a second after its last word, none if it is not known when that ends
	next   int64 // when the next cue starts, none if there is no next one
}

// linger is the last tick in the half second after a time.
func (l *limits) linger(end time.Duration) int64 {
	end += time.Second / 2
	tick := int64(math.Floor(end.Seconds()*l.frames + rounding))
	if l.time(tick) > end {
		tick--
	}
	return tick
}

// planEnd is the tick at which a cue ends that is spoken up to one tick and takes so many to read.
func (l *limits) planEnd(r room, spoken, reading int64) int64 {
	latest := l.latest(r, spoken)
	end := min(max(spoken, r.start+max(reading, l.ticks.wanted, l.ticks.glimpse)), latest)
	if l.flickers(end, r.next) {
		if closed := r.next - l.ticks.gap; closed <= latest {
			end = closed
		} else if before := r.next - l.ticks.wide; before >= max(spoken, r.start+max(l.ticks.shortest, 1)) {
			end = before
		}
	}
	return max(end, r.start+1)
}

// latest is the last tick at which a cue may end.
func (l *limits) latest(r room, spoken int64) int64 {
	latest := int64(math.MaxInt64)
	if l.longest > 0 {
		latest = r.start + l.ticks.longest
	}
	if r.linger != none {
		latest = min(latest, max(r.linger, r.start+max(l.ticks.wanted, l.ticks.glimpse)))
	}
	if r.next != none {
		latest = min(latest, r.next-l.ticks.gap)
	}
	if l.flickers(latest, r.next) {
		closed, before := r.next-l.ticks.gap, r.next-l.ticks.wide
		switch {
		case before >= max(spoken, r.start+max(l.ticks.shortest, 1)):
			latest = before
		case l.longest == 0 || closed <= r.start+l.ticks.longest:
			latest = closed
		}
	}
	return latest
}

// flickers says whether a gap is to be closed.
func (l *limits) flickers(end, next int64) bool {
	return l.closing && next != none && next-end > l.ticks.gap && next-end < l.ticks.wide
}
