package scriptixtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The resumable uploads speak TUS 1.0.0: its core and the creation extension. See https://tus.io/protocols/resumable-upload.
const tusVersion = "1.0.0"

// file is a resumable upload. The server's mutex guards owner, offset and job; who owns it may write to it.
type file struct {
	id       string
	size     int64
	offset   int64
	metadata map[string]string
	upload   Upload
	data     *intake
	owner    *fileOwner
	job      *record
	doneAt   time.Time
	whose    ownership
	jobID    string // of a session, from the creation on; else empty until it is whole
}

// fileOwner is the request that works on an upload.
type fileOwner struct {
	interrupt func()
	done      chan struct{}
}

// createFile answers POST /api/v3/files/.
func (s *Server) createFile(r *http.Request, key string) answer {
	if a := tusCheck(r); a != nil {
		return *a
	}
	size, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	switch {
	case r.Header.Get("Upload-Length") == "":
		return tusRefuse(http.StatusBadRequest, "Upload-Length is missing.")
	case err != nil && errors.Is(err, strconv.ErrRange) || size > s.cfg.maxResumable:
		return tusAnswer(tooLarge(s.cfg.maxResumable))
	case err != nil || size < 0:
		return tusRefuse(http.StatusBadRequest, "Upload-Length is no length.")
	case size == 0:
		return tusAnswer(invalid("audio_file", "is empty"))
	}
	metadata, err := parseMetadata(r.Header.Values("Upload-Metadata"))
	if err != nil {
		return tusRefuse(http.StatusBadRequest, "Upload-Metadata: "+err.Error()+".")
	}
	u := Upload{FileName: metadata["filename"], ContentType: metadata["filetype"], Resumable: true, Fields: make(url.Values)}
	for k, v := range metadata {
		if k != "filename" && k != "filetype" {
			u.Fields.Set(k, v)
		}
	}
	if !u.Fields.Has("webhook_url") {
		var document struct {
			WebhookURL string `json:"webhook_url"`
		}
		if json.Unmarshal([]byte(metadata["document"]), &document) == nil && document.WebhookURL != "" {
			u.Fields.Set("webhook_url", document.WebhookURL)
		}
	}
	f := &file{id: s.newID("f"), size: size, metadata: metadata, data: newIntake(), whose: ownership{key: key}}
	check := s.checkFields
	if s.cfg.dialect == Session || s.cfg.dialect == DialectBoth && (metadata["document"] != "" || metadata["punctuation"] != "") {
		call, a := sessionUpload(metadata, &u)
		if a != nil {
			return tusAnswer(*a)
		}
		f.whose, f.jobID = sessionOf(key, call, s.cfg.variant), s.newSessionID()
		check = func(fields url.Values) *answer { return s.checkSession(fields, call) }
	}
	if a := check(u.Fields); a != nil {
		return tusAnswer(*a)
	}
	f.upload = u
	s.mu.Lock()
	s.files[f.id] = f
	s.mu.Unlock()
	a := tusAnswer(answer{status: http.StatusCreated})
	a.header.Set("Location", s.location(r, f.id))
	return a
}

// location is where an upload is found, as the answer to its creation says it.
func (s *Server) location(r *http.Request, id string) string {
	location := s.cfg.basePath + "/api/v3/files/" + id
	if s.cfg.relative {
		return location
	}
	scheme := "http"
	if s.cfg.tls {
		scheme = "https"
	}
	return scheme + "://" + r.Host + location
}

// headFile answers HEAD /api/v3/files/{id}.
func (s *Server) headFile(r *http.Request, id string) answer {
	if a := tusCheck(r); a != nil {
		return *a
	}
	f, release, a := s.own(r.Context(), id, func() {})
	if a != nil {
		return *a
	}
	defer release()
	ok := tusAnswer(answer{status: http.StatusOK})
	ok.header.Set("Upload-Offset", strconv.FormatInt(f.offset, 10))
	ok.header.Set("Upload-Length", strconv.FormatInt(f.size, 10))
	ok.header.Set("Cache-Control", "no-store")
	return ok
}

// patchFile answers PATCH /api/v3/files/{id}. What came in before a connection broke is kept.
func (s *Server) patchFile(w http.ResponseWriter, r *http.Request, id string) answer {
	if a := tusCheck(r); a != nil {
		return *a
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/offset+octet-stream" {
		return tusRefuse(http.StatusUnsupportedMediaType, "Content-Type must be application/offset+octet-stream.")
	}
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return tusRefuse(http.StatusBadRequest, "Upload-Offset is missing or no offset.")
	}
	if most := s.cfg.maxChunk; most > 0 && r.ContentLength > most {
		return tusRefuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("A request takes %d bytes at most.", most))
	}
	f, release, a := s.own(r.Context(), id, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) })
	if a != nil {
		return *a
	}
	defer release()
	switch left := f.size - f.offset; {
	case offset != f.offset:
		return tusRefuse(http.StatusConflict, fmt.Sprintf("Upload-Offset is %d, the upload is at %d.", offset, f.offset))
	case r.ContentLength > left:
		return tusRefuse(http.StatusRequestEntityTooLarge, "The chunk goes beyond Upload-Length.")
	}
	_, err = io.Copy(fileWriter{s, f}, io.LimitReader(r.Body, f.size-f.offset))
	if err != nil {
		return answer{gone: true} // the connection broke, or another request took over
	}
	if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n > 0 { // chunked, so that its length was not known
		return tusRefuse(http.StatusRequestEntityTooLarge, "The chunk goes beyond Upload-Length.")
	}
	if f.offset == f.size && f.job == nil {
		s.completeFile(f)
	}
	ok := tusAnswer(answer{status: http.StatusNoContent})
	ok.header.Set("Upload-Offset", strconv.FormatInt(f.offset, 10))
	return ok
}

