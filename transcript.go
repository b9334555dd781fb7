package scriptix

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Transcript is the result of a job.
//
// It marshals to the JSON that the service documents, times in seconds, and
// unmarshals from it.
type Transcript struct {
	JobID      string
	DocumentID string
	Language   string
	Text       string        // the whole text, as the service put it together
	Duration   time.Duration // of the audio; 0 when the service did not say
	Segments   []Segment     // in order of time
	Speakers   []Speaker     // empty without diarization
	Raw        json.RawMessage
}

// Segment is a stretch of speech, by one speaker where speakers are known.
type Segment struct {
	Start, End time.Duration // from the start of the audio
	Text       string
	Speaker    string  // "" when unknown
	Confidence float64 // 0 to 1; 0 when the service did not say
	Words      []Word  // with TimestampsWord, where the service sends them
}

// Word is one word of a segment.
type Word struct {
	Start, End time.Duration
	Text       string
	Speaker    string  // "" when unknown or the segment's
	Confidence float64 // 0 to 1; 0 when the service did not say
}

// Speaker is one voice of a recording.
type Speaker struct {
	ID       string // as in [Segment.Speaker]
	Segments int    // how many segments are theirs
}

type jsonTranscript struct {
	ID         string        `json:"id"`
	DocumentID string        `json:"document_id,omitempty"`
	Language   string        `json:"language,omitempty"`
	Duration   float64       `json:"duration_seconds,omitempty"`
	Text       string        `json:"transcript"`
	Segments   []Segment     `json:"segments"`
	Speakers   []jsonSpeaker `json:"speakers,omitempty"`
}

type jsonSegment struct {
	Start      float64    `json:"start"`
	End        float64    `json:"end"`
	Text       string     `json:"text"`
	Speaker    string     `json:"speaker,omitempty"`
	Confidence float64    `json:"confidence,omitempty"`
	Words      []jsonWord `json:"words,omitempty"`
}

type jsonWord struct {
	Word       string  `json:"word"`
	Start      float64 `json:"start"`
	End        float64 `json:"end"`
	Speaker    string  `json:"speaker,omitempty"`
	Confidence float64 `json:"confidence,omitempty"`
}

type jsonSpeaker struct {
	ID       string `json:"id"`
	Segments int    `json:"segments_count"`
}

// MarshalJSON writes the transcript as the service documents it, times in seconds.
func (t Transcript) MarshalJSON() ([]byte, error) {
	out := jsonTranscript{
		ID: t.JobID, DocumentID: t.DocumentID, Language: t.Language, Duration: t.Duration.Seconds(),
		Text: t.Text, Segments: t.Segments, Speakers: make([]jsonSpeaker, len(t.Speakers)),
	}
	if out.Segments == nil {
		out.Segments = []Segment{}
	}
	for i, s := range t.Speakers {
		out.Speakers[i] = jsonSpeaker(s)
	}
	return json.Marshal(out)
}

