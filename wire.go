package scriptix

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
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

// UnmarshalJSON reads a job as the service sends it.
func (j *Job) UnmarshalJSON(data []byte) error {
	top, err := lenient.Unwrap(data, "id", "status")
	if err != nil {
		return err
	}
	*j = Job{
		ID:         lenient.FirstScalar(top["id"], top["job_id"], top["session_id"]),
		Status:     Status(lenient.Text(top["status"])),
		Progress:   lenient.Percent(top["progress"]),
		DocumentID: lenient.Scalar(top["document_id"]),
		Language:   lenient.Text(top["language"]),
		Duration:   lenient.Seconds(top["duration_seconds"]),
		CreatedAt:  lenient.Timestamp(top["created_at"]),
		Raw:        append(json.RawMessage(nil), data...),
	}
	if j.Status.Terminal() && !j.Status.Succeeded() {
		j.Failure = redact.Line(redact.URLs(lenient.Text(top["error"], lenient.Object(top["error"])["message"], top["error_message"], top["message"])), 1024)
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
	top, err := lenient.Unwrap(data, "session_id", "job_id")
	if err != nil {
		return "", err
	}
	id := lenient.FirstScalar(top["session_id"], top["job_id"])
	if own := lenient.FirstScalar(top["id"]); id == "" && own != fileID {
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
	top, err := lenient.Unwrap(data, "id", "segments", "transcript", "status")
	if err != nil {
		return err
	}
	*t = Transcript{
		JobID:      lenient.FirstScalar(top["id"], top["job_id"], top["session_id"]),
		DocumentID: lenient.Scalar(top["document_id"]),
		Language:   lenient.Text(top["language"]),
		Text:       lenient.Text(top["transcript"], top["text"]),
		Duration:   lenient.Seconds(top["duration_seconds"]),
		Raw:        append(json.RawMessage(nil), data...),
	}
	if raw := top["segments"]; lenient.Present(raw) {
		if err := json.Unmarshal(raw, &t.Segments); err != nil {
			return err
		}
	}
	var speakers []map[string]json.RawMessage
	if json.Unmarshal(top["speakers"], &speakers) == nil {
		for _, s := range speakers {
			n, _ := strconv.Atoi(lenient.Scalar(s["segments_count"]))
			t.Speakers = append(t.Speakers, Speaker{ID: lenient.Scalar(s["id"]), Segments: n})
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
	*s = Segment{Start: lenient.Seconds(wire.Start), End: lenient.Seconds(wire.End), Text: wire.Text, Speaker: lenient.Scalar(wire.Speaker), Confidence: lenient.Number(wire.Confidence)}
	for _, w := range wire.Words {
		text := w.Word
		if text == "" {
			text = w.Text
		}
		s.Words = append(s.Words, Word{Start: lenient.Seconds(w.Start), End: lenient.Seconds(w.End), Text: text, Speaker: lenient.Scalar(w.Speaker), Confidence: lenient.Number(w.Confidence)})
	}
	return nil
}

func readJob(data []byte) (*Job, error) {
	job := new(Job)
	return job, json.Unmarshal(data, job)
}

// readTranscript reads an answer to the question of the result.
func readTranscript(data []byte, _ time.Duration) (outcome, error) {
	t := new(Transcript)
	err := json.Unmarshal(data, t)
	out := outcome{transcript: t}
	out.job.Status, out.held = resultHead(data)
	if s := out.job.Status; err == nil && s.Terminal() && !s.Succeeded() {
		_ = json.Unmarshal(data, &out.job) // an object, as was seen above
	}
	return out, err
}

// resultHead returns the status a result carries, "" when it has none, and
// whether it holds a transcript, which is empty where nobody speaks.
func resultHead(raw json.RawMessage) (status Status, transcript bool) {
	top, err := lenient.Unwrap(raw, "id", "segments", "transcript", "status")
	if err != nil {
		return "", false
	}
	return Status(lenient.Text(top["status"])), lenient.Present(top["segments"]) || lenient.Present(top["transcript"]) || lenient.Present(top["text"])
}

// decodeError makes an [*Error] of an answer. The body may be any of the shapes
// the service and the proxies before it are known to send; what is not JSON
// adds nothing, because a redirect's HTML holds the target's URL.
func decodeError(status int, header http.Header, body []byte, r redact.Redactor) *Error {
	// The key first: cut by the limit it would not be found any more.
	show := func(s string, limit int) string { return redact.Line(r(s), limit) }
	e := &Error{StatusCode: status, RequestID: show(header.Get("X-Request-Id"), 128)}
	if after, ok := lenient.RetryAfter(header.Get("Retry-After"), lenient.AnswerTime(header)); ok {
		e.RetryAfter = after
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil {
		e.Message = http.StatusText(status)
		return e
	}
	nested := lenient.Object(top["error"])
	e.Message = lenient.Text(top["message"], nested["message"], top["error_description"], top["detail"], top["error"])
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	e.Message = show(e.Message, 1024)
	e.Code = show(lenient.FirstScalar(top["error_code"], nested["code"]), 128)
	if e.Fields = decodeFields(top["details"], show); e.Fields == nil {
		e.Fields = decodeFields(nested["details"], show)
	}
	if e.RetryAfter == 0 {
		e.RetryAfter = retryAfterIn(body)
	}
	return e
}

// retryAfterIn is the patience that a refusal's body asks for; 0 when it does not.
func retryAfterIn(body []byte) time.Duration {
	after, _ := lenient.RetryAfter(lenient.Scalar(lenient.Object(body)["retry_after"]), time.Time{})
	return after
}

// decodeFields reads details of the form {"field": f, "issue": i} or {f: i, ...}.
func decodeFields(raw json.RawMessage, show func(s string, limit int) string) map[string]string {
	details := lenient.Object(raw)
	if field, issue := lenient.Scalar(details["field"]), lenient.Scalar(details["issue"]); field != "" && issue != "" {
		return map[string]string{show(field, 128): show(issue, 1024)}
	}
	var fields map[string]string
	for name, value := range details {
		text := lenient.Scalar(value)
		if text == "" {
			var list []string
			if json.Unmarshal(value, &list) == nil {
				text = strings.Join(list, ", ")
			}
		}
		if text == "" || len(fields) == maxFields {
			continue
		}
		if fields == nil {
			fields = make(map[string]string)
		}
		fields[show(name, 128)] = show(text, 1024)
	}
	return fields
}

const maxFields = 32

// refuses reports whether a 503's body is the service's own refusal, and not a
// gateway's page: a JSON object that holds error or message.
func refuses(body []byte) bool {
	top := lenient.Object(body)
	return lenient.Present(top["error"]) || lenient.Present(top["message"])
}
