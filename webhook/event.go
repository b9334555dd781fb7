package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// EventType is the word that the service sends; unknown ones pass through.
type EventType string

// The events that the service documents.
const (
	TranscriptionCompleted EventType = "transcription.completed"
	TranscriptionFailed    EventType = "transcription.failed"
)

// Event is one callback. It shares no memory with anything else, so it may be kept.
type Event struct {
	Type      EventType
	Timestamp time.Time // when it happened, in UTC; the same on each retry; zero if missing or not RFC 3339
	Data      Data
	Raw       []byte // the body as it was received, which is what the signature covers
	Target    string // path and query that it was posted to, as the client sent them; not signed; set by [Handler]
}

// Data is what an event says about its job. What was missing, null or unreadable is the zero value.
type Data struct {
	ID         string // the job
	Status     string // the service's word
	DocumentID string // a number or a string on the wire
	Duration   time.Duration
	Language   string
	Error      string // why the job failed, if the service says so
}

// Parse reads the body of a callback. It does not check the signature: do that first.
//
// It is tolerant, because the service's documents are at odds with one another: ids may be numbers, as 456.0, or strings,
// seconds may be a string, the object may stand in a {"result": ...} envelope, unknown fields are ignored, an
// unreadable field is its zero value, and an unknown event is fine with or without data. The error is [ErrPayload] if
// the body is no JSON object, if it has no event, or if an event "transcription.*" has no data.id.
func Parse(payload []byte) (Event, error) {
	body := lenient.Object(payload)
	if body == nil {
		return Event{}, fmt.Errorf("%w: not a JSON object", ErrPayload)
	}
	body = unwrap(body, "event")
	e := Event{
		Type:      EventType(lenient.Scalar(body["event"])),
		Timestamp: lenient.Timestamp(body["timestamp"]).UTC(),
		Raw:       bytes.Clone(payload),
	}
	if strings.TrimSpace(string(e.Type)) == "" {
		return Event{}, fmt.Errorf("%w: no event", ErrPayload)
	}
	data := unwrap(lenient.Object(body["data"]), "id")
	e.Data = Data{
		ID:         lenient.ID(data["id"]),
		Status:     lenient.Scalar(data["status"]),
		DocumentID: lenient.ID(data["document_id"]),
		Duration:   seconds(data["duration_seconds"]),
		Language:   lenient.Scalar(data["language"]),
	}
	if strings.HasPrefix(string(e.Type), "transcription.") && e.Data.ID == "" {
		return Event{}, fmt.Errorf("%w: no data.id", ErrPayload)
	}
	// A message beside a success is no error.
	if e.Type == TranscriptionFailed || e.Data.Status == "failed" || e.Data.Status == "error" {
		e.Data.Error = failure(data)
	}
	return e, nil
}

type fields = map[string]json.RawMessage

// unwrap looks into the service's envelope, unless the field that is wanted stands outside it.
func unwrap(o fields, want string) fields {
	if inner := lenient.Object(o["result"]); inner != nil && lenient.Scalar(o[want]) == "" {
		return inner
	}
	return o
}

// seconds is zero for what is no duration: not a number, negative, or more than time.Duration holds (292 years).
func seconds(raw json.RawMessage) time.Duration {
	s, err := strconv.ParseFloat(strings.TrimSpace(lenient.Scalar(raw)), 64)
	ns := math.Round(s * float64(time.Second))
	if err != nil || !(ns > 0 && ns < math.MaxInt64) {
		return 0
	}
	return time.Duration(ns)
}

// failure is the reason that a failed job's data gives: error as a string or as an object, or a message. The object
// is searched for a text before its code is taken.
func failure(data fields) string {
	reason := lenient.Object(data["error"])
	return lenient.FirstScalar(
		data["error"], reason["message"], reason["error_message"], reason["issue"], reason["detail"], reason["error"], reason["code"],
		data["error_message"], data["message"],
	)
}