// completeFile makes the job of an upload that is whole. Its owner calls it.
func (s *Server) completeFile(f *file) {
	u := f.upload
	f.data.describe(&u)
	if u.JobID = f.jobID; u.JobID == "" {
		u.JobID = s.newID("stt_")
	}
	j := s.create(u, f.id, f.whose)
	s.mu.Lock()
	f.job, f.doneAt = j, time.Now()
	s.mu.Unlock()
	if j.outcome.Callback.Before {
		s.attempt(j, 0)
	}
}

// fileInfo answers GET /api/v3/files/{id}: once the upload is whole, with the job's id as session_id.
func (s *Server) fileInfo(id, key string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil || f.whose.key != key {
		return unknownFile()
	}
	info := struct {
		SessionID string            `json:"session_id,omitempty"`
		Metadata  map[string]string `json:"metadata"`
	}{Metadata: f.metadata}
	if s.cfg.earlyID {
		info.SessionID = f.jobID
	}
	if f.job != nil && time.Since(f.doneAt) >= f.job.outcome.SessionDelay {
		info.SessionID = f.job.job.ID
	}
	return answer{status: http.StatusOK, body: compact(envelope{Count: 1, Total: 1, Result: info})}
}

// own makes a request the only one that works on an upload. Another that still does is interrupted and waited for: it is the
// rest of a connection that the client has given up.
func (s *Server) own(ctx context.Context, id string, interrupt func()) (*file, func(), *answer) {
	me := &fileOwner{interrupt: interrupt, done: make(chan struct{})}
	for {
		s.mu.Lock()
		f := s.files[id]
		if f == nil {
			s.mu.Unlock()
			a := unknownFile()
			return nil, nil, &a
		}
		other := f.owner
		if other == nil {
			f.owner = me
			s.mu.Unlock()
			return f, func() {
				s.mu.Lock()
				f.owner = nil
				s.mu.Unlock()
				close(me.done)
			}, nil
		}
		other.interrupt() // while it cannot end, so that no later request on its connection is hit
		s.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, nil, &answer{gone: true}
		}
	}
}

// forgetFile makes an upload vanish.
func (s *Server) forgetFile(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, id)
}

// fileWriter appends to an upload.
type fileWriter struct {
	s *Server
	f *file
}

func (w fileWriter) Write(p []byte) (int, error) {
	n, err := w.f.data.Write(p)
	w.s.mu.Lock()
	w.f.offset += int64(n)
	w.s.mu.Unlock()
	return n, err
}

// parseMetadata reads "key base64,key base64,key".
func parseMetadata(headers []string) (map[string]string, error) {
	metadata := make(map[string]string)
	for pair := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue
		}
		key, encoded, _ := strings.Cut(pair, " ")
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("the value of %q is no base64", key)
		}
		if _, twice := metadata[key]; twice {
			return nil, fmt.Errorf("%q was sent twice", key)
		}
		metadata[key] = string(value)
	}
	return metadata, nil
}

// tusCheck refuses another version of the protocol.
func tusCheck(r *http.Request) *answer {
	if r.Header.Get("Tus-Resumable") == tusVersion {
		return nil
	}
	a := tusRefuse(http.StatusPreconditionFailed, "Tus-Resumable must be "+tusVersion+".")
	a.header.Set("Tus-Version", tusVersion)
	return &a
}

// tusOptions answers OPTIONS.
func tusOptions(maxSize int64) answer {
	a := tusAnswer(answer{status: http.StatusNoContent})
	a.header.Set("Tus-Version", tusVersion)
	a.header.Set("Tus-Extension", "creation")
	a.header.Set("Tus-Max-Size", strconv.FormatInt(maxSize, 10))
	return a
}

// tusAnswer adds what every answer of the protocol has.
func tusAnswer(a answer) answer {
	a.header = maps.Clone(a.header)
	if a.header == nil {
		a.header = make(http.Header)
	}
	a.header.Set("Tus-Resumable", tusVersion)
	return a
}

func tusRefuse(status int, message string) answer {
	return tusAnswer(refuse(status, problem{Message: message}))
}

func unknownFile() answer { return tusRefuse(http.StatusNotFound, "There is no such upload.") }
