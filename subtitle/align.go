package subtitle

import (
	"strings"
	"unicode"
)

// spot is where a rune of the text stands among the runs: it is the index-th of of a run's, or in none of them (-1).
type spot struct{ run, index, of int }

// align gives the words of a segment's text the times of its runs. The service may send words without punctuation, in
// lower case, or in pieces; the segment's text is then the better one to show. It is not ok if the text lacks anything
// that the runs have, or has a letter more.
func align(runs []run, text string) (out []token, ok bool) {
	rest := []rune(text)
	where, ok := locate(runs, rest)
	if !ok {
		return nil, false
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
		k.told = toldBy(where[from:to], runs)
		out = append(out, k)
		from, glue = to, true
	}
	return out, true
}

// locate says of each rune of the text where it stands among the runs. It is not ok if the text lacks a rune of theirs, or
// has a letter more.
func locate(runs []run, text []rune) (where []spot, ok bool) {
	where = make([]spot, 0, len(text))
	next := 0
	for i, r := range runs {
		letters := []rune(strings.Map(dropSpace, r.text))
		for j, c := range letters {
			for next < len(text) && !sameRune(text[next], c) {
				if isLetter(text[next]) {
					return nil, false
				}
				where = append(where, spot{run: -1})
				next++
			}
			if next == len(text) {
				return nil, false
			}
			where = append(where, spot{i, j, len(letters)})
			next++
		}
	}
	for ; next < len(text); next++ {
		if isLetter(text[next]) {
			return nil, false
		}
		where = append(where, spot{run: -1})
	}
	return where, true
}

// toldBy says whether the transcript has the times of a word that is made of runs.
func toldBy(where []spot, runs []run) telling {
	out := silent
	for _, w := range where {
		switch {
		case w.run < 0:
		case !runs[w.run].known:
			return guessed
		default:
			out = told
		}
	}
	return out
}

func sameRune(a, b rune) bool { return a == b || unicode.ToLower(a) == unicode.ToLower(b) }

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func dropSpace(r rune) rune {
	if r == ' ' {
		return -1
	}
	return r
}
