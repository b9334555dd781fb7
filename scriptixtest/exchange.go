package scriptixtest

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Endpoint of the service.
type Endpoint string

// The endpoints that a [Fault] can be put on. In the session dialect Submit, Status and Result stand for POST
// /api/v3/speech-to-text/session, GET .../{id} and GET .../{id}/result.
const (
	Any         Endpoint = ""             // each of those below
	Submit      Endpoint = "submit"       // POST /api/v3/stt
	Status      Endpoint = "status"       // GET /api/v3/stt/{id}/status
	Result      Endpoint = "result"       // GET /api/v3/stt/{id}/result
	FilesCreate Endpoint = "files_create" // POST /api/v3/files/
	FilesHead   Endpoint = "files_head"   // HEAD /api/v3/files/{id}
	FilesPatch  Endpoint = "files_patch"  // PATCH /api/v3/files/{id}
	FilesInfo   Endpoint = "files_info"   // GET /api/v3/files/{id}

	Delete         Endpoint = "delete"          // DELETE /api/v3/speech-to-text/session/{id}
	DocumentCreate Endpoint = "document_create" // POST /api/v3/speech-to-text/session/{id}/document/
	DocumentGet    Endpoint = "document_get"    // GET /api/v3/documents/{id}, or below a session
	DocumentExport Endpoint = "document_export" // POST /api/v3/documents/{id}/export, or GET ?format= below a session
	DocumentDelete Endpoint = "document_delete" // DELETE /api/v3/documents/{id}, or below a session
	Models         Endpoint = "models"          // GET /api/v3/custom_models
	Glossaries     Endpoint = "glossaries"      // GET /api/v3/glossaries
)

// exchange is a request and what is known of it.
type exchange struct {
	s        *Server
	endpoint Endpoint
	id       string // of the job or upload in the path
	document string // the one in the path
	session  bool   // a path of the session dialect
	key      string // that it came with
	seen     *Request
	body     *countingBody
	fault    *Fault      // a copy, nil if none strikes
	limits   http.Header // X-RateLimit-*
	admitted bool        // holds a slot of the plan
	done     bool
}

// serve answers every request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		abort(w)
		return
	}
	defer s.leave()
	r = r.WithContext(r.Context()) // a copy: the server must find its own body in the original to answer early
	x, early := s.begin(r)
	defer x.finish(0) // for a cut and for a panic in a script
	if early != nil {
		x.send(w, *early)
		return
	}
	if x.fault != nil {
		x.strike(w, r)
		return
	}
	x.send(w, s.process(x, w, r))
}

// begin notes a request and decides whether it is let in; if not, it says with which answer.
func (s *Server) begin(r *http.Request) (*exchange, *answer) {
	x := &exchange{s: s, body: &countingBody{ReadCloser: r.Body}}
	kept := carriedBefore(r)
	r.Body = x.body
	early := x.route(r)
	if early == nil {
		early = s.authorize(x, r)
	}
	keyIn := keyHeader(r.Header)
	r.Header.Del("Authorization")
	r.Header.Del(legacyHeader)
	x.seen = &Request{Method: r.Method, Path: r.URL.EscapedPath(), Endpoint: x.endpoint, Proto: r.Proto, Header: r.Header, KeyIn: keyIn}

	s.mu.Lock()
	defer s.mu.Unlock()
	x.seen.Time = time.Now() // under the lock, so that times never go back
	x.seen.ID = "req_" + s.runID + strconv.FormatInt(int64(s.history.total)+1, 16)
	s.history.add(x.seen)
	now := x.seen.Time.Sub(s.started)
	s.meter.arrive(now)
	if early != nil {
		return x, early
	}
	wait, ok := s.meter.admit(now)
	x.limits = s.meter.headers(x.seen.Time, now)
	if !ok {
		a := tooMany(wait)
		return x, &a
	}
	x.admitted = true
	x.fault = s.takeFault(x.endpoint, x.id, kept)
	return x, nil
}

