package scriptixtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

const (
	maxField = 64 << 10 // bytes of a form field
	maxParts = 100
	formSlop = 1 << 20 // what a form may hold beside the file
)

// submit answers POST /api/v3/stt. The file streams by: it is hashed and measured, never kept.
func (s *Server) submit(r *http.Request, key string) answer {
	if r.ContentLength > s.cfg.maxStandard+formSlop {
		return tooLarge(s.cfg.maxStandard) // without reading gigabytes first
	}
	u := Upload{Fields: make(url.Values)}
	audio, refused := s.readForm(r, &u)
	if refused != nil {
		return *refused
	}
	if a := s.checkFields(u.Fields); a != nil {
		return *a
	}
	switch {
	case u.Fields.Has("audio_file"):
		return invalid("audio_file", "must be a file, not text")
	case audio == nil:
		return invalid("audio_file", "is required")
	case audio.size == 0:
		return invalid("audio_file", "is empty")
	}
	audio.describe(&u)
	u.JobID = s.newID("stt_")
	j := s.create(u, "", ownership{key: key})
	if j.outcome.Callback.Before {
		s.attempt(j, 0)
	}
	return s.ok(http.StatusCreated, created{
		ID: u.JobID, Status: stateUploaded, Language: u.Fields.Get("language"), Duration: inSeconds(j.duration()), CreatedAt: timestamp(j.job.CreatedAt),
	})
}

// readForm reads the whole form: its fields go to u, its file, nil if there is none, is taken in.
func (s *Server) readForm(r *http.Request, u *Upload) (audio *intake, refused *answer) {
	refuseWith := func(a answer) (*intake, *answer) { return nil, &a }
	form, err := r.MultipartReader()
	if err != nil {
		return refuseWith(refuse(http.StatusBadRequest, problem{Error: "Bad Request", Message: "The body is no multipart/form-data with a boundary."}))
	}
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return refuseWith(unreadable())
		}
		if n == maxParts {
			return refuseWith(refuse(http.StatusBadRequest, problem{Error: "Bad Request", Message: "The form has too many parts."}))
		}
		if a := s.readPart(part, u, &audio); a != nil {
			return nil, a
		}
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil { // what follows the form's end
		return refuseWith(unreadable())
	}
	return audio, nil
}

// readPart reads one part of the form into u or, if it is the file, into audio.
func (s *Server) readPart(part *multipart.Part, u *Upload, audio **intake) (refused *answer) {
	refuseWith := func(a answer) *answer { return &a }
	name := part.FormName()
	switch {
	case part.FileName() == "":
		value, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil {
			return refuseWith(unreadable())
		}
		if len(value) > maxField {
			return refuseWith(invalid(name, "is too long"))
		}
		u.Fields.Add(name, string(value))
		return nil
	case name != "audio_file":
		return refuseWith(invalid(name, "is not a file field: send the file as audio_file"))
	case *audio != nil:
		return refuseWith(invalid("audio_file", "was sent twice"))
	}
	*audio = newIntake()
	u.FileName, u.ContentType = part.FileName(), part.Header.Get("Content-Type")
	if _, err := io.Copy(*audio, io.LimitReader(part, s.cfg.maxStandard+1)); err != nil {
		return refuseWith(unreadable())
	}
	if (*audio).size > s.cfg.maxStandard {
		return refuseWith(tooLarge(s.cfg.maxStandard))
	}
	return nil
}

// created is the answer to a submit.
type created struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	Language  string  `json:"language"`
	Duration  float64 `json:"duration_seconds,omitzero"`
	CreatedAt string  `json:"created_at"`
}

var languageTag = pattern(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// checkFields refuses what the service would refuse. Unknown fields pass: the API may have got new ones.
func (s *Server) checkFields(f url.Values) *answer {
	issue := func(field, text string) *answer {
		a := invalid(field, text)
		return &a
	}
	for _, name := range []string{"language", "diarization", "timestamps", "model", "glossary_id", "webhook_url"} {
		if len(f[name]) > 1 {
			return issue(name, "was sent twice")
		}
	}
	language := f.Get("language")
	switch {
	case language == "":
		return issue("language", "is required")
	case language == "xx" || !languageTag().MatchString(language):
		return issue("language", fmt.Sprintf("Language '%s' is not supported", language))
	case f.Has("diarization") && !slices.Contains([]string{"true", "false"}, f.Get("diarization")):
		return issue("diarization", "must be true or false")
	case f.Has("timestamps") && !slices.Contains([]string{"word", "segment"}, f.Get("timestamps")):
		return issue("timestamps", "must be word or segment")
	case f.Has("model") && f.Get("model") == "":
		return issue("model", "is empty")
	}
	if f.Has("glossary_id") {
		if _, err := strconv.ParseInt(f.Get("glossary_id"), 10, 64); err != nil {
			return issue("glossary_id", "must be an integer")
		}
	}
	if f.Has("webhook_url") {
		if err := s.checkCallbackURL(f.Get("webhook_url")); err != nil {
			return issue("webhook_url", err.Error())
		}
	}
	return nil
}

// checkCallbackURL demands HTTPS, but for loopback and for what Handle registered.
func (s *Server) checkCallbackURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("must be an absolute URL")
	case u.User != nil:
		return errors.New("must not hold a user or password")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) || s.handler(raw) != nil:
		return nil
	}
	return errors.New("must be an HTTPS URL")
}

// intake takes a file in: it hashes, counts and measures.
type intake struct {
	hash hash.Hash
	size int64
	wav  wavMeter
}

func newIntake() *intake { return &intake{hash: sha256.New()} }

// Write never fails.
func (i *intake) Write(p []byte) (int, error) {
	i.size += int64(len(p))
	_, _ = i.hash.Write(p)
	return i.wav.Write(p)
}

func (i *intake) describe(u *Upload) {
	u.Size, u.SHA256, u.Duration = i.size, hex.EncodeToString(i.hash.Sum(nil)), i.wav.Duration()
}

func tooLarge(limit int64) answer {
	return refuse(http.StatusRequestEntityTooLarge, problem{
		Error: "Payload Too Large", Message: fmt.Sprintf("The file is too large: at most %d bytes are accepted.", limit),
	})
}

// unreadable is the answer to a form that is malformed or ends early. Nobody gets it when the connection broke.
func unreadable() answer {
	return refuse(http.StatusBadRequest, problem{Error: "Bad Request", Message: "The body is no complete multipart/form-data."})
}

// ok is a successful answer.
func (s *Server) ok(status int, v any) answer {
	if s.cfg.envelope {
		v = envelope{Count: 1, Total: 1, Result: v}
	}
	return answer{status: status, body: compact(v)}
}

type envelope struct {
	Count  int `json:"count"`
	Total  int `json:"total_results"`
	Result any `json:"result"`
}
