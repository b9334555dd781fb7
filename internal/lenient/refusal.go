package lenient

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Refusal is what an error's body says, as it came.
type Refusal struct {
	Code       string
	Message    string            // "" when there are no words
	Fields     map[string]string // the field at fault, and what is wrong with it
	RetryAfter time.Duration
	Explains   bool // it holds error or message, as the service's own refusals do
}

// maxFields bounds how many fields of a refusal are kept.
const maxFields = 32

// Refuse reads an error's body in any of the shapes that the service, its
// frameworks and the proxies before it are known to send. What is no JSON object
// says nothing.
func Refuse(body []byte) Refusal {
	top := Object(body)
	if inner := Object(top["result"]); inner != nil && !Present(top["error"]) && !Present(top["message"]) {
		top = inner
	}
	nested := Object(top["error"])
	spoken := Object(top["message"])
	r := Refusal{
		Code:     strings.TrimSpace(FirstScalar(top["error_code"], nested["code"], spoken["code"], top["code"])),
		Explains: Present(top["error"]) || Present(top["message"]),
	}
	r.RetryAfter, _ = RetryAfter(ID(top["retry_after"]), time.Time{})
	blamed := Object(top["err"])
	r.Message = Text(top["message"], nested["message"], top["error_description"], top["detail"], top["error"],
		spoken["message"], spoken["text"], spoken["detail"], nested["detail"], top["error_message"], top["err"], blamed["message"], top["title"], top["reason"])
	var said issues
	for _, raw := range []json.RawMessage{top["details"], nested["details"], top["detail"], top["errors"], nested["errors"], spoken["details"], blamed["details"]} {
		said.read(raw)
	}
	for _, raw := range []json.RawMessage{top["error"], top["err"], top["message"]} {
		if isArray(raw) {
			said.read(raw)
		}
	}
	if r.Message == "" && len(said.words) == 0 && spoken != nil {
		said.read(top["message"]) // an object of fields
	}
	r.Fields = said.fields
	switch {
	case r.Message == "":
		r.Message = strings.Join(append(said.texts, said.words...), "; ")
	case len(said.texts) > 0 && !strings.Contains(r.Message, said.texts[0]):
		r.Message += ": " + strings.Join(said.texts, "; ")
	}
	return r
}

// issues collects what is wrong with which field, and what is wrong at all.
type issues struct {
	fields map[string]string
	words  []string // those of the fields, in order
	texts  []string // those about no field
}

// read reads a text, a list of issues, one issue, or an object of fields.
func (s *issues) read(raw json.RawMessage) {
	raw = trim(raw)
	switch {
	case len(raw) == 0:
	case raw[0] == '{':
		if !s.issue(raw, true) {
			s.members(raw)
		}
	case raw[0] == '[':
		Elements(raw, s.element)
	default:
		s.add("", texts(raw))
	}
}

func (s *issues) members(raw json.RawMessage) {
	Members(raw, func(name string, value json.RawMessage) { s.add(name, texts(value)) })
}

// element is one of a list: a text, or an object that names its field.
func (s *issues) element(raw json.RawMessage) {
	switch {
	case !isObject(raw):
		s.add("", texts(raw))
	case !s.issue(raw, false):
		s.members(raw)
	}
}

// issue reads an object that is one issue: {"field": f, "issue": i} or
// {"loc": ["body", f], "msg": i}. Where a field must be named, an object without
// one may be fields itself.
func (s *issues) issue(raw json.RawMessage, mustName bool) bool {
	members := Object(raw)
	text := Text(members["issue"], members["msg"], members["message"], members["error"], members["detail"], members["reason"], members["description"], members["title"])
	source := Object(members["source"])
	field := FirstScalar(members["field"], members["param"], members["parameter"], members["name"], members["path"], members["property"], source["pointer"], source["parameter"])
	if field == "" {
		field = location(members["loc"])
	}
	if text == "" || mustName && field == "" {
		return false
	}
	s.add(field, []string{text})
	return true
}

// location is the path to a field, without the part of the request it is in.
func location(raw json.RawMessage) string {
	if s := Scalar(raw); s != "" {
		return s
	}
	var path []string
	Elements(raw, func(value json.RawMessage) { path = append(path, Scalar(value)) })
	if len(path) > 1 {
		switch path[0] {
		case "body", "query", "path", "header", "form":
			path = path[1:]
		}
	}
	return strings.Join(path, ".")
}

// texts are the words of a value: a text, a list of them, or an object that has
// some.
func texts(raw json.RawMessage) (all []string) {
	raw = trim(raw)
	switch {
	case len(raw) == 0:
	case raw[0] == '[':
		Elements(raw, func(value json.RawMessage) { all = append(all, texts(value)...) })
	case raw[0] == '{':
		members := Object(raw)
		if s := Text(members["message"], members["msg"], members["issue"], members["detail"], members["error"], members["reason"]); s != "" {
			return []string{s}
		}
	default:
		if s := Scalar(raw); strings.TrimSpace(s) != "" {
			return []string{s}
		}
	}
	return all
}

func (s *issues) add(field string, words []string) {
	text := strings.Join(words, ", ")
	if strings.TrimSpace(text) == "" {
		return
	}
	if field == "" {
		s.texts = append(s.texts, text)
		return
	}
	if _, known := s.fields[field]; !known && len(s.fields) == maxFields {
		return
	}
	if !slices.Contains(s.words, text) {
		s.words = append(s.words, text)
	}
	if s.fields == nil {
		s.fields = make(map[string]string)
	}
	if before := s.fields[field]; before != "" && before != text {
		text = before + ", " + text
	}
	s.fields[field] = text
}
