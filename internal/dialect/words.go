package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// tuple is a word as the service sends it: [text, start, end, confidence], times
// in a unit that the answer does not name.
type tuple struct {
	text       string
	start, end float64
	confidence float64
	fraction   bool // a time is written with a fraction

	startTime, endTime time.Duration // once the unit is known
}

// tuples are the words of a segment. What is no list, and each entry that is no
// word with two times, is left out: it costs that word and no more.
type tuples []tuple

// UnmarshalJSON reads the words that can be read, and never fails.
func (t *tuples) UnmarshalJSON(data []byte) error {
	*t = nil
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		return nil //nolint:nilerr // words are optional
	}
	words := make(tuples, 0, len(list))
	for _, element := range list {
		if word, ok := readTuple(element); ok {
			words = append(words, word)
		}
	}
	*t = words
	return nil
}

// readTuple reads one word by position, and ignores what follows.
func readTuple(data json.RawMessage) (tuple, bool) {
	var parts []json.RawMessage
	if json.Unmarshal(data, &parts) != nil || len(parts) < 3 {
		return tuple{}, false
	}
	word := tuple{text: lenient.Text(parts[0])}
	var ok [2]bool
	word.start, ok[0] = readTime(parts[1])
	word.end, ok[1] = readTime(parts[2])
	if word.text == "" || !ok[0] || !ok[1] {
		return tuple{}, false
	}
	if len(parts) > 3 {
		word.confidence = lenient.Number(parts[3])
	}
	word.fraction = bytes.ContainsRune(parts[1], '.') || bytes.ContainsRune(parts[2], '.')
	return word, true
}

// readTime reads a number, or a text that holds one. A negative time is none.
func readTime(raw json.RawMessage) (float64, bool) {
	text := strings.TrimSpace(lenient.Scalar(raw))
	var number json.Number
	if json.Unmarshal([]byte(text), &number) != nil || text == "" || text[0] == '"' {
		return 0, false
	}
	f, err := number.Float64()
	return f, err == nil && f >= 0 && !math.IsInf(f, 0)
}

// ErrTimes says that the times of an answer fit its duration in neither way
// that can be told apart.
var ErrTimes = errors.New("the times of its words contradict its duration; WithDialect(DialectSession.TimeUnit(...)) names the unit")

// setTimes gives each word its times: in the caller's unit, or in the one that
// the whole answer is found to be in. A word that ends beyond twice a known
// duration is left out, because a wrong time is worse than none.
func setTimes(segments []*rawSegment, unit, duration time.Duration) error {
	found := unit == 0
	if found {
		unit = findUnit(segments)
	}
	if last := lastEnd(segments); found && beyond(scale(last, unit), duration) {
		other := time.Second
		if unit == time.Second {
			other = time.Millisecond
		}
		if !beyond(scale(last, other), duration) {
			return ErrTimes
		}
	}
	for i := range segments {
		words := segments[i].Result
		for n := range words {
			words[n].startTime, words[n].endTime = scale(words[n].start, unit), scale(words[n].end, unit)
		}
		segments[i].Result = slices.DeleteFunc(words, func(t tuple) bool { return beyond(max(t.startTime, t.endTime), duration) })
	}
	return nil
}

// beyond reports whether a time is beyond twice a known duration, of which there
// may be so much that it cannot be doubled.
func beyond(at, duration time.Duration) bool { return duration > 0 && at-duration > duration }

// findUnit tells seconds from milliseconds by the median length of the words
// that have one: no word lasts 20 seconds, and none 20 milliseconds. Without
// such a word a fraction means seconds.
func findUnit(segments []*rawSegment) time.Duration {
	var lengths []float64
	fraction := false
	for i := range segments {
		for _, t := range segments[i].Result {
			if length := t.end - t.start; length > 0 {
				lengths = append(lengths, length)
			}
			fraction = fraction || t.fraction
		}
	}
	if n := len(lengths); n > 0 {
		slices.Sort(lengths)
		if median := (lengths[(n-1)/2] + lengths[n/2]) / 2; median < 20 {
			return time.Second
		}
		return time.Millisecond
	}
	if fraction {
		return time.Second
	}
	return time.Millisecond
}

func lastEnd(segments []*rawSegment) (last float64) {
	for i := range segments {
		for _, t := range segments[i].Result {
			last = max(last, t.start, t.end)
		}
	}
	return last
}

// scale is a number of units as a duration, at most the longest there is.
func scale(f float64, unit time.Duration) time.Duration {
	nanoseconds := f * float64(unit)
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(nanoseconds))
}
