package scriptixtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Segment is a part of a transcript.
type Segment struct {
	Start, End time.Duration
	Text       string
	Speaker    string  // empty: not said
	Confidence float64 // 0 to 1; 0: not said
	Words      []Word  // sent with timestamps=word, and always by the session dialect; nil: spread over the segment by their length
}

// Word is a word of a [Segment].
type Word struct {
	Start, End time.Duration
	Text       string
	Speaker    string  // empty: not said
	Confidence float64 // 0 to 1; 0: not said
}

// Speaker is one of the speakers of a transcript.
type Speaker struct {
	ID       string
	Segments int // how many are theirs
}

var (
	sidecarTimes   = pattern(`^\[\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*\]\s*`)
	sidecarSpeaker = pattern(`^(Speaker \d+):\s*`)
)

// pattern compiles an expression when it is used for the first time, so that the start of a program does not wait for it.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Sidecar makes segments of the text that stands beside a recording, one for each line:
//
//	[0.00 - 3.25] Speaker 1: Good morning, everyone.
//	Speaker 2: Good morning.
//	[6.10 - 8.40] Shall we begin?
//
// Times are seconds. Both times and speaker may be missing; lines without times share the time between their neighbours, or
// up to duration, by the length of their text. Empty lines and lines that begin with # are passed over.
func Sidecar(text string, duration time.Duration) []Segment {
	var segments []Segment
	var timed []bool
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		var seg Segment
		times := sidecarTimes().FindStringSubmatch(line)
		if times != nil {
			line = line[len(times[0]):]
			seg.Start, seg.End = seconds(times[1]), seconds(times[2])
		}
		if m := sidecarSpeaker().FindStringSubmatch(line); m != nil {
			line = line[len(m[0]):]
			seg.Speaker = m[1]
		}
		seg.Text = line
		segments = append(segments, seg)
		timed = append(timed, times != nil)
	}
	var last time.Duration
	for i := 0; i < len(segments); i++ {
		if timed[i] {
			last = segments[i].End
			continue
		}
		n, end := i, duration
		for n < len(segments) && !timed[n] {
			n++
		}
		if n < len(segments) {
			end = segments[n].Start
		}
		spread(segments[i:n], last, max(end, last))
		last = max(end, last)
		i = n - 1
	}
	return segments
}

// seconds reads a decimal number; the pattern has excluded all but an absurdly large one.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > 1e9 {
		return 0
	}
	return time.Duration(f*1e6+0.5) * time.Microsecond
}

// spread gives each segment its share of the time by the length of its text.
func spread(segments []Segment, from, to time.Duration) {
	weight := 0
	for _, s := range segments {
		weight += 1 + utf8.RuneCountInString(s.Text)
	}
	share := shares(from, to, weight)
	at := 0
	for i := range segments {
		segments[i].Start = share(at)
		at += 1 + utf8.RuneCountInString(segments[i].Text)
		segments[i].End = share(at)
	}
}

// wordsOf spreads the words of a segment over its time.
func wordsOf(s Segment) []Word {
	fields := strings.Fields(s.Text)
	weight := 0
	for _, f := range fields {
		weight += 1 + utf8.RuneCountInString(f)
	}
	share := shares(s.Start, s.End, weight)
	words := make([]Word, 0, len(fields))
	at := 0
	for _, f := range fields {
		w := Word{Text: f, Speaker: s.Speaker, Confidence: s.Confidence, Start: share(at)}
		at += 1 + utf8.RuneCountInString(f)
		w.End = share(at)
		words = append(words, w)
	}
	return words
}

// shares divides a span of time into so many parts and says, in whole milliseconds, where each begins.
func shares(from, to time.Duration, parts int) func(int) time.Duration {
	return func(i int) time.Duration {
		if i >= parts {
			return to
		}
		return (from + time.Duration(float64(to-from)*float64(i)/float64(parts))).Round(time.Millisecond)
	}
}

// transcript is the job's transcript: the scripted one or a placeholder that says so.
func (j *record) transcript() []Segment {
	o := &j.outcome
	switch {
	case len(o.Segments) > 0:
		return o.Segments
	case o.Text != "":
		return Sidecar(o.Text, j.duration())
	}
	return []Segment{{End: j.duration(), Text: fmt.Sprintf(
		"[placeholder: the fake service does not listen; it received %q, %d bytes, %v of WAV audio]",
		j.job.FileName, j.job.Size, j.job.Duration)}}
}
