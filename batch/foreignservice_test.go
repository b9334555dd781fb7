package batch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
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
// a line of the fake. Of each kind of fault it commits one in twenty.
type foreign struct {
	ctx    context.Context //nolint:containedctx // the life of the service, which calls back
	secret string
	lose   bool // callbacks, too
	limit  int  // requests a minute

	mu      sync.Mutex
	random  *rand.Rand
	jobs    map[string]*foreignJob
	uploads map[string]*foreignUpload
	whole   map[string]bool // tokens of which all the audio arrived
	cut     map[string]bool // tokens whose connection was cut while a form arrived: its rest may lie in the socket
	times   []time.Time     // of all requests
	refused int
	calm    bool        // no more faults
	busy    atomic.Bool // a 429 is still to come
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
}

func newForeign(ctx context.Context, k killing) *foreign {
	s := &foreign{
		ctx: ctx, secret: k.Secret, lose: k.Lose, limit: k.Limit, random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)),
		jobs: make(map[string]*foreignJob), uploads: make(map[string]*foreignUpload), whole: make(map[string]bool), cut: make(map[string]bool),
	}
	s.busy.Store(k.Busy)
	return s
}

// strikes reports whether a fault happens, which one time in twenty it does.
func (s *foreign) strikes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.calm && s.random.IntN(20) == 0
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
	case s.strikes():
		cutOff(w) // before anything is read
	case r.Method == http.MethodGet && s.strikes():
		answer(w, http.StatusBadGateway, `<html>bad gateway</html>`)
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

func (s *foreign) submit(w http.ResponseWriter, r *http.Request) {
	if early := s.strikes(); early || s.strikes() {
		head := make([]byte, min(r.ContentLength, 1000)) // the fields
		n, _ := io.ReadFull(r.Body, head)
		s.cutting(head[:n])
		if !early {
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		}
		cutOff(w)
	}
	fields, audio, err := readForm(r)
	if err != nil {
		return // the client is gone
	}
	s.mu.Lock()
	s.whole[tokenIn(fields["webhook_url"])] = true
	s.mu.Unlock()
	switch {
	case s.strikes() && s.busy.CompareAndSwap(true, false): // once, because each halves the minute
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusTooManyRequests, `{"error":"RATE_LIMIT_EXCEEDED"}`)
		return
	case s.strikes():
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, `{"error":"MAINTENANCE","message":"come back"}`)
		return
	case s.strikes():
		cutOff(w) // all of it arrived, and no job was made
		return
	case s.strikes():
		answer(w, http.StatusInternalServerError, `{"error":"INTERNAL"}`)
		return
	}
	job := s.make(audio, fields["webhook_url"], false)
	body := fmt.Sprintf(`{"id":%q,"status":"uploaded","language":"en","duration_seconds":1.5}`, job.ID)
	switch {
	case s.strikes():
		cutOff(w) // the job was made
	case s.strikes():
		answer(w, http.StatusGatewayTimeout, `upstream timed out`)
	case s.strikes():
		w.Header().Set("Content-Encoding", "gzip")
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		answer(w, http.StatusCreated, packed.String())
	case s.strikes():
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+100)) // the object is whole, and the answer is not
		answer(w, http.StatusCreated, body)
	case s.strikes():
		answer(w, http.StatusCreated, "\ufeff"+body)
	case s.strikes():
		answer(w, http.StatusCreated, body[:len(body)/3])
	case s.strikes():
		time.Sleep(400 * time.Millisecond)
		answer(w, http.StatusCreated, body)
	default:
		answer(w, http.StatusCreated, body)
	}
}

func (s *foreign) create(w http.ResponseWriter, r *http.Request) {
	if s.strikes() {
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
	switch r.Method {
	case http.MethodHead:
		if s.strikes() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Upload-Length", strconv.FormatInt(u.length, 10))
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	case http.MethodPatch:
		s.chunk(w, r, u)
	default:
		if u.job == "" || s.strikes() {
			answer(w, http.StatusOK, fmt.Sprintf(`{"count":1,"result":{"id":%q,"session_id":null}}`, u.id))
			return
		}
		answer(w, http.StatusOK, fmt.Sprintf(`{"count":1,"total_results":1,"result":{"session_id":%q}}`, u.job))
	}
}

func (s *foreign) chunk(w http.ResponseWriter, r *http.Request, u *foreignUpload) {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.data)) {
		answer(w, http.StatusConflict, `{"error":"CONFLICT"}`)
		return
	}
	body, cut := io.Reader(r.Body), s.strikes()
	if cut {
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
	switch {
	case cut || s.strikes():
		cutOff(w) // the answer is lost
	case s.strikes():
		w.WriteHeader(http.StatusNoContent) // without an offset
	default:
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
		w.WriteHeader(http.StatusNoContent)
	}
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
		answer(w, http.StatusConflict, `{"error":"NOT_READY"}`)
	case time.Now().Before(job.Ready):
		answer(w, http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"processing","progress":50}`, job.ID))
	case parts[2] == "status":
		answer(w, http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","progress":100}`, job.ID))
	default:
		body := fmt.Sprintf(`{"id":%q,"status":"completed","transcript":"audio %s","segments":[{"start":0,"end":1.5,"text":"audio %s"}]}`, job.ID, job.Sum, job.Sum)
		if s.strikes() {
			body = body[:len(body)/2]
		}
		answer(w, http.StatusOK, body)
	}
}

// make makes a job, whose callback is sent until somebody takes it.
func (s *foreign) make(audio []byte, callback string, resumable bool) *foreignJob {
	sum := sha256.Sum256(audio)
	s.mu.Lock()
	defer s.mu.Unlock()
	job := &foreignJob{
		ID: fmt.Sprintf("stt_%06d", len(s.jobs)+1), Sum: hex.EncodeToString(sum[:]), Callback: callback, Resumable: resumable,
		Ready: time.Now().Add(time.Duration(s.random.IntN(600)) * time.Millisecond),
	}
	s.jobs[job.ID] = job
	if !s.lose || s.random.IntN(20) > 0 {
		go s.call(*job)
	}
	return job
}

// call posts a job's callback. One in twenty comes twice.
func (s *foreign) call(job foreignJob) {
	time.Sleep(time.Until(job.Ready))
	client := &http.Client{Timeout: time.Second}
	body := fmt.Sprintf(`{"event":"transcription.completed","timestamp":%q,"data":{"id":%q,"status":"completed"}}`, time.Now().UTC().Format(time.RFC3339), job.ID)
	mac := hmac.New(sha256.New, []byte(s.secret))
	_, _ = io.WriteString(mac, body)
	twice := s.strikes()
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

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// cutting notes whose form is cut. What the client has handed over by then is
// not known here.
func (s *foreign) cutting(head []byte) {
	_, after, _ := bytes.Cut(head, []byte("scriptix_token="))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut[string(after[:min(32, len(after))])] = true
}

// cutOff ends the connection without an answer.
func cutOff(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// tokenIn is the token that a batch puts into its callback URL.
func tokenIn(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return ""
	}
	return u.Query().Get("scriptix_token")
}
