package watch_test

import (
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// service is the least a client needs to wait: a transport that knows when jobs
// end. It is for tests with more requests than the fake can take in a second.
type service struct {
	t         *testing.T
	latency   time.Duration
	forgetful bool                                  // keeps no times of requests, where there are very many
	respond   func(id string, n int) *http.Response // n counts the job's polls from 1; nil: as usual
	result    func(id string) *http.Response        // to a request for a result; nil: as usual
	create    func(id string) (j serviceJob, answered bool)
	durations string    // duration_seconds of each new job
	refuse    int       // so many requests, with a 429
	refused   time.Time // when that was last

	mu      sync.Mutex
	jobs    map[string]*serviceJob
	polls   int
	seen    []time.Time // of every request
	kinds   []string
	open    int
	most    int // at once
	created int
}

type serviceJob struct {
	started, ended time.Time
	failure        string
	polled         bool
	polls          []time.Time
}

func newService(t *testing.T) *service {
	t.Helper()
	return &service{t: t, latency: 100 * time.Millisecond, jobs: make(map[string]*serviceJob)}
}

func (s *service) client(opts ...scriptix.Option) *scriptix.Client {
	s.t.Helper()
	opts = append([]scriptix.Option{scriptix.WithHTTPClient(&http.Client{Transport: s})}, opts...)
	c, err := scriptix.New("sk_test_1234", opts...)
	require.NoError(s.t, err)
	return c
}

// start makes a job that runs for so long from now.
func (s *service) start(id string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[id] = &serviceJob{started: time.Now(), ended: time.Now().Add(took)}
}

func (s *service) job(id string) serviceJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.jobs[id]
}

func (s *service) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *service) RoundTrip(req *http.Request) (*http.Response, error) {
	now := time.Now()
	s.mu.Lock()
	if !s.forgetful {
		s.seen = append(s.seen, now)
		s.kinds = append(s.kinds, kind(req))
	}
	s.open++
	s.most = max(s.most, s.open)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	select {
	case <-time.After(s.latency):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if r := s.answer(req); r != nil {
		return r, nil
	}
	return nil, io.ErrUnexpectedEOF
}

func kind(req *http.Request) string {
	switch {
	case req.Method == http.MethodPost:
		return "submit"
	case strings.HasSuffix(req.URL.Path, "/result"):
		return "result"
	}
	return "poll"
}

func (s *service) answer(req *http.Request) *http.Response {
	path := strings.Split(strings.TrimPrefix(req.URL.Path, "/api/v3/stt"), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		s.refused = time.Now()
		r := response(http.StatusTooManyRequests, `{"error":"Rate Limit Exceeded","retry_after":20}`)
		r.Header.Set("Retry-After", "20")
		return r
	}
	if req.Method == http.MethodPost {
		s.created++
		id := fmt.Sprintf("stt_%06d", s.created)
		j := serviceJob{started: time.Now(), ended: time.Now().Add(time.Minute)}
		if s.create != nil {
			var answered bool
			if j, answered = s.create(id); !answered {
				s.jobs[id] = &j
				return nil
			}
		}
		s.jobs[id] = &j
		if s.durations != "" {
			return response(http.StatusCreated, fmt.Sprintf(`{"id":%q,"status":"uploaded","duration_seconds":%s}`, id, s.durations))
		}
		return response(http.StatusCreated, fmt.Sprintf(`{"id":%q,"status":"uploaded"}`, id))
	}
	if !assert.Len(s.t, path, 3) {
		return response(http.StatusNotFound, `{}`)
	}
	id := path[1]
	j := s.jobs[id]
	if path[2] == "result" {
		if s.result != nil {
			if r := s.result(id); r != nil {
				return r
			}
		}
		if j != nil && (time.Now().Before(j.ended) || j.failure != "") {
			return response(http.StatusConflict, `{"error":"Conflict","message":"not completed"}`)
		}
		return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","transcript":"Hello.","segments":[]}`, id))
	}
	s.polls++
	if j == nil {
		return response(http.StatusNotFound, `{"error":"Not Found","message":"no such job"}`)
	}
	j.polled = true
	if !s.forgetful {
		j.polls = append(j.polls, time.Now())
	}
	if s.respond != nil {
		if r := s.respond(id, len(j.polls)); r != nil {
			return r
		}
	}
	switch {
	case time.Now().Before(j.ended):
		return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"processing","progress":30}`, id))
	case j.failure != "":
		return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"failed","error":%q}`, id, j.failure))
	}
	return response(http.StatusOK, fmt.Sprintf(`{"id":%q,"status":"completed","progress":100,"document_id":7}`, id))
}

func response(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// within returns the most requests in any span, the first instant of which counts.
func (s *service) within(span time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most, first := 0, 0
	for i, at := range s.seen {
		for at.Sub(s.seen[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// drain takes all that a watch yields and looks at none of it.
func drain(all iter.Seq2[*scriptix.Job, error]) {
	all(func(*scriptix.Job, error) bool { return true })
}

func completed(id string, at time.Time) webhook.Event {
	return webhook.Event{Type: webhook.TranscriptionCompleted, Timestamp: at, Data: webhook.Data{ID: id, Status: "completed"}}
}

func failed(id string, at time.Time) webhook.Event {
	return webhook.Event{Type: webhook.TranscriptionFailed, Timestamp: at, Data: webhook.Data{ID: id, Status: "failed"}}
}

const callbackURL = "https://receiver.example/scriptix"

// withCallbacks expects them; the tests deliver them.
func withCallbacks() scriptix.Option { return scriptix.WithWebhook(callbackURL, "whsec_test") }
