package scriptix

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// The service's endpoints and JSON shapes. The published documentation
// contradicts itself, so what is read here is read tolerantly: an object may
// stand in an envelope, an id may be a number, a time may be a string.

// apiPath is where the endpoints of the generation spoken here begin.
const apiPath = "/api/v3"

var (
	pathSubmit = []string{"stt"}
	pathFiles  = []string{"files", ""} // documented with the slash at its end
)

func pathStatus(id string) []string { return []string{"stt", id, "status"} }
func pathResult(id string) []string { return []string{"stt", id, "result"} }
func pathFile(id string) []string   { return []string{"files", id} }

// audioField is the form field that holds the recording.
const audioField = "audio_file"

var errNotObject = errors.New("no JSON object")

// UnmarshalJSON reads a job as the service sends it.
func (j *Job) UnmarshalJSON(data []byte) error {
	top, err := unwrap(data, "id", "status")
	if err != nil {
		return err
	}
	*j = Job{
		ID:         firstScalar(top["id"], top["job_id"], top["session_id"]),
		Status:     Status(firstText(top["status"])),
		Progress:   percent(top["progress"]),
		DocumentID: scalar(top["document_id"]),
		Language:   firstText(top["language"]),
		Duration:   seconds(top["duration_seconds"]),
		CreatedAt:  timestamp(top["created_at"]),
		Raw:        append(json.RawMessage(nil), data...),
	}
	if j.Status.Terminal() && !j.Status.Succeeded() {
		j.Failure = redact.Line(redact.URLs(firstText(top["error"], object(top["error"])["message"], top["error_message"], top["message"])), 1024)
	}
	return nil
}

type jsonJob struct {
	ID         string     `json:"id"`
	Status     Status     `json:"status,omitempty"`
	Progress   int        `json:"progress"`
	DocumentID string     `json:"document_id,omitempty"`
	Language   string     `json:"language,omitempty"`
	Duration   float64    `json:"duration_seconds,omitempty"`
	CreatedAt  *time.Time `json:"created_at,omitempty"`
	Failure    string     `json:"error,omitempty"`
}

// MarshalJSON writes the job as the service documents it.
func (j Job) MarshalJSON() ([]byte, error) {
	out := jsonJob{ID: j.ID, Status: j.Status, Progress: j.Progress, DocumentID: j.DocumentID, Language: j.Language, Duration: j.Duration.Seconds(), Failure: j.Failure}
	if !j.CreatedAt.IsZero() {
		out.CreatedAt = &j.CreatedAt
	}
	return json.Marshal(out)
}

// uploadMetadata is the Upload-Metadata of a resumable upload: the fields of
// the form, which may replace the document type, and what the form would say
// of the file.
func uploadMetadata(fields url.Values, filename, filetype string) (string, error) {
	if filename == "" {
		filename = "audio"
	}
	values := map[string]string{"filename": filename, "filetype": filetype, "document_type": "document"}
	for name, list := range fields {
		plain := !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
		if len(list) != 1 || !plain {
			return "", invalid("stt.submit", name, "must have one value and a plain name in a resumable upload")
		}
		values[name] = list[0]
	}
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		if v := values[name]; v != "" {
			b.WriteString(" " + base64.StdEncoding.EncodeToString([]byte(v)))
		}
	}
	return b.String(), nil
}

// fileJobID reads which job an upload became. The file's own id is no job's.
func fileJobID(data []byte, fileID string) (string, error) {
	top, err := unwrap(data, "session_id", "job_id")
	if err != nil {
		return "", err
	}
	id := firstScalar(top["session_id"], top["job_id"])
	if own := firstScalar(top["id"]); id == "" && own != fileID {
		id = own
	}
	if id == "" {
		return "", errors.New("it names no job yet")
	}
	return id, nil
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

// UnmarshalJSON reads a transcript as the service sends it.
func (t *Transcript) UnmarshalJSON(data []byte) error {
	top, err := unwrap(data, "id", "segments", "transcript", "status")
	if err != nil {
		return err
	}
	*t = Transcript{
		JobID:      firstScalar(top["id"], top["job_id"], top["session_id"]),
		DocumentID: scalar(top["document_id"]),
		Language:   firstText(top["language"]),
		Text:       firstText(top["transcript"], top["text"]),
		Duration:   seconds(top["duration_seconds"]),
		Raw:        append(json.RawMessage(nil), data...),
	}
	if raw := top["segments"]; present(raw) {
		if err := json.Unmarshal(raw, &t.Segments); err != nil {
			return err
		}
	}
	var speakers []map[string]json.RawMessage
	if json.Unmarshal(top["speakers"], &speakers) == nil {
		for _, s := range speakers {
			n, _ := strconv.Atoi(scalar(s["segments_count"]))
			t.Speakers = append(t.Speakers, Speaker{ID: scalar(s["id"]), Segments: n})
		}
	}
	return nil
}

// MarshalJSON writes the segment as the service documents it, times in seconds.
func (s Segment) MarshalJSON() ([]byte, error) {
	out := jsonSegment{Start: s.Start.Seconds(), End: s.End.Seconds(), Text: s.Text, Speaker: s.Speaker, Confidence: s.Confidence}
	for _, w := range s.Words {
		out.Words = append(out.Words, jsonWord{w.Text, w.Start.Seconds(), w.End.Seconds(), w.Speaker, w.Confidence})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a segment as the service sends it.
func (s *Segment) UnmarshalJSON(data []byte) error {
	var wire struct {
		Start, End, Speaker, Confidence json.RawMessage
		Text                            string
		Words                           []struct {
			Word, Text                      string
			Start, End, Speaker, Confidence json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*s = Segment{Start: seconds(wire.Start), End: seconds(wire.End), Text: wire.Text, Speaker: scalar(wire.Speaker), Confidence: number(wire.Confidence)}
	for _, w := range wire.Words {
		text := w.Word
		if text == "" {
			text = w.Text
		}
		s.Words = append(s.Words, Word{Start: seconds(w.Start), End: seconds(w.End), Text: text, Speaker: scalar(w.Speaker), Confidence: number(w.Confidence)})
	}
	return nil
}

// resultHead returns the status a result carries, "" when it has none, and
// whether it holds a transcript, which is empty where nobody speaks.
func resultHead(raw json.RawMessage) (status Status, transcript bool) {
	top, err := unwrap(raw, "id", "segments", "transcript", "status")
	if err != nil {
		return "", false
	}
	return Status(firstText(top["status"])), present(top["segments"]) || present(top["transcript"]) || present(top["text"])
}

// unwrap returns the object in data, or the one in its envelope: an object
// that has a result and none of the keys that make it the object itself.
func unwrap(data []byte, keys ...string) (map[string]json.RawMessage, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, err
	}
	if top == nil {
		return nil, errNotObject
	}
	for _, key := range keys {
		if present(top[key]) {
			return top, nil
		}
	}
	if inner := object(top["result"]); inner != nil {
		return inner, nil
	}
	return top, nil
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// number reads a JSON number, or a string that holds one; anything else is 0.
func number(raw json.RawMessage) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(scalar(raw)), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// seconds reads a number of seconds. It keeps the sign, for a reversed or
// negative time is the service's to explain, and saturates.
func seconds(raw json.RawMessage) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	f := number(raw)
	if math.Abs(f) >= most {
		f = math.Copysign(most, f)
	}
	return time.Duration(math.Round(f * float64(time.Second)))
}

func percent(raw json.RawMessage) int { return int(min(max(number(raw), 0), 100)) }

func timestamp(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339, firstText(raw))
	if err != nil {
		return time.Time{}
	}
	return t
}
