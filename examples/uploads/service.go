package main

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"html/template"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
)

// quota bounds what one user may do.
type quota struct {
	open  int   // uploads that are not transcribed yet
	bytes int64 // of one upload
}

// service is the face to the users.
type service struct {
	store  *store
	users  map[string]string // passwords, by name
	quota  quota
	stall  time.Duration // longest time without a byte of an upload
	log    *slog.Logger
	notify http.Handler // callbacks of Scriptix
}

// recordings are the endings that are taken. The file is stored under one of them, and under nothing else of its name.
var recordings = []string{".mp3", ".wav", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".mp4", ".mov", ".mkv", ".webm"}

// maxForm is what a form may have beside its recording.
const maxForm = 64 << 10

// handler routes. A page of another site cannot upload in a user's name, because browsers tell where a request comes from.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /scriptix", s.notify)
	mux.HandleFunc("POST /uploads", s.known(s.upload))
	mux.HandleFunc("GET /uploads", s.known(func(w http.ResponseWriter, _ *http.Request, user string) {
		s.answer(w, http.StatusOK, s.store.list(user))
	}))
	mux.HandleFunc("GET /uploads/{id}", s.known(s.status))
	mux.HandleFunc("GET /uploads/{id}/transcript", s.known(s.transcript))
	mux.HandleFunc("GET /{$}", s.known(s.page))
	return http.NewCrossOriginProtection().Handler(mux)
}

