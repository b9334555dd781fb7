package scriptixtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// wishes are what a submit of the session dialect says of its callback.
type wishes struct {
	URL     string   `json:"webhook_url"`
	Method  string   `json:"webhook_method"`
	Headers []string `json:"webhook_headers"`
}

// submitURL answers POST /api/v3/speech-to-text/session. Nothing is downloaded: how long the media is, the script says.
func (s *Server) submitURL(r *http.Request, key string) answer {
	if t := r.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/json") {
		return refuse(http.StatusUnsupportedMediaType, problem{Message: "Content-Type must be application/json."})
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, formSlop+1))
	if err != nil {
		return unreadable()
	}
	var fields map[string]json.RawMessage
	var call wishes
	if json.Unmarshal(data, &fields) != nil || fields == nil || len(data) > formSlop {
		return refuse(http.StatusBadRequest, problem{Error: "Bad Request", Message: "The body is no JSON object."})
	}
	if err := json.Unmarshal(data, &call); err != nil {
		return invalid("webhook_headers", "must be a list of texts, and the other webhook fields texts")
	}
	u := Upload{Fields: make(url.Values)}
	if a := readSessionFields(fields, &u); a != nil {
		return *a
	}
	if u.MediaURL == "" && s.cfg.variant&Legacy == 0 {
		return invalid("media_source", "is required")
	}
	if a := s.checkSession(u.Fields, call); a != nil {
		return *a
	}
	u.JobID = s.newSessionID()
	j := s.create(u, "", sessionOf(key, call, s.cfg.variant))
	if j.outcome.Callback.Before {
		s.attempt(j, 0)
	}
	body := envelope{Count: 1, Total: 1, Result: map[string]string{"session_id": u.JobID, "status": "new"}}
	return answer{status: http.StatusCreated, body: compact(body)}
}

// readSessionFields takes the fields of a JSON submit over, each of which must be of its type.
func readSessionFields(fields map[string]json.RawMessage, u *Upload) *answer {
	for name, raw := range fields {
		var flag bool
		var text string
		wantsFlag := slices.Contains([]string{"diarization", "punctuation", "multichannel", "keep_source"}, name)
		switch {
		case name == "webhook_headers" || name == "meta_data" || name == "document":
		case wantsFlag && json.Unmarshal(raw, &flag) != nil:
			a := invalid(name, "must be a boolean")
			return &a
		case wantsFlag:
			u.Fields.Set(name, strconv.FormatBool(flag))
		case json.Unmarshal(raw, &text) == nil:
			u.Fields.Set(name, text)
		case json.Unmarshal(raw, &flag) == nil:
			u.Fields.Set(name, strconv.FormatBool(flag))
		default:
			a := invalid(name, "must be a text")
			return &a
		}
	}
	var document struct {
		Type string `json:"document_type"`
		Name string `json:"filename"`
	}
	if raw, ok := fields["document"]; ok && json.Unmarshal(raw, &document) != nil {
		a := invalid("document", "must be an object")
		return &a
	}
	if document.Type != "" {
		u.Fields.Set("document_type", document.Type)
	}
	if u.MediaURL = u.Fields.Get("media_source"); u.MediaURL != "" {
		media, err := url.Parse(u.MediaURL)
		if err != nil || media.Scheme != "https" && media.Scheme != "http" || media.Host == "" {
			a := invalid("media_source", "must be an http or https URL")
			return &a
		}
		u.FileName = path.Base(media.Path)
	}
	if document.Name != "" {
		u.FileName = document.Name
	}
	u.Fields.Del("media_source")
	return nil
}

// checkSession refuses what the session dialect has no field for, and what its fields cannot be.
func (s *Server) checkSession(f url.Values, call wishes) *answer {
	issue := func(field, text string) *answer {
		a := invalid(field, text)
		return &a
	}
	for _, name := range []string{"model", "glossary_id", "timestamps", "audio_file"} {
		if f.Has(name) {
			return issue(name, "is no field of a session")
		}
	}
	for _, name := range []string{"diarization", "punctuation", "multichannel", "keep_source"} {
		if f.Has(name) && f.Get(name) != "true" && f.Get(name) != "false" {
			return issue(name, "must be true or false")
		}
	}
	if t := f.Get("document_type"); t != "" && t != "document" && t != "caption" {
		return issue("document_type", "must be document or caption")
	}
	if m := call.Method; m != "" && m != http.MethodPost && m != http.MethodPut {
		return issue("webhook_method", "must be POST or PUT")
	}
	for _, header := range call.Headers {
		if name, value, ok := strings.Cut(header, ": "); !ok || name == "" || value == "" || strings.ContainsAny(header, "\r\n") {
			return issue("webhook_headers", `must be texts of the form "Name: value"`)
		}
	}
	return s.checkFields(f)
}

// sessionUpload reads what the metadata of a resumable upload says of its session's callback.
func sessionUpload(metadata map[string]string, u *Upload) (call wishes, refused *answer) {
	if raw := metadata["document"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &call); err != nil {
			a := invalid("document", "must be a JSON object")
			return call, &a
		}
	}
	if plain := metadata["webhook_url"]; plain != "" && call.URL != "" && plain != call.URL {
		a := invalid("webhook_url", "contradicts that of document")
		return call, &a
	}
	if call.URL == "" {
		call.URL = metadata["webhook_url"]
	}
	u.Fields.Del("document")
	return call, nil
}

// ownership is what a record knows of whose it is and how its callback goes out.
type ownership struct {
	session bool
	legacy  bool
	key     string
	call    wishes
}

func sessionOf(key string, call wishes, v Variant) ownership {
	return ownership{session: true, legacy: v == Legacy, key: key, call: call}
}

func (s *Server) newSessionID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("%s%026x", s.runID, s.ids)
}
