package scriptix

import (
	"encoding/json"
	"time"
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
