package subtitle

import (
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
	// Named is set if Lines begins with the speaker's name and a colon; see [Options].Speakers. WebVTT, which has voice
	// tags, leaves that name out.
	Named bool
}

// Cues cuts a transcript into cues, in its order; none if there is nothing to show. The package's documentation says
// how, and what becomes of times that make no sense. It changes nothing in t, and takes time in proportion to its
// length: with limits so wide that a cue could hold more than 256 words, only a segment that fits whole is one.
func Cues(t *scriptix.Transcript, o Options) []Cue {
	l := o.limits()
	toks := cutLong(tokens(t), l.width)
	var timings []timing
	var cues []Cue
	speaker := ""
	for len(toks) > 0 {
		toks[0].glue = false // nothing is in front of it but, perhaps, a name
		first := toks[0]
		n := slices.IndexFunc(toks, func(k token) bool { return k.segment != first.segment || k.speaker != first.speaker })
		if n < 0 {
			n = len(toks)
		}
		var label []token
		if l.speakers && first.speaker != "" && first.speaker != speaker {
			label = labelFor(first, l)
		}
		speaker = first.speaker
		for i, part := range divide(toks[:n], label, l) {
			shown := part
			if i == 0 {
				shown = slices.Concat(label, part)
			}
			cues = append(cues, Cue{Speaker: speaker, Lines: arrange(shown, l), Named: i == 0 && len(label) > 0})
			timings = append(timings, timingOf(shown, part, l))
		}
		toks = toks[n:]
	}
	schedule(cues, timings, l)
	return cues
}

// labelFor is the name that goes in front of a speaker's first word; none if a cue has no room for it.
func labelFor(first token, l limits) []token {
	name := newToken(first.speaker+":", first.speaker)
	f := filler{width: l.width}
	f.add(name)
	f.add(first)
	if l.lines > 0 && f.lines > l.lines {
		return nil
	}
	return []token{name}
}

// cutLong cuts every token that is longer than a line where its script allows it.
func cutLong(toks []token, width int) []token {
	if width == 0 || !slices.ContainsFunc(toks, func(k token) bool { return k.n > width && hasUnspaced(k.text) }) {
		return toks
	}
	out := make([]token, 0, len(toks))
	for _, k := range toks {
		if k.n <= width || !hasUnspaced(k.text) {
			out = append(out, k)
			continue
		}
		done := 0
		for i, text := range pieces(k.text) {
			p := newToken(text, k.speaker)
			p.segment, p.glue = k.segment, k.glue || i > 0
			p.start = between(k.start, k.end, done, k.n)
			done += p.n
			p.end = between(k.start, k.end, done, k.n)
			out = append(out, p)
		}
	}
	return out
}

// timing is when a cue should be shown.
type timing struct {
	start, end time.Duration // of what is said, in whole milliseconds
	reading    time.Duration // how long it takes to read
}

func timingOf(shown, said []token, l limits) timing {
	end := said[0].end
	for _, k := range said {
		end = max(end, k.end)
	}
	return timing{said[0].start.Round(time.Millisecond), end.Round(time.Millisecond), l.reading(width(shown))}
}

const (
	glimpse = 100 * time.Millisecond // a cue stays as long as this at least, even if the next one is late for it
	squeeze = time.Second            // and as long as this, if it can, when its words take no time at all
)

// schedule gives the cues their times. A cue starts when its first word does, unless the one in front of it would then
// not have been there long enough.
func schedule(cues []Cue, timings []timing, l limits) {
	shortest := glimpse
	if l.longest > 0 {
		shortest = min(shortest, l.longest)
	}
	var free time.Duration // when the next cue can start
	for i, t := range timings {
		cues[i].Start = max(t.start, free)
		hold := min(t.reading, squeeze)
		if spoken := t.end - t.start; spoken >= glimpse+l.gap {
			hold = min(t.reading, spoken-l.gap)
		}
		if l.longest > 0 {
			hold = min(hold, l.longest)
		}
		free = cues[i].Start + max(hold, shortest) + l.gap
	}
	for i, t := range timings {
		start := cues[i].Start
		end := max(t.end, start+max(t.reading, shortest))
		if l.longest > 0 {
			end = min(end, start+l.longest)
		}
		if i+1 < len(cues) {
			end = min(end, cues[i+1].Start-l.gap)
		}
		cues[i].End = end
	}
}
