package subtitle

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// WriteSRT writes cues as SubRip: UTF-8 without a byte order mark, lines ending in LF, cues numbered from 1.
//
// SRT has no escapes, and players take what looks like markup for markup: tags (<b>, </i>, < b >, <2>), ASS overrides
// ({\an8}, {y:i}), line breaks (\N), character references (&lt;) and the arrow of the times. Such text gets a word
// joiner (U+2060), which shows nothing, behind its "<", "{", "\" or "&" and within its "-->", so that it is shown as it
// was said; other text stays as it is. One thing cannot be stopped: a player that draws with libass (mpv, and ffmpeg
// when it burns subtitles in) hides what stands between a "{" and a "}", or obeys it. White space is folded and lines
// without visible text are left out, for an empty line ends a cue; so is a cue without any.
//
// Times are rounded to the millisecond, a negative one is 0, and a cue lasts a millisecond at least. The error is w's.
func WriteSRT(w io.Writer, cues []Cue) error {
	out := bufio.NewWriter(w)
	n := 0
	for _, c := range cues {
		lines := clean(c.Lines)
		if len(lines) == 0 {
			continue
		}
		separator := ""
		if n > 0 {
			separator = "\n"
		}
		n++
		start, end := bounds(c)
		if _, err := fmt.Fprintf(out, "%s%d\n%s --> %s\n%s\n", separator, n, stamp(start, ","), stamp(end, ","), literal(strings.Join(lines, "\n"))); err != nil {
			return fmt.Errorf("subtitle: write SRT: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("subtitle: write SRT: %w", err)
	}
	return nil
}

// WriteVTT writes cues as WebVTT: UTF-8, lines ending in LF.
//
// A cue whose speaker is known is in a voice tag, <v Speaker 1>, whatever [Options].Speakers was; what that put in
// front of the text is left out. Browsers style voices but do not show their names. The characters &, < and > are
// written as references, so that nothing is a tag or an arrow. White space, empty cues and times are handled as by
// [WriteSRT]. The error is w's.
func WriteVTT(w io.Writer, cues []Cue) error { return writeVTT(w, cues, false) }

// WriteVTTWords is [WriteVTT] with a time tag in front of each word, such as <00:00:01.500>, for players that highlight
// words as they are spoken. The first word of a cue has none, for it starts with the cue, and so has a word that does not
// start later than the one in front of it. A cue without Words, or whose Words are not those of its Lines, is written as
// by WriteVTT: times that nobody told are not made up.
func WriteVTTWords(w io.Writer, cues []Cue) error { return writeVTT(w, cues, true) }

func writeVTT(w io.Writer, cues []Cue, tags bool) error {
	out := bufio.NewWriter(w)
	_, err := out.WriteString("WEBVTT\n")
	for _, c := range cues {
		if err != nil {
			break
		}
		lines := clean(unnamed(c))
		if len(lines) == 0 {
			continue
		}
		voice := ""
		if s := fold(c.Speaker); s != "" {
			voice = "<v " + references.Replace(s) + ">"
		}
		start, end := bounds(c)
		text := references.Replace(strings.Join(lines, "\n"))
		if tags {
			text = tagged(c, lines, text)
		}
		_, err = fmt.Fprintf(out, "\n%s --> %s\n%s%s\n", stamp(start, "."), stamp(end, "."), voice, text)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("subtitle: write WebVTT: %w", err)
	}
	return nil
}

// tagged is the text of a cue with its words' times, plain if they are not known.
func tagged(c Cue, lines []string, plain string) string {
	c.Named = false // that name was left out
	pieces, ok := cut(c, lines)
	if !ok {
		return plain
	}
	last, end := bounds(c)
	var b strings.Builder
	for i, line := range pieces {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, p := range line {
			if p.word != nil {
				if at := p.word.Start.Round(time.Millisecond); at > last && at < end {
					b.WriteString("<" + stamp(at, ".") + ">")
					last = at
				}
			}
			b.WriteString(references.Replace(p.text))
		}
	}
	return b.String()
}

// WriteText writes a transcript as text for people to read: a paragraph each time the speaker changes, "Speaker 1: " in
// front where the speaker is known, an empty line between two. A paragraph is one line, however long. Nothing is
// escaped, so a transcript of HTML is HTML. A transcript without visible text writes nothing. The error is w's.
func WriteText(w io.Writer, t *scriptix.Transcript) error {
	out := bufio.NewWriter(w)
	speaker, begun := "", false
	for k := range eachToken(t) {
		between := ""
		switch {
		case !begun || k.speaker != speaker:
			if begun {
				between = "\n\n"
			}
			if k.speaker != "" {
				between += k.speaker + ": "
			}
		case !k.glue:
			between = " "
		}
		speaker, begun = k.speaker, true
		if _, err := out.WriteString(between + k.text); err != nil {
			return fmt.Errorf("subtitle: write text: %w", err)
		}
	}
	if begun {
		_ = out.WriteByte('\n') // Flush tells the error
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("subtitle: write text: %w", err)
	}
	return nil
}
