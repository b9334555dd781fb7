package subtitle

import (
	"sort"
	"strings"
)

// filler fills lines with tokens, each as far as it goes.
type filler struct {
	width int // of a line, 0 for no limit
	lines int // filled so far, the current one included
	used  int // of the current one
	total int // characters in all, a line's end counting as a space
}

func (f *filler) add(k token) (newLine bool) {
	space := 1
	if k.glue || f.lines == 0 {
		space = 0
	}
	f.total += space + k.n
	if f.lines > 0 && (f.width == 0 || f.used+space+k.n <= f.width) {
		f.used += space + k.n
		return false
	}
	f.lines++
	f.used = k.n
	return true
}

// width is the length of tokens on one line.
func width(toks []token) int {
	var f filler
	for _, k := range toks {
		f.add(k)
	}
	return f.total
}

// lineCount is how many lines of a width the tokens need.
func lineCount(toks []token, width int) int {
	f := filler{width: width}
	for _, k := range toks {
		f.add(k)
	}
	return f.lines
}

// arrange sets a cue's tokens in as few lines as hold them, of about the same length.
func arrange(toks []token, l limits) []string {
	switch n := lineCount(toks, l.width); n {
	case 1:
		return []string{text(toks)}
	case 2:
		k := halve(toks, l.width)
		return []string{text(toks[:k]), text(toks[k:])}
	default:
		// The narrowest lines that are no more.
		narrow := 1 + sort.Search(l.width-1, func(w int) bool { return lineCount(toks, w+1) <= n })
		return wrap(toks, narrow)
	}
}

// halve says where to break tokens that need two lines: near the middle, better where a reader stops.
func halve(toks []token, limit int) int {
	best, at := -1.0, 1
	for k := 1; k < len(toks); k++ {
		if lineCount(toks[:k], limit) > 1 || lineCount(toks[k:], limit) > 1 {
			continue
		}
		a, b := width(toks[:k]), width(toks[k:])
		cost := float64(max(a-b, b-a)) + 2*breakCost(toks[k-1], toks[k])
		if best < 0 || cost < best {
			best, at = cost, k
		}
	}
	return at
}

func wrap(toks []token, limit int) []string {
	var lines []string
	f := filler{width: limit}
	from := 0
	for i, k := range toks {
		if f.add(k) && i > 0 {
			lines = append(lines, text(toks[from:i]))
			from = i
		}
	}
	return append(lines, text(toks[from:]))
}

// text joins tokens.
func text(toks []token) string {
	var b strings.Builder
	for i, k := range toks {
		if i > 0 && !k.glue {
			b.WriteByte(' ')
		}
		b.WriteString(k.text)
	}
	return b.String()
}
