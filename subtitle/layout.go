package subtitle

import (
	"math"
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

func (f *filler) add(k *token) (newLine bool) {
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
	for i := range toks {
		f.add(&toks[i])
	}
	return f.total
}

// lineCount is how many lines of a width the tokens need.
func lineCount(toks []token, width int) int {
	f := filler{width: width}
	for i := range toks {
		f.add(&toks[i])
	}
	return f.lines
}

// arrange sets a cue's tokens in as few lines as hold them, of about the same length, and says behind which tokens they
// end. It appends to ends.
func arrange(toks []token, l *limits, ends []int) []int {
	n := lineCount(toks, l.width)
	if n > 1 && l.words != nil {
		if found, cost := breakLines(toks, l, n); !math.IsInf(cost, 1) {
			return append(ends, found...)
		}
	}
	switch n {
	case 1:
		return append(ends, len(toks))
	case 2:
		return append(ends, halve(toks, l), len(toks))
	default:
		// The narrowest lines that are no more.
		narrow := 1 + sort.Search(l.width-1, func(w int) bool { return lineCount(toks, w+1) <= n })
		return wrap(toks, narrow, ends)
	}
}

// halve says where to break tokens that need two lines: near the middle, better where a reader stops.
func halve(toks []token, l *limits) int {
	best, at := -1.0, 1
	total, upper := width(toks), 0
	for k := 1; k < len(toks); k++ {
		upper += toks[k-1].n
		space := 1
		if toks[k].glue {
			space = 0
		}
		lower := total - upper - space
		// A line of a single word may be longer than the limit.
		if (upper <= l.width || k == 1) && (lower <= l.width || k == len(toks)-1) {
			cost := float64(max(upper-lower, lower-upper)) + 2*l.breakCost(&toks[k-1], &toks[k])
			if best < 0 || cost < best {
				best, at = cost, k
			}
		}
		upper += space
	}
	return at
}

func wrap(toks []token, limit int, ends []int) []int {
	f := filler{width: limit}
	for i := range toks {
		if f.add(&toks[i]) && i > 0 {
			ends = append(ends, i)
		}
	}
	return append(ends, len(toks))
}

// breakLines sets tokens in n lines that end at phrases, the lower ones the longer, and says behind which tokens; the
// cost is infinite if there is no way.
func breakLines(toks []token, l *limits, n int) (ends []int, cost float64) {
	if n == 2 {
		at, cost := breakOnce(toks, width(toks), l)
		return []int{at, len(toks)}, cost
	}
	// best[k][j]: the first j tokens in k+1 lines.
	m := len(toks)
	goal := float64(width(toks)) / float64(n)
	best, from := make([][]float64, n), make([][]int, n)
	for k := range n {
		best[k], from[k] = make([]float64, m+1), make([]int, m+1)
		for j := range m + 1 {
			best[k][j] = math.Inf(1)
		}
		for i := range m {
			before := 0.0
			if k > 0 {
				before = best[k-1][i]
			} else if i > 0 {
				break
			}
			if math.IsInf(before, 1) {
				continue
			}
			if i > 0 {
				before += 2 * l.breakCost(&toks[i-1], &toks[i])
			}
			f := filler{width: l.width}
			for j := i; j < m; j++ {
				if f.add(&toks[j]) && j > i {
					break
				}
				if c := before + math.Abs(float64(f.total)-goal); c < best[k][j+1] {
					best[k][j+1], from[k][j+1] = c, i
				}
			}
		}
	}
	ends = make([]int, n)
	for k, j := n-1, m; k >= 0; k-- {
		ends[k] = j
		j = from[k][j]
	}
	return ends, best[n-1][m]
}

// breakOnce is breakLines for two lines, of so many characters in all.
func breakOnce(toks []token, total int, l *limits) (at int, cost float64) {
	cost = math.Inf(1)
	upper := 0
	for k := 1; k < len(toks); k++ {
		upper += toks[k-1].n
		if upper > l.width && k > 1 {
			break
		}
		space := 1
		if toks[k].glue {
			space = 0
		}
		lower := total - upper - space
		if lower <= l.width || k == len(toks)-1 {
			c := 2 * l.breakCost(&toks[k-1], &toks[k])
			if upper > lower {
				c += 4 + 1.5*float64(upper-lower)
			} else {
				c += 0.4 * float64(lower-upper)
			}
			if c < cost {
				at, cost = k, c
			}
		}
		upper += space
	}
	return at, cost
}

// press makes lines of tokens. A cue's lines share one string, and many cues one slice, because a long transcript has
// hundreds of thousands of them.
type press struct {
	limits *limits
	ends   []int
	free   []string
}

func (p *press) lines(toks []token) []string {
	p.ends = arrange(toks, p.limits, p.ends[:0])
	ends := p.ends
	size := 0
	for i := range toks {
		size += 1 + len(toks[i].text)
	}
	var b strings.Builder
	b.Grow(size)
	if len(p.free) < len(ends) {
		p.free = make([]string, max(256, len(ends)))
	}
	out := p.free[:len(ends):len(ends)]
	p.free = p.free[len(ends):]
	from, begun := 0, 0
	for i, to := range ends {
		for k := from; k < to; k++ {
			if k > from && !toks[k].glue {
				b.WriteByte(' ')
			}
			b.WriteString(toks[k].text)
		}
		out[i] = b.String()[begun:]
		from, begun = to, b.Len()
	}
	return out
}