// route finds the endpoint, or the answer of a path or method that there is not.
func (x *exchange) route(r *http.Request) *answer {
	path, ok := strings.CutPrefix(r.URL.Path, x.s.cfg.basePath+"/api/v3/")
	var allow []string
	if ok {
		part := strings.Split(path, "/")
		switch {
		case !x.s.cfg.speaks(STT) && part[0] == "stt" || !x.s.cfg.speaks(Session) && part[0] == "speech-to-text":
		case path == "stt":
			x.endpoint, allow = Submit, []string{http.MethodPost}
		case len(part) == 3 && part[0] == "stt" && part[1] != "" && part[2] == "status":
			x.endpoint, x.id, allow = Status, part[1], []string{http.MethodGet}
		case len(part) == 3 && part[0] == "stt" && part[1] != "" && part[2] == "result":
			x.endpoint, x.id, allow = Result, part[1], []string{http.MethodGet}
		case path == "files/":
			x.endpoint, allow = FilesCreate, []string{http.MethodPost, http.MethodOptions}
		case len(part) == 2 && part[0] == "files":
			x.id, allow = part[1], []string{http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodOptions}
			x.endpoint = map[string]Endpoint{http.MethodHead: FilesHead, http.MethodPatch: FilesPatch}[r.Method]
			if x.endpoint == Any {
				x.endpoint = FilesInfo
			}
		default:
			allow = x.routeMore(r, part)
		}
	}
	if allow == nil {
		a := noPath()
		return &a
	}
	if !slices.Contains(allow, r.Method) {
		a := refuse(http.StatusMethodNotAllowed, problem{Message: r.Method + " is not allowed here."})
		a.header = http.Header{"Allow": {strings.Join(allow, ", ")}}
		return &a
	}
	if r.Method == http.MethodOptions { // what the upload protocol can do: asked without a key
		a := tusOptions(x.s.cfg.maxResumable)
		return &a
	}
	return nil
}

// process does what the endpoint does.
func (s *Server) process(x *exchange, w http.ResponseWriter, r *http.Request) answer {
	switch x.endpoint {
	case Submit:
		if x.session {
			return s.submitURL(r, x.key)
		}
		return s.submit(r, x.key)
	case Status:
		if x.session {
			return s.sessionStatus(x.id, x.key)
		}
		return s.status(x.id, x.key)
	case Result:
		if x.session {
			return s.sessionResult(x.id, x.key)
		}
		return s.result(x.id, x.key)
	case Delete:
		return s.deleteSession(x.id, x.key)
	case FilesCreate:
		return s.createFile(r, x.key)
	case FilesHead:
		return s.headFile(r, x.id)
	case FilesPatch:
		return s.patchFile(w, r, x.id)
	case FilesInfo:
		return s.fileInfo(x.id, x.key)
	case DocumentCreate:
		return s.makeDocument(x.id, x.key)
	case DocumentGet, DocumentExport, DocumentDelete:
		return s.document(x, r)
	case Models:
		return s.listModels(r)
	case Glossaries:
		return s.listGlossaries()
	}
	return refuse(http.StatusNotFound, problem{Message: "There is no such path."})
}

// send answers, and notes it before: whoever has the answer finds it in the records, and the slot free.
func (x *exchange) send(w http.ResponseWriter, a answer) {
	if a.gone || x.body.broken.Load() {
		x.cut(w)
		return
	}
	x.finish(a.status)
	x.writeHeader(w, a)
	_, _ = w.Write(a.body) // the client may be gone
}

// writeHeader sends all but the body.
func (x *exchange) writeHeader(w http.ResponseWriter, a answer) {
	h := w.Header()
	h.Set("X-Request-Id", x.seen.ID)
	maps.Copy(h, x.limits)
	if t := contentType(a.body); t != "" {
		h.Set("Content-Type", t)
	} else {
		h["Content-Type"] = nil // nothing to be sniffed
	}
	if a.status != http.StatusNoContent && x.seen.Method != http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	maps.Copy(h, a.header)
	w.WriteHeader(a.status)
}

// cut ends the connection without (the rest of) an answer.
func (x *exchange) cut(w http.ResponseWriter) {
	x.finish(0)
	abort(w)
}

// finish notes how the request ended. Only the first call counts.
func (x *exchange) finish(status int) {
	s := x.s
	s.mu.Lock()
	if x.done {
		s.mu.Unlock()
		return
	}
	x.done = true
	x.seen.Status = status
	x.seen.Bytes = x.body.n.Load()
	x.seen.Took = time.Since(x.seen.Time)
	s.meter.leave(x.admitted)
	seen := *x.seen
	s.mu.Unlock()
	if s.cfg.log != nil {
		s.cfg.log.LogAttrs(s.closing, slog.LevelInfo, "request",
			slog.String("method", seen.Method), slog.String("path", seen.Path), slog.Int("status", status),
			slog.Int64("bytes", seen.Bytes), slog.Duration("took", seen.Took), slog.String("request_id", seen.ID))
	}
}

// abort closes the connection, or resets the stream of HTTP/2.
func abort(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
		return
	}
	panic(http.ErrAbortHandler)
}

// tooMany is the answer of a request over the plan.
func tooMany(wait time.Duration) answer {
	secs := max(1, int((wait+time.Second-1)/time.Second))
	p := messages[http.StatusTooManyRequests]
	p.Message = fmt.Sprintf("Too many requests. Please wait %d seconds before you try again.", secs)
	p.RetryAfter = secs
	a := refuse(http.StatusTooManyRequests, p)
	a.header = http.Header{"Retry-After": {strconv.Itoa(secs)}}
	return a
}
