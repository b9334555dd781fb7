package subtitle

import (
	"iter"
	"slices"
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
	speaker    string
	start, end time.Duration
	n          int // its length
	segment    int
	glue       bool // no space in front of it
	marks      bool // nothing but marks that may not start a line
	stop       pause
	told       telling
	part       partOfSpeech // where a language is known

	startTick, endTick, linger int64 // where limits are strict
}

// telling is who says when a token is spoken.
type telling uint8

const (
	silent  telling = iota // it is a mark that no word holds
	told                   // the transcript's words
	guessed                // interpolated
)

// eachToken yields the words of a transcript, by the start of their segments. Times are between 0 and absurd, or a little
// more, and no start of a segment's word is before that of the word in front of it. It holds one segment's words at a
// time, and of a text without words one.
func eachToken(t *scriptix.Transcript) iter.Seq[token] {
	return func(yield func(token) bool) {
		if t == nil {
			return
		}
		segments := Sorted(t.Segments)
		if len(segments) == 0 {
			segments = []scriptix.Segment{{End: t.Duration, Text: t.Text}}
		}
		next := followers(segments)
		r := reader{yield: yield}
		for i, s := range segments {
			r.segment, r.first = i, true
			if !r.read(s, next[i]) {
				return
			}
		}
	}
}

// reader yields the tokens of one segment after another.
type reader struct {
	yield   func(token) bool
	segment int
	first   bool          // of the segment
	start   time.Duration // of the segment's last token
	at      time.Duration // the end of the text so far
	last    string        // the last token's text
}

// read yields a segment's tokens; next is when the next one starts. It is false once the yielding is to end.
func (r *reader) read(s scriptix.Segment, next time.Duration) bool {
	runs, known := source(s)
	if len(runs) == 0 {
		return r.readText(s, next)
	}
	fill(runs, place(s, total(runs), r.at, next))
	toks, ok := []token(nil), false
	if known {
		toks, ok = align(runs, fold(s.Text))
	}
	if !ok {
		toks = split(runs)
	}
	for _, k := range toks {
		if !r.pass(k) {
			return false
		}
	}
	return true
}

// readText yields the words of a segment's text, which share its time by their length.
func (r *reader) readText(s scriptix.Segment, next time.Duration) bool {
	letters, count := 0, 0
	for w := range words(s.Text) {
		letters += length(w)
		count++
	}
	if count == 0 {
		return true
	}
	span := place(s, letters+count-1, r.at, next)
	end := max(span.start, span.end)
	speaker, done := fold(s.Speaker), 0
	for w := range words(s.Text) {
		k := newToken(w, speaker)
		k.start = between(span.start, end, done, letters)
		done += k.n
		k.end = between(span.start, end, done, letters)
		k.told = guessed
		if !r.pass(k) {
			return false
		}
	}
	return true
}

// pass yields a token, its times in order with those in front of it.
func (r *reader) pass(k token) bool {
	k.segment = r.segment
	if r.first {
		k.glue = joinsUnspaced(r.last, k.text)
	} else {
		k.start = max(k.start, r.start)
	}
	k.end = max(k.end, k.start)
	r.first, r.start, r.last = false, k.start, k.text
	r.at = max(r.at, k.end)
	return r.yield(k)
}

// run is a text with the time at which it is spoken, if that is known.
type run struct {
	text       string
	n          int
	start, end time.Duration
	known      bool
	speaker    string
}

// source returns the words of a segment, none if it has only its text; known is whether any word has a time.
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
	return runs, known
}

// span is a stretch of time.
type span struct{ start, end time.Duration }

// place decides when a segment is spoken: between its own times if they make sense, else after the text so far and
// before the next segment that tells its time.
func place(s scriptix.Segment, letters int, at, next time.Duration) span {
	if timed(s) {
		return span{max(s.Start, 0), s.End}
	}
	start := at
	if s.Start < absurd {
		start = max(s.Start, at)
	}
	end := start + time.Duration(letters)*time.Second/speechRate
	if next > start {
		end = min(end, next)
	}
	return span{start, end}
}

func total(runs []run) int {
	n := 0
	for _, r := range runs {
		n += r.n
	}
	return n
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
		ws := slices.Collect(words(r.text))
		total, done := 0, 0
		for _, w := range ws {
			total += length(w)
		}
		for i, w := range ws {
			k := newToken(w, r.speaker)
			k.start = between(r.start, r.end, done, total)
			done += k.n
			k.end = between(r.start, r.end, done, total)
			k.told = guessed
			if r.known {
				k.told = told
			}
			if last := len(out) - 1; i == 0 && last >= 0 && out[last].speaker == k.speaker {
				if k.marks {
					// A comma that came as a word belongs to the word in front of it.
					merged := newToken(out[last].text+w, k.speaker)
					merged.glue, merged.start, merged.end = out[last].glue, out[last].start, max(out[last].end, k.end)
					merged.told = out[last].told
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
	return token{text: text, n: length(text), stop: pauseAfter(text), marks: onlyMarks(text), speaker: speaker}
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
