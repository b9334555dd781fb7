package batch_test

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// plain is a service that was not made for these tests' sake: it makes a job of
// a form, or of a resumable upload, once all of it is there, and keeps the audio.
type plain struct {
	t     *testing.T
	begun func() // called once, with the first bytes of a recording

	mu      sync.Mutex
	once    sync.Once
	uploads []*plainUpload
	jobs    [][]byte
}

type plainUpload struct {
	data   []byte
	length int
	job    int // 1 and more, once it is whole
}

func (s *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/v3/stt":
		if audio, ok := s.form(r); ok {
			s.make(w, audio)
		}
	case r.Method == http.MethodPost:
		s.mu.Lock()
		defer s.mu.Unlock()
		length, _ := strconv.Atoi(r.Header.Get("Upload-Length"))
		s.uploads = append(s.uploads, &plainUpload{length: length})
		w.Header().Set("Location", "/api/v3/files/"+strconv.Itoa(len(s.uploads)))
		w.WriteHeader(http.StatusCreated)
	case strings.HasPrefix(r.URL.Path, "/api/v3/files/"):
		s.file(w, r)
	case strings.HasSuffix(r.URL.Path, "/result"):
		_, _ = io.WriteString(w, `{"status":"completed","transcript":[{"start":0,"end":1,"text":"hello"}]}`)
	case strings.HasSuffix(r.URL.Path, "/status"):
		_, _ = io.WriteString(w, `{"status":"completed"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// file answers about one resumable upload.
func (s *plain) file(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/api/v3/files/"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || id < 1 || id > len(s.uploads) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	u := s.uploads[id-1]
	switch r.Method {
	case http.MethodPatch:
		if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.data)) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		s.mu.Unlock()
		chunk, _ := s.read(r.Body)
		s.mu.Lock()
		if u.data = append(u.data, chunk...); len(u.data) == u.length {
			s.jobs = append(s.jobs, u.data)
			u.job = len(s.jobs)
		}
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
		w.WriteHeader(http.StatusNoContent)
	case http.MethodHead:
		w.Header().Set("Upload-Length", strconv.Itoa(u.length))
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	default:
		job := ""
		if u.job > 0 {
			job = "job-" + strconv.Itoa(u.job)
		}
		_, _ = io.WriteString(w, `{"id":"`+strconv.Itoa(id)+`","job_id":"`+job+`","status":"uploaded"}`)
	}
}

func (s *plain) form(r *http.Request) (audio []byte, ok bool) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, false
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return audio, err == io.EOF && audio != nil //nolint:errorlint // as NextPart returns it
		}
		if part.FileName() != "" {
			if audio, err = s.read(part); err != nil {
				return nil, false
			}
		}
	}
}

func (s *plain) read(body io.Reader) ([]byte, error) {
	first := make([]byte, 1000)
	n, _ := io.ReadFull(body, first)
	s.once.Do(s.begun)
	rest, err := io.ReadAll(body)
	return append(first[:n], rest...), err
}

func (s *plain) make(w http.ResponseWriter, audio []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = append(s.jobs, audio)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id":"job-`+strconv.Itoa(len(s.jobs))+`","status":"queued"}`)
}

// changing is a ledger that has something happen once a record is claimed: the
// recording was hashed by then, and nothing of it is sent.
type changing struct {
	batch.Ledger
	once    sync.Once
	claimed func()
}

func (c *changing) Claim(ctx context.Context, r batch.Record) (batch.Record, bool, error) {
	r, claimed, err := c.Ledger.Claim(ctx, r)
	if c.claimed != nil {
		c.once.Do(c.claimed)
	}
	return r, claimed, err
}

