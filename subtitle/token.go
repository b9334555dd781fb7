package subtitle

import (
	"strings"
	"time"
	"unicode"

	"github.com/scriptix-io/scriptix-go"
)

const (
	absurd     = 10_000 * time.Hour // no recording lasts as long
	speechRate = 15                 // characters a second, where nothing tells how fast somebody spoke
)

// token is a text that is never split, mostly a word.
type token struct {
	text       string
	n          int  // its length
	glue       bool // no space in front of it
	stop       pause
	start, end time.Duration
	speaker    string
	segment    int
}

// tokens are the words of a transcript in its order. Times are between 0 and absurd, or a little more, and no start of
// a segment's word is before that of the word in front of it.
func tokens(t *scriptix.Transcript) []token {
	if t == nil {
		return nil
	}
	segments := t.Segments
	if len(segments) == 0 {
		segments = []scriptix.Segment{{End: t.Duration, Text: t.Text}}
	}
	next := followers(segments)
	var out []token
	var at time.Duration // the end of the text so far
	for i, s := range segments {
		runs, known := source(s)
		if len(runs) == 0 {
			continue
		}
		span := place(s, runs, at, next[i])
		fill(runs, span)
		var toks []token
		if aligned, ok := align(runs, fold(s.Text)); known && ok {
			toks = aligned
		} else {
			toks = split(runs)
		}
		for j := range toks {
			toks[j].segment = i
			if j > 0 {
				toks[j].start = max(toks[j].start, toks[j-1].start)
			} else if len(out) > 0 {
				toks[j].glue = joinsUnspaced(out[len(out)-1].text, toks[j].text)
			}
			toks[j].end = max(toks[j].end, toks[j].start)
			at = max(at, toks[j].end)
			out = append(out, toks[j])
		}
	}
	return out
}

// run is a text with the time at which it is spoken, if that is known.
type run struct {
	text       string
	n          int
	start, end time.Duration
	known      bool
	speaker    string
}

// source returns the words of a segment, or its whole text as a single one; known is whether any word has a time.
func source(s scriptix.Segment) (runs []run, known bool) {
	speaker := fold(s.Speaker)
	var latest time.Duration
	for _, w := range s.Words {
		text := fold(w.Text)
		if text == "" {
			continue
		}
		r := run{text: text, n: length(text), speaker: fold(w.Speaker)}
		if r.speaker == "" {
			r.speaker = speaker
		}
		r.start, r.end = max(w.Start, 0), w.End
		r.known = r.end > 0 && r.end < absurd && r.end >= r.start && r.start >= latest
		if r.known {
			latest, known = r.start, true
		}
		runs = append(runs, r)
	}
	if text := fold(s.Text); len(runs) == 0 && text != "" {
		return []run{{text: text, n: length(text), speaker: speaker}}, false
	}
	return runs, known
}

// span is a stretch of time.
type span struct{ start, end time.Duration }

// place decides when a segment is spoken: between its own times if they make sense, else after the text so far and
// before the next segment that tells its time.
func place(s scriptix.Segment, runs []run, at, next time.Duration) span {
	if timed(s) {
		return span{max(s.Start, 0), s.End}
	}
	start := at
	if s.Start < absurd {
		start = max(s.Start, at)
	}
	n := 0
	for _, r := range runs {
		n += r.n
	}
	end := start + time.Duration(n)*time.Second/speechRate
	if next > start {
		end = min(end, next)
	}
	return span{start, end}
}

func timed(s scriptix.Segment) bool { return s.End > max(s.Start, 0) && s.End < absurd }

// followers returns for each segment when the next one starts that tells its times, absurd if none does.
func followers(segments []scriptix.Segment) []time.Duration {
	out := make([]time.Duration, len(segments))
	next := absurd
	for i := len(segments) - 1; i >= 0; i-- {
		out[i] = next
		if timed(segments[i]) {
			next = max(segments[i].Start, 0)
		}
	}
	return out
}

// fill gives every run a time: those between two known ones share the time between them by their length.
func fill(runs []run, s span) {
	lo := s.start
	for i := 0; i < len(runs); i++ {
		if runs[i].known {
			lo = runs[i].end
			continue
		}
		j, n := i, 0
		for ; j < len(runs) && !runs[j].known; j++ {
			n += runs[j].n
		}
		hi := max(lo, s.end)
		if j < len(runs) {
			hi = runs[j].start
			lo = min(lo, hi)
		}
		for done := 0; i < j; i++ {
			runs[i].start = between(lo, hi, done, n)
			done += runs[i].n
			runs[i].end = between(lo, hi, done, n)
		}
		i-- // the loop's own step
	}
}

// between is the time after part of whole characters.
func between(lo, hi time.Duration, part, whole int) time.Duration {
	if part >= whole {
		return hi
	}
	return lo + time.Duration(float64(hi-lo)*float64(part)/float64(whole))
}

// split cuts each run into tokens.
func split(runs []run) []token {
	var out []token
	for _, r := range runs {
		ws := words(r.text)
		total, done := 0, 0
		for _, w := range ws {
			total += length(w)
		}
		for i, w := range ws {
			k := newToken(w, r.speaker)
			k.start = between(r.start, r.end, done, total)
			done += k.n
			k.end = between(r.start, r.end, done, total)
			if last := len(out) - 1; i == 0 && last >= 0 && out[last].speaker == k.speaker {
				if onlyMarks(w) {
					// A comma that came as a word belongs to the word in front of it.
					merged := newToken(out[last].text+w, k.speaker)
					merged.glue, merged.start, merged.end = out[last].glue, out[last].start, max(out[last].end, k.end)
					out[last] = merged
					continue
				}
				k.glue = joinsUnspaced(out[last].text, w)
			}
			out = append(out, k)
		}
	}
	return out
}

func newToken(text, speaker string) token {
	return token{text: text, n: length(text), stop: pauseAfter(text), speaker: speaker}
}

// onlyMarks says whether a word is nothing but marks that may not start a line.
func onlyMarks(w string) bool {
	for _, r := range w {
		if !unicode.IsPunct(r) || !strings.ContainsRune(noStart, r) {
			return false
		}
	}
	return true
}