// known lets users in. Put your own sessions here.
func (s *service) known(next func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		want, exists := s.users[user]
		got, right := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(want))
		if subtle.ConstantTimeCompare(got[:], right[:]) != 1 || !exists || want == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="uploads", charset="UTF-8"`)
			s.refuse(w, http.StatusUnauthorized, "name and password, please")
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next(w, r, user)
	}
}

// upload takes a form with the field "audio", and "language" before it. It answers 202 once the recording is on disk, and
// with the upload that there is already where the user sends the same Idempotency-Key, or without one the same bytes.
func (s *service) upload(w http.ResponseWriter, r *http.Request, user string) {
	key := r.Header.Get("Idempotency-Key")
	if key != "" {
		if u, ok := s.store.get(user, identify(user, "key "+key)); ok {
			s.accept(w, r, u, http.StatusOK)
			return
		}
	}
	free, ok := s.store.reserve(user, s.quota.open)
	if !ok {
		w.Header().Set("Retry-After", "60")
		s.refuse(w, http.StatusTooManyRequests, fmt.Sprintf("%d uploads are not transcribed yet: wait for one of them", s.quota.open))
		return
	}
	defer free()
	if r.ContentLength > s.quota.bytes+maxForm {
		s.refuseUpload(w, r, &http.MaxBytesError{Limit: s.quota.bytes}) // nothing is read, and who expects 100-continue sends nothing
		return
	}
	r.Body = http.MaxBytesReader(w, &patient{ReadCloser: r.Body, conn: http.NewResponseController(w), stall: s.stall}, s.quota.bytes+maxForm)
	form, err := r.MultipartReader()
	if err != nil {
		s.refuse(w, http.StatusUnsupportedMediaType, "send a form, multipart/form-data")
		return
	}
	u := upload{User: user, Language: "auto", State: stateWaiting, Created: time.Now().UTC()}
	arrived, sum, err := s.receive(form, &u)
	if err == nil {
		if key == "" {
			key = fmt.Sprintf("content %s %x", u.Language, sum)
		} else {
			key = "key " + key
		}
		u.ID = identify(user, key)
		u.File = u.ID + u.File // its ending
		var fresh bool
		if u, fresh, err = s.store.add(u, arrived); err == nil {
			s.accept(w, r, u, map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[fresh])
			return
		}
	}
	if arrived != "" {
		_ = os.Remove(arrived) // gone already, if add had it
	}
	s.refuseUpload(w, r, err)
}

// formError is a form that cannot be taken, in words for its sender.
type formError string

// Error returns the words.
func (e formError) Error() string { return string(e) }

// receive reads the form up to the end of the recording, and streams that to disk: memory does not grow with it.
func (s *service) receive(form *multipart.Reader, u *upload) (arrived string, sum []byte, err error) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return "", nil, formError(`the form has no file "audio"`)
		}
		if err != nil {
			return "", nil, err
		}
		switch part.FormName() {
		case "language":
			value, err := io.ReadAll(io.LimitReader(part, 64))
			if err != nil {
				return "", nil, err
			}
			u.Language = strings.TrimSpace(string(value))
		case "audio":
			u.Name = shown(part.FileName())
			u.File = strings.ToLower(path.Ext(u.Name))
			if !slices.Contains(recordings, u.File) {
				return "", nil, formError("the file's name must end in one of " + strings.Join(recordings, " "))
			}
			digest := sha256.New()
			arrived, err := s.keep(part, u, digest)
			return arrived, digest.Sum(nil), err
		}
	}
}

// keep writes a recording to disk under a name of its own.
func (s *service) keep(part io.Reader, u *upload, digest hash.Hash) (string, error) {
	f, err := os.CreateTemp(s.store.dir, "*.part")
	if err != nil {
		return "", err
	}
	u.Size, err = io.Copy(io.MultiWriter(f, digest), io.LimitReader(part, s.quota.bytes+1))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return f.Name(), err
	}
	switch {
	case u.Size > s.quota.bytes:
		return f.Name(), &http.MaxBytesError{Limit: s.quota.bytes}
	case u.Size == 0:
		return f.Name(), formError("the file is empty")
	}
	return f.Name(), nil
}

// shown is a name for people: what a browser sends may hold a path, and characters that turn a page around.
func shown(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	ending := path.Ext(name)
	stem := []rune(strings.TrimSuffix(name, ending))
	return string(stem[:min(len(stem), 80)]) + ending
}

// patient has an upload end that brings no byte for so long.
type patient struct {
	io.ReadCloser

	conn  *http.ResponseController
	stall time.Duration
}

// Read reads on, within the time.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(p.stall)); err != nil {
		return 0, err
	}
	return p.ReadCloser.Read(b)
}

func (s *service) refuseUpload(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Connection", "close") // what is left of the body is not read
	var form formError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &form):
		s.refuse(w, http.StatusUnprocessableEntity, form.Error())
	case errors.As(err, &large):
		s.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a recording has %d bytes at most", s.quota.bytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.refuse(w, http.StatusRequestTimeout, "the upload stood still")
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.refuse(w, http.StatusBadRequest, "the upload broke off")
	default:
		s.log.ErrorContext(r.Context(), "upload not stored", "reason", err)
		s.refuse(w, http.StatusServiceUnavailable, "try again later")
	}
}

// accept tells where the upload is to be asked for; a browser is sent back to the page.
func (s *service) accept(w http.ResponseWriter, r *http.Request, u upload, status int) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Location", "/uploads/"+u.ID)
	s.answer(w, status, u)
}

func (s *service) status(w http.ResponseWriter, r *http.Request, user string) {
	u, ok := s.store.get(user, r.PathValue("id"))
	if !ok {
		s.refuse(w, http.StatusNotFound, "there is no such upload")
		return
	}
	s.answer(w, http.StatusOK, u)
}

func (s *service) transcript(w http.ResponseWriter, r *http.Request, user string) {
	u, ok := s.store.get(user, r.PathValue("id"))
	if !ok || u.State != stateDone {
		s.refuse(w, http.StatusNotFound, "there is no transcript")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	http.ServeFile(w, r, s.store.transcriptPath(u.ID))
}

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

func (s *service) page(w http.ResponseWriter, r *http.Request, user string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if err := page.Execute(w, map[string]any{"User": user, "Uploads": s.store.list(user), "Endings": strings.Join(recordings, ",")}); err != nil {
		s.log.WarnContext(r.Context(), "page not sent", "reason", err)
	}
}

func (s *service) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // nobody is left to be told
}

func (s *service) refuse(w http.ResponseWriter, status int, message string) {
	s.answer(w, status, map[string]string{"error": message})
}
