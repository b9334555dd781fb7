package subtitle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrNoWords is returned by [WriteASS] if karaoke is asked for and a cue has no Words.
var ErrNoWords = errors.New("subtitle: a cue has no words with times")

// WriteASS writes cues as Advanced SubStation Alpha (v4.00+) for 1920 by 1080: UTF-8, one style, lines as they are. The
// speaker is the event's name, which players do not show; the name that [Options].Speakers puts in front stays.
//
// With karaoke each word has a {\k} with its own time, and turns from grey to white as it is spoken. Every cue then needs
// its Words, and they must be those of its Lines: else the error is [ErrNoWords] and nothing is written, for times that
// nobody told are not made up. All other errors are w's.
//
// ASS knows no escapes but \{ and \}, which libass (mpv, VLC, ffmpeg) reads and some others show with the backslash. A
// backslash and an opening brace get a word joiner (U+2060) behind them, so that they are text. Times are rounded to the centisecond, and a cue
// lasts one at least; empty cues are left out.
func WriteASS(w io.Writer, cues []Cue, karaoke bool) error {
	if karaoke {
		for i, c := range cues {
			lines := clean(c.Lines)
			if _, ok := cut(c, lines); !ok && len(lines) > 0 {
				return fmt.Errorf("cue %d: %w", i, ErrNoWords)
			}
		}
	}
	out := bufio.NewWriter(w)
	_, err := out.WriteString(assHead)
	for _, c := range cues {
		if err != nil {
			break
		}
		lines := clean(c.Lines)
		if len(lines) == 0 {
			continue
		}
		start := centiseconds(max(c.Start, 0))
		end := max(centiseconds(c.End), start+1)
		var text string
		if karaoke {
			text = sung(c, lines, start, end)
		} else {
			text = assText(strings.Join(lines, "\n"))
		}
		_, err = fmt.Fprintf(out, "Dialogue: 0,%s,%s,Default,%s,0,0,0,,%s\n", assStamp(start), assStamp(end), assName(c.Speaker), text)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("subtitle: write ASS: %w", err)
	}
	return nil
}

const assHead = `[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,58,&H00FFFFFF,&H00A0A0A0,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,120,120,60,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
`

// sung is a cue's text with the time of each word, in centiseconds from the one before it.
func sung(c Cue, lines []string, start, end int64) string {
	pieces, _ := cut(c, lines) // ok, as was checked
	var b strings.Builder
	at := start
	wait := func(until int64, text string) {
		until = min(max(until, at), end)
		fmt.Fprintf(&b, `{\k%d}%s`, until-at, text)
		at = until
	}
	for i, line := range pieces {
		if i > 0 {
			b.WriteString(`\N`)
		}
		for _, p := range line {
			text := assText(p.text)
			if p.word == nil {
				if b.Len() == 0 {
					wait(centiseconds(c.Words[0].Start), "") // a name counts as sung with the first word
				}
				b.WriteString(text)
				continue
			}
			if from := centiseconds(p.word.Start); from > at {
				wait(from, "")
			}
			wait(centiseconds(p.word.End), text)
		}
	}
	return b.String()
}

func centiseconds(d time.Duration) int64 {
	return int64(d.Round(10*time.Millisecond) / (10 * time.Millisecond))
}

func assStamp(cs int64) string {
	return fmt.Sprintf("%d:%02d:%02d.%02d", cs/360_000, cs/6000%60, cs/100%60, cs%100)
}

// assText makes text show as it is.
func assText(s string) string { return assEscapes.Replace(s) }

// A joiner stands behind a brace as well, for ffmpeg takes one in front of any backslash for an override, escaped or not.
var assEscapes = strings.NewReplacer(`\`, `\`+joiner, "{", `\{`+joiner, "}", `\}`, "\n", `\N`)

// assName is a speaker's name in a field that ends at a comma.
func assName(s string) string { return fold(strings.ReplaceAll(s, ",", " ")) }
