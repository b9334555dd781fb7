package subtitle

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unspaced are the scripts whose words have no space between them.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

const (
	// Marks that may not start a line: closing ones, small kana and repetition marks, vowels written behind their
	// consonant.
	noStart = "、。，．：；！？・…‥）」』】〕〉》］｝〗〙’”»›,.:;!?%)]}ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞヽヾะาำๆะາຳ"
	// Marks that may not end a line: opening ones, vowels written in front of their consonant, signs that stack the
	// next one.
	noEnd = "（「『【〔〈《［｛〖〘‘“«‹([{เแโใไເແໂໃໄ\u17d2\u1039"
	// What ends a sentence or a part of one, and what may follow it.
	sentenceEnds = ".!?…。！？．؟।॥။៕"
	clauseEnds   = ",;:，、；：،؛–—"
	closers      = "\"'’”»›)]}）」』】〕〉》］｝"
)

// pause says how well a reader can stop behind a text.
type pause int

const (
	noPause pause = iota
	clause
	sentence
)

func pauseAfter(text string) pause {
	if n := len(text); n > 0 && isASCIILetter(text[n-1]) {
		return noPause
	}
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(text, closers))
	switch {
	case strings.ContainsRune(sentenceEnds, r):
		return sentence
	case strings.ContainsRune(clauseEnds, r):
		return clause
	default:
		return noPause
	}
}

// length counts characters as a reader does: accents, joiners and other invisible runes belong to the character in
// front of them, as do skin tones and the second half of a flag.
func length(s string) int {
	if isASCII(s) {
		return len(s)
	}
	n, joined, flag := 0, false, false
	for _, r := range s {
		indicator := r >= 0x1F1E6 && r <= 0x1F1FF
		switch {
		case invisible(r), r >= 0x1F3FB && r <= 0x1F3FF:
		case joined, indicator && flag:
			indicator = false
		default:
			n++
		}
		joined, flag = r == '\u200d', indicator
	}
	return n
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isASCIILetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// invisible is a rune that takes no room of its own.
func invisible(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) }

func isUnspaced(r rune) bool {
	return unicode.In(r, unspaced...) || r >= 0x3001 && r <= 0x303f || r >= 0xff01 && r <= 0xff60
}

func hasUnspaced(s string) bool { return strings.IndexFunc(s, isUnspaced) >= 0 }

// joinsUnspaced says whether b follows a without a space although they are two texts.
func joinsUnspaced(a, b string) bool {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	return isUnspaced(last) && isUnspaced(first)
}

// unspacedBetween says whether there may be no space between a and b.
func unspacedBetween(a, b string) bool {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	return isUnspaced(last) || isUnspaced(first)
}

// breakable says whether a line may end between two neighbours of one run of text.
func breakable(a, b rune) bool {
	return (isUnspaced(a) || isUnspaced(b)) &&
		!invisible(a) && !invisible(b) && !unicode.Is(unicode.Mc, b) &&
		!strings.ContainsRune(noEnd, a) && !strings.ContainsRune(noStart, b)
}

// pieces cuts a run of text wherever it may be broken.
func pieces(s string) []string {
	var out []string
	from, last := 0, rune(-1)
	for i, r := range s {
		if last >= 0 && breakable(last, r) {
			out = append(out, s[from:i])
			from = i
		}
		// An accent stands for the letter that carries it, unless it stacks the next one.
		if !invisible(r) || strings.ContainsRune(noEnd, r) {
			last = r
		}
	}
	return append(out, s[from:])
}

// words cleans a text and cuts it at its white space; a word without anything to see is dropped.
func words(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for w := range strings.FieldsFuncSeq(s, isSpace) {
			if w = shownOf(w); w != "" && !yield(w) {
				return
			}
		}
	}
}

// shownOf is a word without what cannot be printed, and "" if there is nothing to see in it.
func shownOf(w string) string {
	plain := true
	for i := range len(w) {
		plain = plain && w[i] > ' ' && w[i] < 0x7f
	}
	if plain {
		return w
	}
	w = strings.Map(printable, strings.ToValidUTF8(w, "\uFFFD"))
	if !strings.ContainsFunc(w, visible) {
		return ""
	}
	return w
}

// fold is a text on one line.
func fold(s string) string {
	var b strings.Builder
	for w := range words(s) {
		if len(w) == len(s) {
			return s
		}
		if b.Len() == 0 {
			b.Grow(len(s))
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

// isSpace leaves out the spaces that are there to keep two words on one line.
func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r >= '\t' && r <= '\r'
	}
	return unicode.IsSpace(r) && r != '\u00a0' && r != '\u2007' && r != '\u202f'
}

func printable(r rune) rune {
	if unicode.IsControl(r) || r == '\ufeff' {
		return -1
	}
	return r
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !invisible(r) }
