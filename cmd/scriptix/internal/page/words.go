package page

import (
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// parts cuts a segment's text where its words have their times. The text stays
// as it is, for it may have punctuation and capitals that the words lack: each
// word is looked for a little behind the one before it, and one that is not
// there only loses its time.
func parts(s scriptix.Segment) []part {
	text := s.Text
	if text == "" {
		texts := make([]string, len(s.Words))
		for i, w := range s.Words {
			texts[i] = w.Text
		}
		text = strings.Join(texts, " ")
	}
	if len(s.Words) == 0 {
		return []part{{Text: text}}
	}
	var out []part
	plain := func(gap string) {
		if gap != "" {
			out = append(out, part{Text: gap})
		}
	}
	for _, w := range s.Words {
		from, to, ok := find(text, w.Text)
		if !ok {
			continue
		}
		for to < len(text) && text[to] < 0x80 && strings.IndexByte(`.,;:!?)"'`, text[to]) >= 0 {
			to++
		}
		plain(text[:from])
		out = append(out, part{Text: text[from:to], Start: seconds(w.Start), Sure: doubt(w.Confidence)})
		text = text[to:]
	}
	plain(text)
	return out
}

// find returns where word begins and ends in text, ignoring the case of ASCII
// letters. More than two others before it mean that it is a later one of the
// same name.
func find(text, word string) (from, to int, ok bool) {
	at := strings.Index(text, word)
	if lower := strings.Index(asciiLower(text), asciiLower(word)); at < 0 || (lower >= 0 && lower < at) {
		at = lower
	}
	if at < 0 || len(strings.Fields(text[:at])) > 2 {
		return 0, 0, false
	}
	return at, at + len(word), true
}

// asciiLower leaves the length of the text as it is, which strings.ToLower does not.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
