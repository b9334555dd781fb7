//go:build unix

package fleet_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
)

// tusService takes resumable uploads, made of net/http alone. It keeps whole
// chunks only, and goes silent in the middle of the second one.
type tusService struct {
	server *httptest.Server
	silent chan struct{} // closed once it is silent
	goOn   chan struct{}

	mu      sync.Mutex
	length  int64
	offset  int64 // that is kept
	sent    int64 // bytes of chunks that came, kept or not
	chunks  int   // begun
	largest int64
	uploads int
}

func newTUSService(t *testing.T) *tusService {
	t.Helper()
	s := &tusService{silent: make(chan struct{}), goOn: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v3/files/{$}", s.create)
	mux.HandleFunc("HEAD /api/v3/files/1", s.head)
	mux.HandleFunc("PATCH /api/v3/files/1", s.patch)
	mux.HandleFunc("GET /api/v3/files/1", s.info)
	mux.HandleFunc("GET /api/v3/stt/job/result", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"job","status":"completed","transcript":"hello","segments":[]}`)
	})
	s.server = httptest.NewUnstartedServer(mux)
	s.server.Config.ErrorLog = silent
	s.server.Start()
	t.Cleanup(s.server.Close)
	return s
}

func (s *tusService) create(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads++
	s.length, _ = strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Location", s.server.URL+"/api/v3/files/1")
	w.WriteHeader(http.StatusCreated)
}

func (s *tusService) head(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Upload-Offset", strconv.FormatInt(s.offset, 10))
	w.Header().Set("Upload-Length", strconv.FormatInt(s.length, 10))
	w.WriteHeader(http.StatusOK)
}

func (s *tusService) patch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.chunks++
	second := s.chunks == 2
	wrong := r.Header.Get("Upload-Offset") != strconv.FormatInt(s.offset, 10)
	s.mu.Unlock()
	if wrong {
		w.WriteHeader(http.StatusConflict)
		return
	}
	var came int64
	if second {
		came, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		close(s.silent)
		<-s.goOn
	}
	rest, err := io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	came += rest
	s.sent += came
	s.largest = max(s.largest, came)
	if err != nil {
		return // it was cut
	}
	s.offset += came
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Upload-Offset", strconv.FormatInt(s.offset, 10))
	w.WriteHeader(http.StatusNoContent)
}

func (s *tusService) info(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offset < s.length {
		http.Error(w, `{"error":"not found"}`, http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, `{"count":1,"total_results":1,"result":{"session_id":"job"}}`)
}

func TestATakeoverOfAResumableUploadSendsAtMostOneChunkTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := newTUSService(t)
	const chunk, size = 50 << 20, 120 << 20
	path := filepath.Join(s.root, "long.wav")
	require.NoError(t, os.WriteFile(path, wav(time.Second, 1), 0o600))
	require.NoError(t, os.Truncate(path, size)) // sparse
	reader := newFleet(t, s.pool, fleet.Options{Root: s.root})
	_, err := reader.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "file:long.wav", Key: "long", Params: scriptix.SubmitParams{Language: "en"}}}))
	require.NoError(t, err)
	r := s.role()
	r.Service, r.Resumable = service.server.URL, true
	first := r.begin(t)
	<-service.silent
	second := r.begin(t)
	defer second.kill()
	first.kill()
	killed := time.Now()
	close(service.goOn)

	inPhase(t, reader, "long", batch.Submitted)
	assert.Less(t, time.Since(killed), r.Lease+10*time.Second)
	callback(t, s.callback, r.Secret, "job")
	assert.Equal(t, batch.StateDone, await(t, reader, 1)["long"].State)
	service.mu.Lock()
	defer service.mu.Unlock()
	assert.Equal(t, 1, service.uploads)
	assert.LessOrEqual(t, service.largest, int64(chunk))
	assert.LessOrEqual(t, service.sent, int64(size+chunk), "%d bytes for %d", service.sent, size)
	t.Logf("%.1f MiB were sent for %d, the job was there %v after the kill", float64(service.sent)/(1<<20), size>>20, time.Since(killed).Round(time.Millisecond))
}
