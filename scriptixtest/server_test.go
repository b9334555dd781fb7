package scriptixtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestAJobIsUploadedThenProcessedThenCompleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithQueue(time.Minute), scriptixtest.WithProcessing(100*time.Second))
		file := wav(10 * time.Second)
		id := submit(t, s, file)
		path := "/api/v3/stt/" + id

		_, v := get(t, s, path+"/status")
		assert.Equal(t, object{"id": id, "status": "uploaded", "progress": 0.0}, v)
		status, v := get(t, s, path+"/result")
		assert.Equal(t, http.StatusConflict, status)
		assert.Equal(t, "Conflict", v["error"])

		time.Sleep(time.Minute + 37*time.Second)
		_, v = get(t, s, path+"/status")
		assert.Equal(t, object{"id": id, "status": "processing", "progress": 37.0}, v)
		time.Sleep(63*time.Second - 1)
		_, v = get(t, s, path+"/status")
		assert.Equal(t, object{"id": id, "status": "processing", "progress": 99.0}, v)
		time.Sleep(time.Nanosecond)
		_, v = get(t, s, path+"/status")
		assert.Equal(t, object{"id": id, "status": "completed", "progress": 100.0, "document_id": 1001.0}, v)

		status, v = get(t, s, path+"/result")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "completed", v["status"])
		assert.InDelta(t, 10.0, v["duration_seconds"], 0)
		assert.Contains(t, v["transcript"], "placeholder")
		assert.NotContains(t, v, "speakers")

		sum := sha256.Sum256(file)
		j, ok := s.Job(id)
		require.True(t, ok)
		assert.Equal(t, []scriptixtest.Job{j}, s.Jobs())
		assert.Equal(t, "a.wav", j.FileName)
		assert.Equal(t, int64(len(file)), j.Size)
		assert.Equal(t, hex.EncodeToString(sum[:]), j.SHA256)
		assert.Equal(t, 10*time.Second, j.Duration)
		assert.Equal(t, "en", j.Fields.Get("language"))
		assert.Equal(t, "completed", j.State)
		assert.Equal(t, 160*time.Second, j.EndedAt.Sub(j.CreatedAt))

		requests := s.Requests()
		require.Len(t, requests, 7)
		assert.Equal(t, scriptixtest.Submit, requests[0].Endpoint)
		assert.Equal(t, http.StatusCreated, requests[0].Status)
		assert.Greater(t, requests[0].Bytes, int64(len(file)))
		assert.Equal(t, http.StatusConflict, requests[2].Status)
		assert.NotContains(t, requests[0].Header, "Authorization")
	})
}

