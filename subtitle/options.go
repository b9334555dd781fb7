package subtitle

import (
	"math"
	"time"
)

// Options are the limits that [Cues] keeps to. In each of the five limits zero is the default and a negative number
// means none.
type Options struct {
	// MaxLineLength is how many characters a line may have, as a reader counts them; 42 by default. A longer word has a
	// line to itself.
	MaxLineLength int
	// MaxLines is how many lines a cue may have; 2 by default.
	MaxLines int
	// MaxDuration is how long a cue may stay; 7 s by default, less than a millisecond counts as one. A longer word is
	// cut short.
	MaxDuration time.Duration
	// MinGap is what stays free between two cues; 80 ms by default, and at most a minute.
	MinGap time.Duration
	// MaxCharsPerSecond is how fast a reader must be able to read; 20 by default, which is also what NaN means. Cues
	// are broken and prolonged for it, but a speaker who is faster than this stays faster.
	MaxCharsPerSecond float64
	// Speakers puts "Speaker 1: " in front of a cue when the speaker changes, within the length of the line. WebVTT
	// names the speaker of every cue in a voice tag anyway, and has that instead.
	Speakers bool
}

// limits are Options in which everything is decided: 0 means none, times are whole milliseconds.
type limits struct {
	width, lines int
	longest, gap time.Duration
	rate         float64
	speakers     bool
}

func (o Options) limits() limits {
	l := limits{
		width:    orDefault(o.MaxLineLength, 42),
		lines:    orDefault(o.MaxLines, 2),
		longest:  orDefault(o.MaxDuration, 7*time.Second),
		gap:      min(orDefault(o.MinGap, 80*time.Millisecond), time.Minute),
		rate:     20,
		speakers: o.Speakers,
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
	return l
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}

// reading is how long n characters take to read, 0 if there is no limit.
func (l limits) reading(n int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	ms := math.Ceil(float64(n) / l.rate * 1000)
	return time.Duration(min(ms, float64(time.Hour/time.Millisecond))) * time.Millisecond
}
