package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/scriptix-io/scriptix-go/bench/upload/internal/report"
)

// sink takes both kinds of upload: a form, and chunks after TUS 1.0.0.
type sink struct {
	http.ServeMux
	buffers sync.Pool

	mu      sync.Mutex
	arrived report.Arrived
	uploads []*upload // by id
}

type upload struct{ size, offset int64 }

const (
	bufferSize = 256 << 10
	maxHead    = 16 << 10 // of a form, before the audio
	audioPart  = `name="audio_file"`
)

func newSink() *sink {
	s := &sink{buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }}}
	s.HandleFunc("POST /api/v3/stt", s.form)
	s.HandleFunc("POST /api/v3/files/{$}", s.create)
	s.HandleFunc("PATCH /api/v3/files/{id}", s.patch)
	s.HandleFunc("HEAD /api/v3/files/{id}", s.head)
	s.HandleFunc("GET /api/v3/files/{id}", s.job)
	s.HandleFunc("GET /arrived", s.tell)
	return s
}

// tell tells what arrived, and forgets it.
func (s *sink) tell(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(s.arrived)
	s.arrived = report.Arrived{}
}

// form reads a submit. Looking for the boundary in all of it would make the
// sink the bottleneck, so only the form's two ends are looked at.
func (s *sink) form(w http.ResponseWriter, r *http.Request) {
	buf, _ := s.buffers.Get().(*[bufferSize]byte)
	defer s.buffers.Put(buf)
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	tail := "\r\n--" + params["boundary"] + "--\r\n"
	head, end, total := []byte(nil), []byte(nil), int64(0)
	for err == nil {
		var n int
		n, err = r.Body.Read(buf[:])
		total += int64(n)
		if len(head) < maxHead {
			head = append(head, buf[:min(n, maxHead-len(head))]...)
		}
		if keep := len(tail); n >= keep {
			end = append(end[:0], buf[n-keep:n]...)
		} else {
			end = append(end, buf[:n]...)
			end = end[max(len(end)-keep, 0):]
		}
	}
	_, part, found := bytes.Cut(head, []byte(audioPart))
	_, audio, blank := bytes.Cut(part, []byte("\r\n\r\n"))
	before := int64(len(head) - len(audio))
	switch {
	case err != io.EOF: //nolint:errorlint // a body's end is this very value
		s.came(r, 0, err.Error())
		return
	case !found, !blank, string(end) != tail:
		s.came(r, 0, "it was no form with an audio_file")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.came(r, total-before-int64(len(tail)), "")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id":"stt_x","status":"uploaded"}`)
}

func (s *sink) create(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.uploads = append(s.uploads, &upload{size: size})
	id := len(s.uploads)
	s.mu.Unlock()
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Location", fmt.Sprintf("/api/v3/files/%d", id))
	w.WriteHeader(http.StatusCreated)
}

func (s *sink) patch(w http.ResponseWriter, r *http.Request) {
	u := s.find(w, r)
	if u == nil {
		return
	}
	s.mu.Lock()
	right := r.Header.Get("Upload-Offset") == strconv.FormatInt(u.offset, 10)
	s.mu.Unlock()
	if !right {
		s.came(r, 0, "a chunk came at the wrong offset")
		w.WriteHeader(http.StatusConflict)
		return
	}
	buf, _ := s.buffers.Get().(*[bufferSize]byte)
	defer s.buffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, buf[:]) // io.Discard alone reads 8 KiB at a time
	s.mu.Lock()
	u.offset += n
	offset := u.offset
	s.mu.Unlock()
	if err != nil {
		s.came(r, n, err.Error())
		return
	}
	s.came(r, n, "")
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Upload-Offset", strconv.FormatInt(offset, 10))
	w.WriteHeader(http.StatusNoContent)
}

func (s *sink) head(w http.ResponseWriter, r *http.Request) {
	u := s.find(w, r)
	if u == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.offset, 10))
	w.Header().Set("Upload-Length", strconv.FormatInt(u.size, 10))
}

func (s *sink) job(w http.ResponseWriter, r *http.Request) {
	u := s.find(w, r)
	if u == nil {
		return
	}
	s.mu.Lock()
	whole := u.offset == u.size
	s.mu.Unlock()
	if !whole {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, `{"count":1,"total_results":1,"result":{"session_id":"stt_x"}}`)
}

func (s *sink) find(w http.ResponseWriter, r *http.Request) *upload {
	id, err := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || id < 1 || id > len(s.uploads) {
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	return s.uploads[id-1]
}

func (s *sink) came(r *http.Request, n int64, fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.arrived
	a.Bytes += n
	protocol := strings.TrimSuffix(r.Proto, ".0")
	if !slices.Contains(a.Protocols, protocol) {
		a.Protocols = append(a.Protocols, protocol)
	}
	if fault != "" {
		a.Faults = append(a.Faults, fault)
	}
}
