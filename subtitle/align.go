package subtitle

import (
	"strings"
	"unicode"
)

// align gives the words of a segment's text the times of its runs. The service may send words without punctuation, in
// lower case, or in pieces; the segment's text is then the better one to show. It is not ok if the text lacks anything
// that the runs have, or has a letter more.
func align(runs []run, text string) (out []token, ok bool) {
	type place struct{ run, index, of int } // a rune of the text: the index-th of the run's
	var where []place
	rest := []rune(text)
	next := 0
	for i, r := range runs {
		rs := []rune(strings.Map(dropSpace, r.text))
		for j, c := range rs {
			for next < len(rest) && !sameRune(rest[next], c) {
				if isLetter(rest[next]) {
					return nil, false
				}
				where = append(where, place{run: -1})
				next++
			}
			if next == len(rest) {
				return nil, false
			}
			where = append(where, place{i, j, len(rs)})
			next++
		}
	}
	for ; next < len(rest); next++ {
		if isLetter(rest[next]) {
			return nil, false
		}
		where = append(where, place{run: -1})
	}

	// Words of the text, cut once more where a run ends in a script without spaces.
	speaker, glue := runs[0].speaker, false
	at := runs[0].start
	for from := 0; from < len(rest); {
		if rest[from] == ' ' {
			from, glue = from+1, false
			continue
		}
		to := from + 1
		for to < len(rest) && rest[to] != ' ' {
			starts := where[to].run >= 0 && where[to].index == 0
			if starts && breakable(rest[to-1], rest[to]) {
				break
			}
			to++
		}
		k := newToken(string(rest[from:to]), speaker)
		k.glue, k.start, k.end = glue, at, at
		for i, first := from, true; i < to; i++ {
			w := where[i]
			if w.run < 0 {
				continue
			}
			r := runs[w.run]
			if first {
				k.start, k.speaker, first = between(r.start, r.end, w.index, w.of), r.speaker, false
			}
			k.end = between(r.start, r.end, w.index+1, w.of)
			at, speaker = k.end, r.speaker
		}
		out = append(out, k)
		from, glue = to, true
	}
	return out, true
}

func sameRune(a, b rune) bool { return a == b || unicode.ToLower(a) == unicode.ToLower(b) }

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func dropSpace(r rune) rune {
	if r == ' ' {
		return -1
	}
	return r
}
