package fleet_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

var silent = log.New(io.Discard, "", 0)

// plainService is a service made of net/http alone, by the documentation and
// without a line of the fake's.
type plainService struct {
	server *httptest.Server
	limits scriptix.Limits
	r      *rand.Rand

	mu       sync.Mutex
	all      map[string]*plainJob
	arrivals []time.Time
	refused  int
	most     int // in a minute
	inFlight int
	atOnce   int
}

type plainJob struct {
	id, sum, hook string
	ends          time.Time
	failed        bool
}

const plainKey, plainSecret = "sk_plain", "whsec_plain"

func newPlainService(t *testing.T, l scriptix.Limits, seed uint64) *plainService {
	t.Helper()
	p := &plainService{limits: l, all: make(map[string]*plainJob), r: rand.New(rand.NewPCG(seed, 2))}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v3/stt", p.submit)
	mux.HandleFunc("GET /api/v3/stt/{id}/status", p.status)
	mux.HandleFunc("GET /api/v3/stt/{id}/result", p.result)
	p.server = httptest.NewUnstartedServer(p.count(mux))
	p.server.Config.ErrorLog = silent
	p.server.Start()
	t.Cleanup(p.server.Close)
	return p
}

func (p *plainService) roll(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.r.IntN(n)
}

// count is the plan, as the server sees it.
func (p *plainService) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		p.mu.Lock()
		for len(p.arrivals) > 0 && now.Sub(p.arrivals[0]) >= time.Minute {
			p.arrivals = p.arrivals[1:]
		}
		p.arrivals = append(p.arrivals, now)
		p.inFlight++
		p.most, p.atOnce = max(p.most, len(p.arrivals)), max(p.atOnce, p.inFlight)
		over := len(p.arrivals) > p.limits.PerMinute
		if over {
			p.refused++
		}
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.inFlight--
		}()
		if over {
			w.Header().Set("Retry-After", "5")
			http.Error(w, `{"error":"rate_limit_exceeded"}`, http.StatusTooManyRequests)
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+plainKey {
			http.Error(w, `{"error":"INVALID_API_KEY"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *plainService) submit(w http.ResponseWriter, r *http.Request) {
	fate := p.roll(100)
	if fate == 0 { // cut in the middle
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		panic(http.ErrAbortHandler)
	}
	if fate == 1 {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":"maintenance","message":"come back"}`, http.StatusServiceUnavailable)
		return
	}
	file, _, err := r.FormFile("audio_file")
	if err != nil {
		return // it was cut, so there is no job
	}
	h := sha256.New()
	_, _ = io.Copy(h, file)
	job := &plainJob{sum: hex.EncodeToString(h.Sum(nil)), hook: r.FormValue("webhook_url")}
	job.failed = scriptedToFail(job.sum)
	p.mu.Lock()
	job.id = fmt.Sprintf("stt_%d", len(p.all)+1)
	work := time.Duration(300+p.r.IntN(4000)) * time.Millisecond
	job.ends = time.Now().Add(work)
	p.all[job.id] = job
	p.mu.Unlock()
	if p.roll(20) > 0 { // else its callback is lost
		time.AfterFunc(work, func() { p.call(job) })
	}
	switch fate {
	case 2: // the answer is lost
		panic(http.ErrAbortHandler)
	case 3:
		time.Sleep(2 * time.Second)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"id":%q,"status":"processing"}`, job.id)
}

// call sends the callback until it is accepted, now and then once more.
func (p *plainService) call(job *plainJob) {
	word := map[bool]string{true: "failed", false: "completed"}[job.failed]
	body := fmt.Appendf(nil, `{"event":"transcription.%s","timestamp":%q,"data":{"id":%q,"status":%q}}`,
		word, time.Now().UTC().Format(time.RFC3339), job.id, word)
	mac := hmac.New(sha256.New, []byte(plainSecret))
	mac.Write(body)
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	repeats := p.roll(10)
	for wait := time.Second; wait < 30*time.Second; wait *= 3 {
		req, err := http.NewRequest(http.MethodPost, job.hook, bytes.NewReader(body)) //nolint:noctx // of a test
		if err != nil {
			return
		}
		req.Header.Set("X-Scriptix-Signature", signature)
		answer, err := http.DefaultClient.Do(req)
		accepted := err == nil && answer.StatusCode == http.StatusOK
		if err == nil {
			_ = answer.Body.Close()
		}
		if accepted && repeats != 0 {
			return
		}
		if accepted {
			repeats = 1
		}
		time.Sleep(wait)
	}
}

func (p *plainService) find(w http.ResponseWriter, r *http.Request) *plainJob {
	if p.roll(20) == 0 {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	job := p.all[r.PathValue("id")]
	if job == nil {
		http.Error(w, `{"error":"not found"}`, http.StatusNotFound)
	}
	return job
}

func (p *plainService) status(w http.ResponseWriter, r *http.Request) {
	job := p.find(w, r)
	if job == nil {
		return
	}
	answer := map[string]any{"id": job.id, "status": "processing", "progress": 50}
	if time.Now().After(job.ends) {
		answer["status"], answer["progress"] = "completed", 100
		if job.failed {
			answer["status"], answer["error"] = "failed", "scripted"
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *plainService) result(w http.ResponseWriter, r *http.Request) {
	job := p.find(w, r)
	switch {
	case job == nil:
	case time.Now().Before(job.ends) || job.failed:
		http.Error(w, `{"error":"not ready"}`, http.StatusConflict)
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": job.id, "status": "completed", "transcript": job.sum, "segments": []any{map[string]any{"start": 0, "end": 1, "text": job.sum}},
		})
	}
}

func (p *plainService) base() (base, key, secret string) { return p.server.URL, plainKey, plainSecret }

func (p *plainService) jobs() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	jobs := make(map[string]int)
	for _, job := range p.all {
		jobs[job.sum]++
	}
	return jobs
}

func (p *plainService) failed() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := make(map[string]bool)
	for _, job := range p.all {
		failed[job.sum] = job.failed
	}
	return failed
}

func (p *plainService) usage() (refused, perMinute, concurrent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused, p.most, p.atOnce
}
