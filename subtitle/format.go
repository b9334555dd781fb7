package subtitle

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// joiner is U+2060, word joiner: it takes no room and shows nothing.
const joiner = "\u2060"

// markup is what some player of SRT takes for more than text; a joiner behind its first character stops that. The end
// of a line is \N to some, so a brace in front of it is one in front of a backslash. It is compiled when it is first used,
// so that the start of a program does not wait for it.
var markup = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`<[A-Za-z/!?]|\{[\\A-Za-z\n]|\\[Nnh]|&#?[0-9A-Za-z]+;`)
})

// literal makes the text of an SRT cue show as it is.
func literal(s string) string {
	s = strings.ReplaceAll(s, "-->", "--"+joiner+">")
	// With a ">" anywhere behind it, in another line even, more is a tag: ffmpeg drops "<2 and 3>" and takes "< b >" for
	// bold.
	if last := strings.LastIndexByte(s, '>'); last >= 0 {
		s = strings.ReplaceAll(s[:last], "<", "<"+joiner) + s[last:]
	}
	// Twice, for "{\n}" is two of them, one within the other.
	for range 2 {
		s = markup().ReplaceAllStringFunc(s, func(m string) string { return m[:1] + joiner + m[1:] })
	}
	return s
}

// references makes text of WebVTT show as it is.
var references = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// clean folds each line and leaves out those that show nothing.
func clean(lines []string) []string {
	var out []string
	for _, line := range lines {
		if line = fold(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// unnamed returns the lines of a cue without the speaker's name in front.
func unnamed(c Cue) []string {
	if !c.Named || len(c.Lines) == 0 {
		return c.Lines
	}
	rest, ok := strings.CutPrefix(c.Lines[0], c.Speaker+":")
	if !ok {
		return c.Lines
	}
	return append([]string{rest}, c.Lines[1:]...)
}

// bounds are the times of a cue as they are written.
func bounds(c Cue) (start, end time.Duration) {
	start = max(c.Start, 0).Round(time.Millisecond)
	return start, max(c.End.Round(time.Millisecond), start+time.Millisecond)
}

// stamp writes a time with its milliseconds: 00:01:00.000, with two digits of hours or as many as it takes.
func stamp(d time.Duration, point string) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d%s%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, point, ms%1000)
}