// MarshalJSON writes the segment as the service documents it, times in seconds.
func (s Segment) MarshalJSON() ([]byte, error) {
	out := jsonSegment{Start: s.Start.Seconds(), End: s.End.Seconds(), Text: s.Text, Speaker: s.Speaker, Confidence: s.Confidence}
	for _, w := range s.Words {
		out.Words = append(out.Words, jsonWord{w.Text, w.Start.Seconds(), w.End.Seconds(), w.Speaker, w.Confidence})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a transcript as the service sends it. What cannot be read
// is left out, and the rest is there.
func (t *Transcript) UnmarshalJSON(data []byte) error {
	_, err := t.read(slices.Clone(data))
	return err
}

// UnmarshalJSON reads a segment as the service sends it.
func (s *Segment) UnmarshalJSON(data []byte) error {
	segment, ok := new(segmentReader).segment(data)
	if !ok {
		return errors.New("a segment is no JSON object")
	}
	*s = segment
	return nil
}

// resultHead is what a result says besides its transcript.
type resultHead struct {
	status Status // "" when it has none
	text   bool   // it holds a transcript that can be read, which is empty where nobody speaks
}

// read reads a transcript, of which data becomes Raw.
func (t *Transcript) read(data []byte) (resultHead, error) {
	top, err := lenient.Unwrap(data, "id", "segments", "transcript", "status")
	if err != nil {
		return resultHead{}, err
	}
	*t = Transcript{
		JobID:      lenient.ID(top["id"], top["job_id"], top["session_id"]),
		DocumentID: lenient.ID(top["document_id"]),
		Language:   lenient.Text(top["language"]),
		Duration:   lenient.Seconds(top["duration_seconds"]),
		Raw:        data,
	}
	found, lost := false, false
	var loose string // text that stands where segments should
	for _, name := range []string{"segments", "transcript", "text"} {
		if !lenient.Present(top[name]) {
			continue
		}
		text, segments, ok := readSpoken(top[name])
		found, lost = true, lost || !ok
		if len(t.Segments) == 0 && segments != nil {
			t.Segments = segments
		}
		if name == "segments" {
			loose = text
		} else if t.Text == "" {
			t.Text = text
		}
	}
	if t.Text == "" {
		t.Text = loose
	}
	lenient.Elements(top["speakers"], func(raw json.RawMessage) {
		if speaker, ok := readSpeaker(raw); ok {
			t.Speakers = append(t.Speakers, speaker)
		}
	})
	return resultHead{status: Status(strings.TrimSpace(lenient.Text(top["status"]))), text: found && (!lost || t.spoken())}, nil
}

// spoken reports whether there is any text.
func (t *Transcript) spoken() bool {
	return t.Text != "" || slices.ContainsFunc(t.Segments, func(s Segment) bool { return s.Text != "" || len(s.Words) > 0 })
}

// readSpoken reads text, segments, or an object that holds either. It is not ok
// when something is there and none of it can be read.
func readSpoken(raw json.RawMessage) (text string, segments []Segment, ok bool) {
	var reader segmentReader
	switch raw[0] {
	case '"':
		return lenient.Unquote(raw), nil, true
	case '[':
		var texts []string
		// Counted first, so that the list is not copied while it grows; but a
		// list of what is no segment shall not take more memory than it is long.
		segments = make([]Segment, 0, min(lenient.Elements(raw, nil), len(raw)/32+1))
		n := lenient.Elements(raw, func(element json.RawMessage) {
			if segment, ok := reader.segment(element); ok {
				segments = append(segments, segment)
			} else if s := lenient.Text(element); s != "" {
				texts = append(texts, s)
			}
		})
		return strings.Join(texts, " "), segments, n == 0 || len(segments)+len(texts) > 0
	case '{':
		lenient.Members(raw, func(name string, value json.RawMessage) {
			switch name {
			case "text", "transcript", "content":
				if s := lenient.Text(value); s != "" && text == "" {
					text = s
				}
			case "segments":
				_, segments, _ = readSpoken(value)
			}
		})
		return text, segments, text != "" || len(segments) > 0
	}
	return "", nil, false
}

func readSpeaker(raw json.RawMessage) (speaker Speaker, ok bool) {
	if id := lenient.ID(raw); id != "" {
		return Speaker{ID: id}, true
	}
	lenient.Members(raw, func(name string, value json.RawMessage) {
		ok = true
		switch name {
		case "id":
			speaker.ID = lenient.Scalar(value)
		case "segments_count":
			speaker.Segments = int(min(max(lenient.Number(value), 0), math.MaxInt32))
		}
	})
	return speaker, ok
}

// segmentReader reads segments one after the other. A speaker's name is kept
// once, and the words of one segment are gathered in the memory of the one
// before.
type segmentReader struct {
	speaker string
	words   []Word
}

func (r *segmentReader) segment(raw json.RawMessage) (s Segment, ok bool) {
	lenient.Members(raw, func(name string, value json.RawMessage) {
		ok = true
		switch strings.ToLower(name) {
		case "start":
			s.Start = lenient.Seconds(value)
		case "end":
			s.End = lenient.Seconds(value)
		case "text":
			s.Text = lenient.Scalar(value)
		case "speaker":
			s.Speaker = r.named(value)
		case "confidence":
			s.Confidence = lenient.Number(value)
		case "words":
			s.Words = r.list(value)
		}
	})
	return s, ok || string(raw) == "{}"
}

func (r *segmentReader) list(raw json.RawMessage) []Word {
	r.words = r.words[:0]
	lenient.Elements(raw, func(element json.RawMessage) {
		if word, ok := r.word(element); ok {
			r.words = append(r.words, word)
		}
	})
	if len(r.words) == 0 {
		return nil
	}
	return append(make([]Word, 0, len(r.words)), r.words...)
}

func (r *segmentReader) word(raw json.RawMessage) (w Word, ok bool) {
	lenient.Members(raw, func(name string, value json.RawMessage) {
		ok = true
		switch strings.ToLower(name) {
		case "start":
			w.Start = lenient.Seconds(value)
		case "end":
			w.End = lenient.Seconds(value)
		case "word":
			w.Text = lenient.Scalar(value)
		case "text":
			if w.Text == "" {
				w.Text = lenient.Scalar(value)
			}
		case "speaker":
			w.Speaker = r.named(value)
		case "confidence":
			w.Confidence = lenient.Number(value)
		}
	})
	return w, ok
}

// named is a speaker's name, the memory of which is shared with the one before.
func (r *segmentReader) named(raw json.RawMessage) string {
	if len(raw) == len(r.speaker)+2 && raw[0] == '"' && string(raw[1:len(raw)-1]) == r.speaker {
		return r.speaker
	}
	r.speaker = lenient.Scalar(raw)
	return r.speaker
}
