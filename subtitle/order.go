package subtitle

import (
	"cmp"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// Sorted returns segments by their start, in a slice of its own unless they are in that order already. Segments that
// start together keep their order, and so does one that does not tell when it is: it stays behind the one in front of
// it. A segment that ends before it starts counts with its start. Everything in this package sorts by itself.
func Sorted(segments []scriptix.Segment) []scriptix.Segment {
	starts := make([]time.Duration, len(segments))
	sorted := true
	for i, s := range segments {
		start, ok := startOf(s)
		switch {
		case !ok && i > 0:
			start = starts[i-1]
		case !ok:
			start = 0
		}
		starts[i] = start
		sorted = sorted && (i == 0 || starts[i-1] <= start)
	}
	if sorted {
		return segments
	}
	index := make([]int, len(segments))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return cmp.Compare(starts[a], starts[b]) })
	out := make([]scriptix.Segment, len(segments))
	for i, from := range index {
		out[i] = segments[from]
	}
	return out
}

// startOf says when a segment starts, if it tells: by its own times, else by those of its words.
func startOf(s scriptix.Segment) (time.Duration, bool) {
	if timed(s) || s.Start > 0 && s.Start < absurd {
		return max(s.Start, 0), true
	}
	for _, w := range s.Words {
		if start := max(w.Start, 0); w.End > 0 && w.End < absurd && w.End >= start {
			return start, true
		}
	}
	return 0, false
}
