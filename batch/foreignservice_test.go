package batch_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// foreign is a service written for the kill test alone, on net/http and without
// a line of the fake.
type foreign struct {
	*manners
	ctx    context.Context //nolint:containedctx // the life of the service, which calls back
	secret string
	lose   bool // callbacks, too
	limit  int  // requests a minute

	mu      sync.Mutex
	jobs    map[string]*foreignJob
	uploads map[string]*foreignUpload
	whole   map[string]bool // tokens of which all the audio arrived
	cut     int             // forms of which it did not
	times   []time.Time     // of all requests
	refused int
	busy    atomic.Bool // a 429 may come now and then
	given   string      // the id that a submit was given last
	givenAt time.Time   // and when
	batches int         // how many were killed so far
}

type foreignJob struct {
	ID, Sum, Callback string
	Resumable         bool
	Ready             time.Time
}

type foreignUpload struct {
	mu       sync.Mutex // held while a chunk arrives
	id       string
	length   int64
	data     []byte
	callback string
	job      string
	gone     bool // it is not known any more
}

func newForeign(ctx context.Context, k killing) *foreign {
	s := &foreign{
		manners: newManners(k.Seed), ctx: ctx, secret: k.Secret, lose: k.Lose, limit: k.Limit,
		jobs: make(map[string]*foreignJob), uploads: make(map[string]*foreignUpload), whole: make(map[string]bool),
	}
	s.busy.Store(k.Busy)
	return s
}

func (s *foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v3")
	if after, ok := strings.CutPrefix(r.URL.Path, "/control/"); ok {
		s.control(w, r, after)
		return
	}
	if !s.admit() {
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusTooManyRequests, `{"error":"RATE_LIMIT_EXCEEDED"}`)
		return
	}
	switch {
	case path == "/stt":
		s.submit(w, r)
	case s.spoils(w, r.Method == http.MethodGet):
	case path == "/files/":
		s.create(w, r)
	case strings.HasPrefix(path, "/files/"):
		s.file(w, r, strings.TrimPrefix(path, "/files/"))
	default:
		s.job(w, path)
	}
}

// admit counts a request, and refuses it beyond the minute's limit.
func (s *foreign) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.times = append(s.times, now)
	recent := 0
	for _, at := range slices.Backward(s.times) {
		if now.Sub(at) > time.Minute {
			break
		}
		recent++
	}
	if recent > s.limit {
		s.refused++
		return false
	}
	return true
}

// largeForm is more than lies in sockets: see smallSockets.
const largeForm = 500_000

