package dialect

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Segment is a stretch of speech as a result holds it, without its words.
type Segment struct {
	Start, End time.Duration
	Text       string
	Speaker    string
	Confidence float64
}

// Word is one word of a segment.
type Word struct {
	Start, End time.Duration
	Text       string
	Confidence float64
}

// Result is a session's result. S and W are the caller's segment and word, so
// that a transcript of hours is not copied from one kind of slice into another.
type Result[S any] struct {
	Session
	Text     string
	Segments []S
	Speakers []Speaker
	Held     bool // the answer holds a list of results, and not only a status
}

// Speaker is one voice, and how many segments are its.
type Speaker struct {
	ID       string
	Segments int
}

// ErrNoResults says that an answer holds no list of results.
var ErrNoResults = errors.New("its results are no list of objects")

// rawSegment is a segment whose times may still be in either unit.
type rawSegment struct {
	Result     tuples          `json:"result"`
	Speaker    json.RawMessage `json:"speaker"`
	Text       json.RawMessage `json:"text"`
	Confidence json.RawMessage `json:"sconf"`
	Channel    json.RawMessage `json:"channel"`

	start time.Duration // to sort by
}

// ReadResult reads the answer of the result call. The unit of the times is that
// of the caller, or is found in the answer where the caller's is 0.
func ReadResult[S, W any](data []byte, unit time.Duration, word func(Word) W, segment func(Segment, []W) S) (Result[S], error) {
	var result Result[S]
	top, err := lenient.Unwrap(data, "results", "session_id", "status")
	if err != nil {
		return result, err
	}
	if result.Session, err = session(top); err != nil {
		return result, err
	}
	raw, err := readSegments(top["results"])
	if err != nil {
		return result, err
	}
	result.Held = raw != nil
	if err := setTimes(raw, unit, result.Duration); err != nil {
		return result, err
	}
	channels := distinctChannels(raw)
	if channels > 1 {
		sortByStart(raw)
	}
	texts := make([]string, 0, len(raw))
	for i := range raw {
		plain, words := raw[i].plain(channels > 1), make([]W, 0, len(raw[i].Result))
		for _, t := range raw[i].Result {
			words = append(words, word(Word{Start: t.startTime, End: t.endTime, Text: t.text, Confidence: t.confidence}))
		}
		if plain.Text != "" {
			texts = append(texts, plain.Text)
		}
		result.count(plain.Speaker)
		result.Segments = append(result.Segments, segment(plain, words))
		raw[i].Result = nil // the caller's words take its place
	}
	result.Text = strings.Join(texts, " ")
	return result, nil
}

// readSegments decodes the list of results; a missing one is nil, and anything
// else than a list of objects an error.
func readSegments(data json.RawMessage) ([]*rawSegment, error) {
	if !lenient.Present(data) {
		return nil, nil
	}
	segments := []*rawSegment{} // pointers, so that a null can be told
	if json.Unmarshal(data, &segments) != nil || slices.Contains(segments, nil) {
		return nil, ErrNoResults
	}
	return segments, nil
}

// plain is the segment without its words.
func (s *rawSegment) plain(inChannels bool) Segment {
	plain := Segment{Text: lenient.Text(s.Text), Speaker: lenient.Scalar(s.Speaker), Confidence: lenient.Number(s.Confidence)}
	if plain.Text == "" {
		words := make([]string, 0, len(s.Result))
		for _, t := range s.Result {
			words = append(words, t.text)
		}
		plain.Text = strings.Join(words, " ")
	}
	if n := len(s.Result); n > 0 {
		plain.Start, plain.End = s.Result[0].startTime, s.Result[n-1].endTime
	}
	if plain.Speaker == "unk" {
		plain.Speaker = ""
	}
	if inChannels {
		plain.Speaker = strings.TrimSpace("Channel " + strconv.Itoa(s.channel()+1) + " " + plain.Speaker)
	}
	return plain
}

// maxChannel is the highest channel that is believed; real ones are below ten.
const maxChannel = 1 << 20

func (s *rawSegment) channel() int { return int(min(max(lenient.Number(s.Channel), 0), maxChannel)) }

func distinctChannels(segments []*rawSegment) int {
	seen := make(map[int]bool)
	for i := range segments {
		seen[segments[i].channel()] = true
	}
	return len(seen)
}

// sortByStart puts the channels' segments in order of time. One without a time
// stays behind the one that it followed.
func sortByStart(segments []*rawSegment) {
	var last time.Duration
	for i := range segments {
		if words := segments[i].Result; len(words) > 0 {
			last = words[0].startTime
		}
		segments[i].start = last
	}
	slices.SortStableFunc(segments, func(a, b *rawSegment) int { return cmp.Compare(a.start, b.start) })
}

func (r *Result[S]) count(speaker string) {
	if speaker == "" {
		return
	}
	at := slices.IndexFunc(r.Speakers, func(s Speaker) bool { return s.ID == speaker })
	if at < 0 {
		at = len(r.Speakers)
		r.Speakers = append(r.Speakers, Speaker{ID: speaker})
	}
	r.Speakers[at].Segments++
}
