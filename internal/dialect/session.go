// Package dialect reads and writes the JSON of the session API, which is the
// second API that the service documents.
//
// It knows no HTTP and sends nothing: the root package holds a table for each
// dialect, and what stands in the table of the session dialect is here. What is
// read here is read tolerantly, because the published pages contradict each
// other. An optional part that cannot be read is left out, and never costs what
// can be read. Times are the exception: a wrong time is worse than none, so an
// answer whose times contradict its duration is refused.
package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Session is what an answer says of a session.
type Session struct {
	ID         string // of the session, which is the job's; not its internal number
	Status     string
	DocumentID string
	Language   string
	Duration   time.Duration // of the audio; 0 until it was processed
	CreatedAt  time.Time
	Failure    string // what stands in error, whatever the status
}

var errNumericStatus = errors.New("its status is no text")

// ReadSession reads the answer of the status call, or the head of a result.
func ReadSession(data []byte) (Session, error) {
	top, err := lenient.Unwrap(data, "session_id", "status")
	if err != nil {
		return Session{}, err
	}
	return session(top)
}

func session(top map[string]json.RawMessage) (Session, error) {
	s := Session{
		ID:         lenient.ID(top["session_id"]),
		Status:     strings.TrimSpace(lenient.Text(top["status"])),
		DocumentID: lenient.ID(lenient.Object(top["document"])["id"]),
		Language:   lenient.Text(top["language"]),
		Duration:   max(lenient.Seconds(top["duration"]), 0),
		CreatedAt:  lenient.Timestamp(top["created_at"]),
		Failure:    lenient.Text(top["error"], lenient.Object(top["error"])["message"], top["error_message"], top["message"]),
	}
	if s.Status == "" && lenient.Present(top["status"]) {
		return s, errNumericStatus
	}
	return s, nil
}

// FileSession reads which session an upload became. The upload's own id is
// none, so an answer without a session_id says that there is none yet.
func FileSession(data []byte) (string, error) {
	top, err := lenient.Unwrap(data, "session_id")
	if err != nil {
		return "", err
	}
	id := lenient.ID(top["session_id"])
	if id == "" {
		return "", errors.New("it names no session yet")
	}
	return id, nil
}

// DocumentID reads the id of a document that was just made.
func DocumentID(data []byte) (string, error) {
	top, err := lenient.Unwrap(data, "id", "document_id")
	if err != nil {
		return "", err
	}
	id := lenient.ID(top["id"], top["document_id"], lenient.Object(top["document"])["id"])
	if id == "" {
		return "", errors.New("it names no document")
	}
	return id, nil
}

// Link reads an export's answer that is a link to the file and not the file: a
// JSON object with download_url or url, also below result.
func Link(data []byte) (link string, ok bool) {
	top := lenient.Object(data)
	for _, object := range []map[string]json.RawMessage{top, lenient.Object(top["result"])} {
		if link := lenient.Text(object["download_url"], object["url"]); link != "" {
			return link, true
		}
	}
	return "", false
}

// Model is one of the account's own models.
type Model struct {
	ID, Key, Name, Language string
	Status                  int
}

// ReadModels reads a page of models, and how many there are in all; -1 when the
// answer does not say, or names fewer than it holds.
func ReadModels(data []byte) (models []Model, total int, err error) {
	items, total, err := readList(data, "models", "custom_models")
	for _, item := range items {
		models = append(models, Model{
			ID:       lenient.ID(item["id"]),
			Key:      lenient.FirstScalar(item["model_key"], item["key"]),
			Name:     lenient.Text(item["name"]),
			Language: lenient.FirstScalar(item["language"], lenient.Object(item["language"])["code"]),
			Status:   int(lenient.Number(first(item["training_status"], lenient.Object(item["training_log"])["training_status"]))),
		})
	}
	return models, total, err
}

// Glossary is one of the account's glossaries.
type Glossary struct{ ID, Name string }

// ReadGlossaries reads a page of glossaries, and how many there are in all, as
// [ReadModels] does.
func ReadGlossaries(data []byte) (glossaries []Glossary, total int, err error) {
	items, total, err := readList(data, "glossaries")
	for _, item := range items {
		glossaries = append(glossaries, Glossary{ID: lenient.ID(item["id"]), Name: lenient.Text(item["name"])})
	}
	return glossaries, total, err
}

// readList reads a list of objects: bare, in an envelope, or under one of the names.
func readList(data []byte, names ...string) (items []map[string]json.RawMessage, total int, err error) {
	total = -1
	raw := json.RawMessage(data)
	if top := lenient.Object(data); top != nil {
		if lenient.Present(top["total_results"]) {
			total = int(lenient.Number(top["total_results"]))
		}
		raw = top["result"]
		for _, name := range names {
			raw = first(raw, top[name])
		}
		for _, name := range names {
			raw = first(lenient.Object(raw)[name], raw)
		}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, total, errors.New("it holds no list")
	}
	for i, element := range list {
		item := lenient.Object(element)
		if item == nil {
			return nil, total, fmt.Errorf("entry %d of its list is no object", i)
		}
		items = append(items, item)
	}
	if total < len(items) {
		total = -1
	}
	return items, total, nil
}

// first is the first of the values that is there and not null.
func first(values ...json.RawMessage) json.RawMessage {
	for _, raw := range values {
		if lenient.Present(raw) {
			return raw
		}
	}
	return nil
}