func TestARecordingThatChangesAfterItWasKeyedIsNotPaidForUnderThatKey(t *testing.T) {
	t.Parallel()
	was, is := makeWAV(1, 4000), makeWAV(2, 4000)
	long, other := makeWAV(1, 10_000_000), makeWAV(2, 10_000_000) // more than the sockets between hold
	for name, c := range map[string]struct {
		resumable bool
		touched   time.Duration // before it is keyed
		during    bool          // while it is sent, not before
		named     bool          // by the caller: no content key
		change    func(t *testing.T, path string)
	}{
		"overwritten before it is sent":            {change: overwritten(is)},
		"overwritten, and it was old":              {touched: time.Hour, change: overwritten(is)},
		"overwritten, with its time set back":      {touched: time.Hour, change: backdated(is)},
		"replaced by another file":                 {touched: time.Hour, change: replaced(is)},
		"overwritten before a resumable upload":    {resumable: true, change: overwritten(is)},
		"replaced before a resumable upload":       {resumable: true, touched: time.Hour, change: replaced(is)},
		"overwritten while it is sent":             {during: true, change: overwritten(other)},
		"overwritten during a resumable upload":    {resumable: true, during: true, change: overwritten(other)},
		"overwritten while it is sent, by name":    {during: true, named: true, touched: time.Hour, change: overwritten(other)},
		"overwritten while it is resumed, by name": {resumable: true, during: true, named: true, touched: time.Hour, change: overwritten(other)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, was, is := filepath.Join(t.TempDir(), "a.wav"), was, is
			if c.during {
				was, is = long, other
			}
			require.NoError(t, os.WriteFile(path, was, 0o600))
			then := time.Now().Add(-c.touched)
			require.NoError(t, os.Chtimes(path, then, then))
			change := func() { c.change(t, path) }
			service := &plain{t: t, begun: func() {}}
			l := &changing{Ledger: batch.Memory()}
			if c.during {
				service.begun = change
			} else {
				l.claimed = change
			}
			server := httptest.NewServer(service)
			defer server.Close()
			above := int64(1 << 30)
			if c.resumable {
				above = 1000
			}
			client, err := scriptix.New("key", scriptix.WithBaseURL(server.URL), scriptix.WithResumableAbove(above))
			require.NoError(t, err)
			in := batch.Input{Audio: scriptix.File(path), Params: english}
			if c.named {
				in.Key = "by name"
			}
			o := one(t, collect(t.Context(), client, only(in), batch.Options{Ledger: l}))
			require.ErrorIs(t, o.Err, scriptix.ErrAudio)
			require.Contains(t, []batch.State{batch.StateRejected, batch.StateInterrupted}, o.State)
			assert.Empty(t, service.jobs)

			// The next run finds another recording, and pays for that once.
			for range 2 {
				o = one(t, collect(t.Context(), client, only(in), batch.Options{Ledger: l}))
				require.NoError(t, o.Err)
			}
			require.Len(t, service.jobs, 1)
			assert.True(t, bytes.Equal(is, service.jobs[0]))
		})
	}
}

func overwritten(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.Write(data)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

func backdated(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		info, err := os.Stat(path)
		require.NoError(t, err)
		overwritten(data)(t, path)
		require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
}

func replaced(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+".new", data, 0o600))
		require.NoError(t, os.Chtimes(path+".new", info.ModTime(), info.ModTime()))
		require.NoError(t, os.Rename(path+".new", path))
	}
}

func TestARefusalIsStoredBeforeItIsWaitedOut(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scriptixtest.Fault{
		"a 429":              {On: scriptixtest.Submit, Status: 429, RetryAfter: "50"},
		"a 503 that refuses": {On: scriptixtest.Submit, Status: 503, RetryAfter: "50"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(fault)
				l := batch.Memory()
				in := recording(t, 1)
				in.Key = "k"
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, func() {
					r, err := l.Get(t.Context(), batch.ByKey, "k")
					require.NoError(t, err)
					assert.Equal(t, batch.Claimed, r.Phase, "a process that is killed now leaves no unknown outcome")
					cancel()
				})
				began := time.Now()
				o := one(t, collect(ctx, newClient(t, fake), only(in), batch.Options{Ledger: l}))
				assert.Equal(t, batch.StateInterrupted, o.State)
				assert.Less(t, time.Since(began), 11*time.Second, "nothing of it is under way: there is no answer to wait for")
				o = one(t, collect(t.Context(), newClient(t, fake), only(in), batch.Options{Ledger: l}))
				require.NoError(t, o.Err)
				assert.Len(t, fake.Jobs(), 1)
			})
		})
	}
}