func (s *foreign) submit(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	batches := s.batches
	s.mu.Unlock()
	spoiled := s.one("a form that is cut before it is read", "a form that is cut half-way", "a form that is reset half-way")
	if spoiled != "" && r.ContentLength > largeForm {
		s.cutForm(w, r, spoiled)
		return
	}
	// The rest of a small form is there anyway: it is read, so that it is known that it was.
	fields, audio, err := readForm(r)
	if err != nil {
		return // the client is gone
	}
	s.mu.Lock()
	s.whole[tokenIn(fields["webhook_url"])] = true
	s.mu.Unlock()
	if spoiled != "" {
		cutOff()
	}
	if s.busy.Load() && s.seldom("429 after the whole form", 3*time.Minute) {
		s.refuse(w, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
		return
	}
	switch s.one("503 that refuses a form", "cut after the whole form", "500 after the whole form") {
	case "503 that refuses a form":
		s.refuse(w, http.StatusServiceUnavailable, "MAINTENANCE")
		return
	case "cut after the whole form":
		cutOff()
	case "500 after the whole form":
		answer(w, http.StatusInternalServerError, `{"error":"INTERNAL"}`)
		return
	}
	job := s.make(audio, fields["webhook_url"], false)
	body := fmt.Sprintf(`{"id":%s,"status":"uploaded","language":"en","duration_seconds":1.5}`, s.id(job.ID))
	s.mu.Lock()
	other := ""
	if time.Since(s.givenAt) < 300*time.Millisecond {
		other = s.given
	}
	s.mu.Unlock()
	if s.created(w, body, other) {
		s.mu.Lock()
		if s.batches == batches { // else who was given it may be gone, and have stored nothing
			s.given, s.givenAt = job.ID, time.Now()
		}
		s.mu.Unlock()
	}
}

// cutForm ends the connection while the client still has some of a form: it waits
// until what lies in the sockets does not get more.
func (s *foreign) cutForm(w http.ResponseWriter, r *http.Request, how string) {
	if how != "a form that is cut before it is read" {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	}
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	s.cut++
	s.mu.Unlock()
	if how == "a form that is reset half-way" {
		reset(w)
		return
	}
	cutOff()
}

func (s *foreign) create(w http.ResponseWriter, r *http.Request) {
	spoiled := s.one("500 to a new upload", "a new upload whose answer is lost", "a whole address")
	if spoiled == "500 to a new upload" {
		answer(w, http.StatusInternalServerError, `{"error":"INTERNAL"}`)
		return
	}
	u := &foreignUpload{}
	u.length, _ = strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	for pair := range strings.SplitSeq(r.Header.Get("Upload-Metadata"), ",") {
		if name, value, _ := strings.Cut(pair, " "); name == "webhook_url" {
			decoded, _ := base64.StdEncoding.DecodeString(value)
			u.callback = string(decoded)
		}
	}
	s.mu.Lock()
	u.id = fmt.Sprintf("file-%d", len(s.uploads)+1)
	s.uploads[u.id] = u
	s.mu.Unlock()
	w.Header().Set("Location", "/api/v3/files/"+u.id)
	switch spoiled {
	case "a new upload whose answer is lost":
		cutOff()
	case "a whole address":
		w.Header().Set("Location", "http://"+r.Host+"/api/v3/files/"+u.id)
	}
	s.figures(w.Header())
	w.WriteHeader(http.StatusCreated)
}

func (s *foreign) file(w http.ResponseWriter, r *http.Request, id string) {
	s.mu.Lock()
	u := s.uploads[id]
	s.mu.Unlock()
	if u == nil {
		answer(w, http.StatusNotFound, `{"error":"NOT_FOUND"}`)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone || u.job != "" && s.strikes("an upload that is forgotten once its job was made") {
		u.gone = true
		answer(w, http.StatusNotFound, `{"error":"NOT_FOUND"}`)
		return
	}
	switch r.Method {
	case http.MethodHead:
		s.offset(w, u)
	case http.MethodPatch:
		s.chunk(w, r, u)
	default:
		s.lookUp(w, u)
	}
}

// offset says how much of an upload is here.
func (s *foreign) offset(w http.ResponseWriter, u *foreignUpload) {
	switch s.one("503 to a HEAD", "404 to a HEAD once the job was made") {
	case "503 to a HEAD":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "404 to a HEAD once the job was made":
		if u.job != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
	}
	w.Header().Set("Upload-Length", strconv.FormatInt(u.length, 10))
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
}

// lookUp says which job an upload became.
func (s *foreign) lookUp(w http.ResponseWriter, u *foreignUpload) {
	switch s.one("503 to a question for the job", "a job that is not known yet") {
	case "503 to a question for the job":
		answer(w, http.StatusServiceUnavailable, "")
		return
	case "a job that is not known yet":
		s.write(w, http.StatusOK, fmt.Sprintf(`{"count":1,"result":{"id":%q,"session_id":null}}`, u.id))
		return
	}
	if u.job == "" {
		s.write(w, http.StatusOK, fmt.Sprintf(`{"count":1,"result":{"id":%q,"session_id":null}}`, u.id))
		return
	}
	s.write(w, http.StatusOK, fmt.Sprintf(`{"count":1,"total_results":1,"result":{"session_id":%s}}`, s.id(u.job)))
}

func (s *foreign) chunk(w http.ResponseWriter, r *http.Request, u *foreignUpload) {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.data)) {
		answer(w, http.StatusConflict, `{"error":"CONFLICT"}`)
		return
	}
	// Smaller ones than 256 KiB no service may refuse for their size.
	spoiled := s.one("a chunk that is cut", "the answer to a chunk lost", "a chunk without an offset", "413 to a chunk")
	if spoiled == "413 to a chunk" && r.ContentLength > 256<<10 {
		answer(w, http.StatusRequestEntityTooLarge, `{"error":"TOO_LARGE"}`)
		return
	}
	body := io.Reader(r.Body)
	if spoiled == "a chunk that is cut" {
		body = io.LimitReader(r.Body, r.ContentLength/3)
	}
	data, _ := io.ReadAll(body) // what came before a cut is kept
	u.data = append(u.data, data...)
	if int64(len(u.data)) == u.length {
		s.mu.Lock()
		s.whole[tokenIn(u.callback)] = true
		s.mu.Unlock()
		if u.job == "" {
			u.job = s.make(u.data, u.callback, true).ID
		}
	}
	switch spoiled {
	case "a chunk that is cut", "the answer to a chunk lost":
		cutOff()
	case "a chunk without an offset":
	default:
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	}
	s.figures(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// job answers a status or a result.
func (s *foreign) job(w http.ResponseWriter, path string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	s.mu.Lock()
	var job *foreignJob
	if len(parts) == 3 {
		job = s.jobs[parts[1]]
	}
	s.mu.Unlock()
	switch {
	case job == nil:
		answer(w, http.StatusNotFound, `{"error":"NOT_FOUND"}`)
	case time.Now().Before(job.Ready) && parts[2] == "result":
		s.write(w, http.StatusConflict, `{"error":"NOT_READY"}`)
	case time.Now().Before(job.Ready):
		s.write(w, http.StatusOK, fmt.Sprintf(`{"id":%s,"status":"processing","progress":50}`, s.id(job.ID)))
	case parts[2] == "status":
		s.write(w, http.StatusOK, fmt.Sprintf(`{"id":%s,"status":"completed","progress":100}`, s.id(job.ID)))
	default:
		body := s.result(*job)
		switch s.one("half a result", "a result without a word") {
		case "half a result":
			body = body[:len(body)/2]
		case "a result without a word":
			body = fmt.Sprintf(`{"id":%q,"status":"completed","billing":{"seconds":2}}`, job.ID)
		}
		s.write(w, http.StatusOK, body)
	}
}

// make makes a job, whose callback is sent until somebody takes it.
func (s *foreign) make(audio []byte, callback string, resumable bool) *foreignJob {
	sum, wait := sha256.Sum256(audio), s.intN(600)
	lost := s.lose && s.strikes("a callback that is lost")
	s.mu.Lock()
	defer s.mu.Unlock()
	job := &foreignJob{
		ID: strconv.Itoa(1001 + len(s.jobs)), Sum: hex.EncodeToString(sum[:]), Callback: callback, Resumable: resumable,
		Ready: time.Now().Add(time.Duration(wait) * time.Millisecond),
	}
	s.jobs[job.ID] = job
	if !lost {
		go s.call(*job)
	}
	return job
}

// call posts a job's callback.
func (s *foreign) call(job foreignJob) {
	time.Sleep(time.Until(job.Ready))
	client := &http.Client{Timeout: time.Second}
	body := fmt.Sprintf(`{"event":"transcription.completed","timestamp":%q,"data":{"id":%q,"status":"completed"}}`, time.Now().UTC().Format(time.RFC3339), job.ID)
	mac := hmac.New(sha256.New, []byte(s.secret))
	_, _ = io.WriteString(mac, body)
	twice := s.strikes("a callback that comes twice")
	for try := range 30 {
		req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, job.Callback, strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Scriptix-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && !twice {
				return
			}
			twice = twice && res.StatusCode != http.StatusOK
		}
		time.Sleep(min(200*time.Millisecond<<min(try, 5), 2*time.Second))
	}
}

func readForm(r *http.Request) (fields map[string]string, audio []byte, err error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	fields = make(map[string]string)
	form := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := form.NextPart()
		if err == io.EOF { //nolint:errorlint // as NextPart returns it
			return fields, audio, nil
		}
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		if part.FileName() != "" {
			audio = data
		} else {
			fields[part.FormName()] = string(data)
		}
	}
}

// tokenIn is the token that a batch puts into its callback URL.
func tokenIn(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return ""
	}
	return u.Query().Get("scriptix_token")
}
