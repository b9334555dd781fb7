package subtitle

import (
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// piece is a part of a line: one of the cue's words, or what stands between them.
type piece struct {
	text string
	word *scriptix.Word // nil between words
}

// cut cuts a cue's lines, as clean left them, at its words. It is not ok if it has none or they are not those of the lines.
func cut(c Cue, lines []string) (out [][]piece, ok bool) {
	if len(c.Words) == 0 {
		return nil, false
	}
	left := c.Words
	for i, line := range lines {
		var pieces []piece
		if i == 0 && c.Named {
			if rest, ok := strings.CutPrefix(line, fold(c.Speaker)+":"); ok {
				pieces, line = append(pieces, piece{text: line[:len(line)-len(rest)]}), rest
			}
		}
		for len(left) > 0 {
			text := fold(left[0].Text)
			at := strings.Index(line, text)
			if text == "" || at < 0 || strings.ContainsFunc(line[:at], isLetter) {
				break
			}
			if at > 0 {
				pieces = append(pieces, piece{text: line[:at]})
			}
			pieces = append(pieces, piece{text: text, word: &left[0]})
			line, left = line[at+len(text):], left[1:]
		}
		if strings.ContainsFunc(line, isLetter) {
			return nil, false
		}
		if line != "" {
			pieces = append(pieces, piece{text: line})
		}
		out = append(out, pieces)
	}
	return out, len(left) == 0
}
