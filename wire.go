package scriptix

import (
	"encoding/json"
	"errors"
	"net/http"
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
		ID:         lenient.ID(top["id"], top["job_id"], top["session_id"]),
		Status:     Status(strings.TrimSpace(lenient.Text(top["status"]))),
		Progress:   lenient.Percent(top["progress"]),
		DocumentID: lenient.ID(top["document_id"]),
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

// fileJobID reads which job an upload became. The file's own id is no job's.
func fileJobID(data []byte, fileID string) (string, error) {
	top, err := lenient.Unwrap(data, "session_id", "job_id")
	if err != nil {
		return "", err
	}
	id := lenient.ID(top["session_id"], top["job_id"])
	if own := lenient.ID(top["id"]); id == "" && own != fileID {
		id = own
	}
	if id == "" {
		return "", errors.New("it names no job yet")
	}
	return id, nil
}

func readJob(data []byte) (*Job, error) {
	job := new(Job)
	return job, json.Unmarshal(data, job)
}

// readTranscript reads an answer to the question of the result.
func readTranscript(data []byte, _ time.Duration) (outcome, error) {
	t := new(Transcript)
	head, err := t.read(data)
	out := outcome{transcript: t, held: head.text}
	out.job.Status = head.status
	if s := head.status; err == nil && s.Terminal() && !s.Succeeded() {
		err = json.Unmarshal(data, &out.job)
	}
	return out, err
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
	refusal := lenient.Refuse(body)
	if e.Message = show(refusal.Message, 1024); e.Message == "" {
		e.Message = http.StatusText(status)
	}
	e.Code = show(refusal.Code, 128)
	for name, issue := range refusal.Fields {
		if e.Fields == nil {
			e.Fields = make(map[string]string, len(refusal.Fields))
		}
		e.Fields[show(name, 128)] = show(issue, 1024)
	}
	if e.RetryAfter == 0 {
		e.RetryAfter = refusal.RetryAfter
	}
	return e
}