func TestWhatTheServiceWouldRefuseIsRefused(t *testing.T) {
	t.Parallel()
	good := []string{"language", "en"}
	with := func(pairs ...string) []string { return append(append([]string{}, good...), pairs...) }
	file := []byte("not empty")
	tests := map[string]struct {
		path, method, key string
		pairs             []string
		file              []byte
		status            int
		code, field       string
	}{
		"no key":                               {key: "-", pairs: good, file: file, status: 401, code: "MISSING_API_KEY"},
		"another key":                          {key: "sk_other", pairs: good, file: file, status: 401, code: "INVALID_API_KEY"},
		"no language":                          {pairs: []string{"model", "m"}, file: file, status: 422, field: "language"},
		"a language that is none":              {pairs: []string{"language", "e n"}, file: file, status: 422, field: "language"},
		"the documentation's unknown language": {pairs: []string{"language", "xx"}, file: file, status: 422, field: "language"},
		"two languages":                        {pairs: with("language", "nl"), file: file, status: 422, field: "language"},
		"no file":                              {pairs: good, status: 422, field: "audio_file"},
		"an empty file":                        {pairs: good, file: []byte{}, status: 422, field: "audio_file"},
		"a file that is text":                  {pairs: with("audio_file", "x"), status: 422, field: "audio_file"},
		"diarization that is no boolean":       {pairs: with("diarization", "yes"), file: file, status: 422, field: "diarization"},
		"unknown timestamps":                   {pairs: with("timestamps", "letter"), file: file, status: 422, field: "timestamps"},
		"a glossary id that is no number":      {pairs: with("glossary_id", "a"), file: file, status: 422, field: "glossary_id"},
		"a callback URL without TLS":           {pairs: with("webhook_url", "http://example.com/"), file: file, status: 422, field: "webhook_url"},
		"a relative callback URL":              {pairs: with("webhook_url", "/hook"), file: file, status: 422, field: "webhook_url"},
		"a file that is too large":             {pairs: good, file: make([]byte, 2001), status: 413},
		"an unknown job":                       {method: http.MethodGet, path: "/api/v3/stt/stt_no/status", status: 404},
		"the result of an unknown job":         {method: http.MethodGet, path: "/api/v3/stt/stt_no/result", status: 404},
		"an unknown path":                      {method: http.MethodGet, path: "/api/v3/jobs", status: 404},
		"another version":                      {method: http.MethodGet, path: "/api/v2/stt/x/status", status: 404},
		"a wrong method":                       {method: http.MethodGet, path: "/api/v3/stt", status: 405},
		"a wrong method on status":             {method: http.MethodPost, path: "/api/v3/stt/x/status", status: 405},
	}
	s := scriptixtest.New(t, scriptixtest.WithMaxUpload(2000, 0))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := submission(t, s, tt.file, tt.pairs...)
			if tt.path != "" {
				r = request(t, s, tt.method, tt.path, nil)
			}
			switch tt.key {
			case "":
			case "-":
				r.Header.Del("Authorization")
			default:
				r.Header.Set("Authorization", "Bearer "+tt.key)
			}
			res, body := do(t, s, r)
			assert.Equal(t, tt.status, res.StatusCode, "%s", body)
			assert.Equal(t, "application/json", res.Header.Get("Content-Type"))
			assert.NotEmpty(t, res.Header.Get("X-Request-Id"))
			v := decode(t, body)
			assert.NotEmpty(t, v["error"])
			assert.NotEmpty(t, v["message"])
			if tt.code != "" {
				assert.Equal(t, tt.code, v["error_code"])
			}
			if tt.field != "" {
				assert.Contains(t, v["details"], tt.field)
			}
		})
	}
	t.Cleanup(func() { assert.Empty(t, s.Jobs()) })
}

func TestAFileOverTheLimitIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t)
	r := submission(t, s, []byte("x"), "language", "en")
	r.Body, r.ContentLength = &endless{}, 600_000_000
	r.Header.Set("Expect", "100-continue")
	tr := s.HTTPClient().Transport.(*http.Transport).Clone()
	tr.ExpectContinueTimeout = time.Hour
	defer tr.CloseIdleConnections()

	res, err := tr.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	assert.Zero(t, s.Requests()[0].Bytes)
}

type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }
func (*endless) Close() error               { return nil }

func TestAMalformedFormIsRefused(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t)
	whole, contentType := form(t, []byte("data"), "language", "en")
	for name, tt := range map[string]struct {
		contentType string
		body        []byte
	}{
		"no multipart":     {"application/json", []byte("{}")},
		"no boundary":      {"multipart/form-data", whole},
		"cut in the form":  {contentType, whole[:len(whole)-10]},
		"another boundary": {"multipart/form-data; boundary=x", whole},
		"nothing":          {contentType, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(t, s, http.MethodPost, "/api/v3/stt", tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			res, body := do(t, s, r)
			assert.Equal(t, http.StatusBadRequest, res.StatusCode, "%s", body)
		})
	}
	t.Cleanup(func() { assert.Empty(t, s.Jobs()) })
}

