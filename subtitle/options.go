package subtitle

import (
	"math"
	"time"
)

// Options are the limits that [Cues] keeps to and [Check] looks for. In MaxLineLength, MaxLines, MaxDuration, MinGap and
// MaxCharsPerSecond zero is the default and a negative number means none; what is below them is off when it is zero.
// [Netflix] and [BBC] return sets that were published.
type Options struct {
	// MaxLineLength is how many characters a line may have, as a reader counts them; 42 by default. A longer word has a
	// line to itself.
	MaxLineLength int
	// MaxLines is how many lines a cue may have; 2 by default.
	MaxLines int
	// MaxDuration is how long a cue may stay; 7 s by default, less than a millisecond counts as one. A longer word is
	// cut short.
	MaxDuration time.Duration
	// MinGap is what stays free between two cues; 80 ms by default, and at most a minute. With a FrameRate it is 2 frames
	// by default, and at least.
	MinGap time.Duration
	// MaxCharsPerSecond is how fast a reader must be able to read; 20 by default, which is also what NaN means. Cues
	// are broken and prolonged for it, but a speaker who is faster than this stays faster.
	MaxCharsPerSecond float64
	// Speakers puts "Speaker 1: " in front of a cue when the speaker changes, within the length of the line. WebVTT
	// names the speaker of every cue in a voice tag anyway, and has that instead.
	Speakers bool

	// MinDuration is how long a cue should stay at least, at most a minute; 5/6 s is common. Short cues are joined with
	// their neighbours, of other segments as well, and prolonged into the silence; where the next one follows at once,
	// a short cue stays short.
	MinDuration time.Duration
	// FrameRate is that of the video, in frames a second, from 1 to 1000: each time is then the nearest millisecond to
	// the start of a frame. 24000.0/1001 is what is sold as 23.976.
	FrameRate float64
	// CloseGaps leaves no gap of less than half a second open, in which a reader would see a flicker: what is longer
	// than MinGap and shorter than 12 frames (of 1/24 s, if there is no FrameRate) closes to MinGap.
	CloseGaps bool
	// Language is what is spoken, as a tag such as "en" or "nl-BE". Where its function words are known (Danish, Dutch,
	// English, French, German, Italian, Norwegian, Portuguese, Spanish, Swedish), lines and cues end at phrases, and the
	// lower line is the longer one; else, lines are balanced.
	Language string
}

// limits are Options in which everything is decided: 0 means none, times are whole milliseconds.
type limits struct {
	width, lines int
	longest, gap time.Duration
	rate         float64
	speakers     bool
	times        []time.Duration // to read so many characters, as far as that is looked at often

	// strict is whether any of the options is set that came with MinDuration: times are then planned in ticks.
	strict   bool
	shortest time.Duration
	frames   float64 // ticks a second: the frame rate, or 1000
	framed   bool
	ticks    ticks
	closing  bool
	words    *lexicon // nil: lines are balanced
}

// ticks are limits in frames, or in milliseconds where there is no frame rate.
type ticks struct {
	gap, longest, shortest, glimpse, squeeze, wide int64
	// wanted is the shortest duration, and more if else the rounding of the two times could take a part of it.
	wanted  int64
	reading []int64 // how long so many characters take to read, as far as that is looked at often
}

func (o Options) limits() limits {
	l := limits{
		width:    orDefault(o.MaxLineLength, 42),
		lines:    orDefault(o.MaxLines, 2),
		longest:  orDefault(o.MaxDuration, 7*time.Second),
		gap:      min(orDefault(o.MinGap, 80*time.Millisecond), time.Minute),
		rate:     20,
		speakers: o.Speakers,
		frames:   1000,
		closing:  o.CloseGaps,
		words:    lexiconOf(o.Language),
	}
	if l.longest > 0 {
		l.longest = max(l.longest.Truncate(time.Millisecond), time.Millisecond)
	}
	if up := l.gap.Truncate(time.Millisecond); up < l.gap {
		l.gap = up + time.Millisecond
	}
	switch r := o.MaxCharsPerSecond; {
	case r > 0 && !math.IsInf(r, 1):
		l.rate = r
	case r != 0 && !math.IsNaN(r):
		l.rate = 0
	}
	times := make([]time.Duration, 256)
	for n := range times {
		times[n] = l.timeToRead(n)
	}
	l.times = times
	if o.FrameRate >= 1 && o.FrameRate <= 1000 {
		l.frames, l.framed = o.FrameRate, true
	}
	l.shortest = min(max(o.MinDuration, 0), time.Minute)
	l.strict = l.shortest > 0 || l.framed || l.closing
	l.setTicks(o)
	return l
}

// setTicks says in ticks what is said in times.
func (l *limits) setTicks(o Options) {
	l.ticks = ticks{
		gap:      l.upTo(l.gap),
		longest:  int64(math.Floor(l.longest.Seconds()*l.frames + rounding)),
		shortest: l.upTo(l.shortest),
		glimpse:  l.upTo(glimpse),
		squeeze:  l.upTo(squeeze),
		wide:     l.upTo(time.Second / 2), // in milliseconds, as much as 12 frames of 24 a second
	}
	if l.framed {
		l.ticks.wide = 12
		if o.MinGap == 0 {
			l.ticks.gap = 2
		}
		l.ticks.gap = max(l.ticks.gap, 2)
	}
	l.ticks.wanted = l.ticks.shortest
	if l.framed && l.shortest > 0 {
		l.ticks.wanted = l.upTo(l.span(l.ticks.shortest) + time.Millisecond)
	}
	if l.strict {
		l.ticks.reading = make([]int64, len(l.times))
		for n := range l.ticks.reading {
			l.ticks.reading[n] = l.toRead(n)
		}
	}
	if l.longest > 0 {
		l.ticks.longest = max(l.ticks.longest, 1)
		l.ticks.glimpse = min(l.ticks.glimpse, l.ticks.longest)
	}
}

// rounding is what a number of ticks may be off by without being another one.
const rounding = 1e-6

// upTo is how many ticks a duration needs.
func (l *limits) upTo(d time.Duration) int64 {
	return int64(math.Ceil(d.Seconds()*l.frames - rounding))
}

// tick is the one that is next to a time.
func (l *limits) tick(t time.Duration) int64 {
	if !l.framed {
		return int64(t.Round(time.Millisecond) / time.Millisecond)
	}
	return int64(math.Round(t.Seconds() * l.frames))
}

// time is when a tick is, to the millisecond.
func (l *limits) time(tick int64) time.Duration {
	if !l.framed {
		return time.Duration(tick) * time.Millisecond
	}
	return time.Duration(math.Round(float64(tick)/l.frames*1000)) * time.Millisecond
}

// readingTicks is how many ticks n characters take to read.
func (l *limits) readingTicks(n int) int64 {
	if n < len(l.ticks.reading) {
		return l.ticks.reading[n]
	}
	return l.toRead(n)
}

// toRead works out readingTicks. With frames it is a millisecond more, for which the rounding
// of the two times may shorten a cue.
func (l *limits) toRead(n int) int64 {
	d := l.reading(n)
	if l.framed && d > 0 {
		d += time.Millisecond
	}
	return l.upTo(d)
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}

// reading is how long n characters take to read, 0 if there is no limit.
func (l *limits) reading(n int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	if n < len(l.times) {
		return l.times[n]
	}
	return l.timeToRead(n)
}

func (l *limits) timeToRead(n int) time.Duration {
	ms := math.Ceil(float64(n) / l.rate * 1000)
	return time.Duration(min(ms, float64(time.Hour/time.Millisecond))) * time.Millisecond
}
