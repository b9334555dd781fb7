package subtitle

import (
	"iter"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// Cue is what is on the screen at one time.
type Cue struct {
	// Start and End are from the start of the audio, in whole milliseconds; End is after Start, and the next cue starts
	// MinGap after it or later.
	Start, End time.Duration
	// Speaker is who says it, "" when unknown. A cue has one speaker.
	Speaker string
	// Lines is the text as it is shown, not escaped for any format; never empty.
	Lines []string
	// Words are the words of Lines, in their order and with the times that the transcript gives them; nil if it lacks
	// the time of any. Only Start, End and Text are set.
	Words []scriptix.Word
	// Named is set if Lines begins with the speaker's name and a colon; see [Options].Speakers. WebVTT, which has voice
	// tags, leaves that name out.
	Named bool
}

// Cues cuts a transcript into cues, in the order of time; none if there is nothing to show. The package's documentation
// says how, and what becomes of times that make no sense. It changes nothing in t, and takes time and memory in
// proportion to its length: with limits so wide that a cue could hold more than 256 words, only a segment that fits whole
// is one, and a segment of thousands of words is looked at in parts that end with a sentence.
func Cues(t *scriptix.Transcript, o Options) []Cue {
	l := o.limits()
	s := &scheduler{limits: &l, expected: lettersOf(t)}
	d := &divider{limits: l}
	p := &press{limits: &l}
	d.show = func(label, said []token) {
		shown := said
		if len(label) > 0 {
			shown = slices.Concat(label, said)
		}
		c := Cue{Speaker: said[0].speaker, Lines: p.lines(shown), Named: len(label) > 0, Words: wordsOf(said)}
		s.add(c, timingOf(shown, said))
	}
	for k := range cutLong(eachToken(t), l.width) {
		if l.words != nil {
			k.part = l.words.partOf(k.text)
		}
		if l.strict {
			k.startTick, k.endTick, k.linger = l.tick(k.start), l.tick(k.end), l.linger(k.end)
		}
		d.add(k)
	}
	d.flush(nil)
	s.finish(0, false)
	return s.cues
}

// lettersOf is about how many letters will be shown.
func lettersOf(t *scriptix.Transcript) int {
	if t == nil {
		return 0
	}
	n := 0
	for _, s := range t.Segments {
		n += len(s.Text)
	}
	if n == 0 {
		n = len(t.Text)
	}
	return n
}

// wordsOf are the words of a cue with their times, nil if the transcript does not tell all of them.
func wordsOf(said []token) []scriptix.Word {
	n := 0
	for i := range said {
		switch said[i].told {
		case guessed:
			return nil
		case told:
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]scriptix.Word, 0, n)
	var at time.Duration // parts of words that overlap may go back
	for i := range said {
		if k := &said[i]; k.told == told {
			at = max(at, k.start)
			out = append(out, scriptix.Word{Start: at, End: max(at, k.end), Text: k.text})
		}
	}
	return out
}

// labelFor is the name that goes in front of a speaker's first word; none if a cue has no room for it.
func labelFor(first token, l limits) []token {
	name := newToken(first.speaker+":", first.speaker)
	first.glue = false
	f := filler{width: l.width}
	f.add(&name)
	f.add(&first)
	if l.lines > 0 && f.lines > l.lines {
		return nil
	}
	return []token{name}
}

// cutLong cuts every token that is longer than a line where its script allows it.
func cutLong(toks iter.Seq[token], width int) iter.Seq[token] {
	if width == 0 {
		return toks
	}
	return func(yield func(token) bool) {
		for k := range toks {
			if k.n <= width || !hasUnspaced(k.text) {
				if !yield(k) {
					return
				}
				continue
			}
			done := 0
			for i, text := range pieces(k.text) {
				p := newToken(text, k.speaker)
				p.segment, p.told, p.glue = k.segment, k.told, k.glue || i > 0
				p.start = between(k.start, k.end, done, k.n)
				done += p.n
				p.end = between(k.start, k.end, done, k.n)
				if !yield(p) {
					return
				}
			}
		}
	}
}