func TestTheFileMayStandAnywhereInTheForm(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t)
	const body = "--b\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"a \\\"b\\\".mp3\"\r\nContent-Type: audio/mpeg\r\n\r\nID3" +
		"\r\n--b\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nauto\r\n--b--\r\n"
	r := request(t, s, http.MethodPost, "/api/v3/stt", []byte(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	res, answer := do(t, s, r)
	require.Equal(t, http.StatusCreated, res.StatusCode)
	assert.NotContains(t, decode(t, answer), "duration_seconds", "the length of an MP3 is not known")
	j := s.Jobs()[0]
	assert.Equal(t, `a "b".mp3`, j.FileName)
	assert.Equal(t, "audio/mpeg", j.ContentType)
	assert.Equal(t, int64(3), j.Size)
}

func TestRefusedConnectionsLookLikeTheRealThing(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptixtest.Option{"on loopback": nil, "in memory": {scriptixtest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, opts...)
			s.RefuseConnections(2)
			for range 2 {
				_, _, err := try(s, request(t, s, http.MethodGet, "/", nil))
				require.ErrorContains(t, err, "connection refused")
			}
			submit(t, s, wav(time.Second))
			s.HTTPClient().CloseIdleConnections()
			s.RefuseConnections(-1)
			for range 3 {
				_, _, err := try(s, request(t, s, http.MethodGet, "/", nil))
				require.ErrorContains(t, err, "connection refused")
			}
			s.RefuseConnections(0)
			submit(t, s, wav(time.Second))
			assert.Len(t, s.Requests(), 2)
		})
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) { //nolint:paralleltest // counts the goroutines of the process
	before := runtime.NumGoroutine()
	for _, opts := range [][]scriptixtest.Option{nil, {scriptixtest.InMemory()}, {scriptixtest.WithTLS()}, {scriptixtest.WithTLS(), scriptixtest.InMemory()}} {
		s, err := scriptixtest.Start(append(opts, scriptixtest.WithProcessing(0))...)
		require.NoError(t, err)
		blocked := make(chan struct{})
		s.Handle(hook, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(blocked)
			<-r.Context().Done()
		}))
		real := httptest.NewServer(&receiver{})
		submit(t, s, wav(time.Second), "webhook_url", hook)
		submit(t, s, wav(time.Second), "webhook_url", real.URL)
		<-blocked
		s.Fault(scriptixtest.Fault{Delay: time.Hour})
		failed := make(chan error, 1)
		slow := request(t, s, http.MethodGet, "/api/v3/stt/x/status", nil)
		go func() {
			_, _, err := try(s, slow)
			failed <- err
		}()
		for s.Stats().Requests < 3 {
			runtime.Gosched()
		}
		s.Close()
		s.Close()
		real.Close()
		require.Error(t, <-failed)
		require.Error(t, s.Redeliver(s.Jobs()[0].ID))
		_, _, err = try(s, request(t, s, http.MethodGet, "/", nil))
		require.Error(t, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched() // those of closed connections have ended but for their last instruction
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func TestTensOfThousandsOfJobsAreCheap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithHistory(10))
		rc := &receiver{}
		s.Handle(hook, rc)
		const jobs = 2000
		for range jobs {
			submit(t, s, []byte("audio"), "webhook_url", hook)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, rc.all(), jobs)
		assert.Equal(t, jobs, s.Stats().Deliveries)
	})
}

// tb is a test that fails at once.
type tb struct {
	failure string
	cleanup []func()
}

func (*tb) Helper()                        {}
func (b *tb) Cleanup(f func())             { b.cleanup = append(b.cleanup, f) }
func (b *tb) Fatalf(f string, args ...any) { b.failure = fmt.Sprintf(f, args...) }

func TestNewFailsTheTestWhenItCannotStartAndClosesWithIt(t *testing.T) {
	t.Parallel()
	var b tb
	assert.Nil(t, scriptixtest.New(&b, nil))
	assert.Equal(t, "scriptixtest: nil option", b.failure)
	assert.Empty(t, b.cleanup)

	s := scriptixtest.New(&b, scriptixtest.WithAPIKey("k"), scriptixtest.WithWebhookSecret("s"), scriptixtest.WithAddr("localhost:0"))
	assert.Equal(t, []string{"k", "s"}, []string{s.APIKey(), s.WebhookSecret()})
	submit(t, s, wav(time.Second))
	require.Len(t, b.cleanup, 1)
	b.cleanup[0]()
	_, _, err := try(s, request(t, s, http.MethodGet, "/", nil))
	require.Error(t, err)
	assert.Len(t, s.Jobs(), 1, "what it recorded can still be read")
}

func BenchmarkRequest(b *testing.B) {
	for name, opts := range map[string][]scriptixtest.Option{
		"in memory": {scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits{PerDay: 1 << 30})}, "on loopback": nil,
	} {
		b.Run(name, func(b *testing.B) {
			s := scriptixtest.New(b, opts...)
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL()+"/api/v3/stt/x/status", nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+s.APIKey())
				if _, _, err := try(s, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
