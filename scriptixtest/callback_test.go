package scriptixtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// always makes every job behave alike.
func always(o scriptixtest.Outcome) func(scriptixtest.Upload) scriptixtest.Outcome {
	return func(scriptixtest.Upload) scriptixtest.Outcome { return o }
}

func TestTheCallbackIsSignedCompactAndSentToTheURLWithItsQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Minute))
		s.Script(always(scriptixtest.Outcome{DocumentID: 456}))
		rc := &receiver{}
		s.Handle(hook, rc)
		began := time.Now()
		id := submit(t, s, wav(1500*time.Millisecond), "webhook_url", hook+"?token=a%2Fb")
		time.Sleep(time.Hour)
		synctest.Wait()

		require.Len(t, rc.all(), 1)
		got := rc.all()[0]
		assert.Equal(t, time.Minute, got.at.Sub(began))
		assert.Equal(t, http.MethodPost, got.method)
		assert.Equal(t, "/hook?token=a%2Fb", got.uri)
		assert.Equal(t, "example.com", got.host)
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.NotEmpty(t, got.header.Get("User-Agent"))
		assert.True(t, got.signedBy(s.WebhookSecret()))
		assert.Equal(t, `{"event":"transcription.completed","timestamp":"2000-01-01T00:01:00Z","data":{"id":"`+id+
			`","status":"completed","document_id":456,"duration_seconds":1.5,"language":"en"}}`, string(got.body))
		j, _ := s.Job(id)
		assert.Equal(t, []scriptixtest.Delivery{{Time: began.Add(time.Minute), Event: "transcription.completed", Status: 200}}, j.Deliveries)
	})
}

func TestTheCallbackIsRetriedAfterOneFiveAndFifteenMinutes(t *testing.T) {
	t.Parallel()
	slow := func(int) int { time.Sleep(29 * time.Second); return http.StatusServiceUnavailable }
	tests := map[string]struct {
		answer func(int) int
		want   []int // statuses
	}{
		"until it gives up":              {func(int) int { return 500 }, []int{500, 500, 500, 500}},
		"until it is accepted":           {func(n int) int { return []int{503, 401, 204}[n] }, []int{503, 401, 204}},
		"also after a redirect":          {func(n int) int { return []int{302, 200}[n] }, []int{302, 200}},
		"however slow the receiver is":   {slow, []int{503, 503, 503, 503}},
		"not at all after any other 2xx": {func(int) int { return 202 }, []int{202}},
		"after 30 s without an answer":   {func(int) int { time.Sleep(31 * time.Second); return 200 }, []int{0, 0, 0, 0}},
		"after a handler that panics":    {func(int) int { panic(http.ErrAbortHandler) }, []int{0, 0, 0, 0}},
	}
	offsets := []time.Duration{0, time.Minute, 6 * time.Minute, 21 * time.Minute}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Second))
				rc := &receiver{answer: tt.answer}
				s.Handle(hook, rc)
				id := submit(t, s, wav(time.Second), "webhook_url", hook)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				j, _ := s.Job(id)
				require.Len(t, j.Deliveries, len(tt.want))
				for i, d := range j.Deliveries {
					assert.Equal(t, tt.want[i], d.Status)
					assert.Equal(t, i, d.Attempt)
					assert.Equal(t, offsets[i], d.Time.Sub(j.EndedAt))
					assert.Equal(t, d.Status == 0, d.Err != "")
				}
				for _, r := range rc.all() {
					assert.Equal(t, string(rc.all()[0].body), string(r.body), "the body stays the same")
					assert.True(t, r.signedBy(s.WebhookSecret()))
				}
			})
		})
	}
}

func TestCallbacksMisbehaveAsScripted(t *testing.T) {
	t.Parallel()
	const done, failed = "transcription.completed", "transcription.failed"
	tests := map[string]struct {
		callback scriptixtest.Callback
		failure  string
		events   []string
		at       []time.Duration
		unsigned bool
	}{
		"lost":                          {callback: scriptixtest.Callback{Lose: true}},
		"dropped on the way":            {callback: scriptixtest.Callback{Drop: 2}, events: []string{done}, at: []time.Duration{6 * time.Minute}},
		"delayed":                       {callback: scriptixtest.Callback{Delay: time.Hour}, events: []string{done}, at: []time.Duration{time.Hour}},
		"unsigned":                      {callback: scriptixtest.Callback{Unsigned: true}, events: []string{done}, at: []time.Duration{0}, unsigned: true},
		"forged":                        {callback: scriptixtest.Callback{Forged: true}, events: []string{done}, at: []time.Duration{0}, unsigned: true},
		"repeated":                      {callback: scriptixtest.Callback{Repeat: 2, RepeatEvery: time.Second}, events: []string{done, done, done}, at: []time.Duration{0, time.Second, 2 * time.Second}},
		"contradicted":                  {callback: scriptixtest.Callback{Contradict: true}, events: []string{done, failed}, at: []time.Duration{0, 0}},
		"untrue":                        {callback: scriptixtest.Callback{Untrue: true}, events: []string{failed}, at: []time.Duration{0}},
		"untrue, then contradicted":     {callback: scriptixtest.Callback{Untrue: true, Contradict: true}, events: []string{failed, done}, at: []time.Duration{0, 0}},
		"of a failed job":               {failure: "no speech", events: []string{failed}, at: []time.Duration{0}},
		"of an unknown event":           {callback: scriptixtest.Callback{Event: "x.y"}, events: []string{"x.y"}, at: []time.Duration{0}},
		"behind others that never come": {callback: scriptixtest.Callback{Behind: 1}, events: []string{done}, at: []time.Duration{10 * time.Minute}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Second))
				s.Script(always(scriptixtest.Outcome{Failure: tt.failure, Callback: tt.callback}))
				rc := &receiver{}
				s.Handle(hook, rc)
				id := submit(t, s, wav(time.Second), "webhook_url", hook)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				j, _ := s.Job(id)
				events, _ := rc.events(t)
				assert.Equal(t, tt.events, events)
				for i, r := range rc.all() {
					assert.Equal(t, tt.at[i], r.at.Sub(j.EndedAt))
					assert.Equal(t, tt.unsigned, !r.signedBy(s.WebhookSecret()))
					assert.Equal(t, tt.callback.Unsigned, r.header.Get("X-Scriptix-Signature") == "")
				}
				require.NotEmpty(t, j.Deliveries)
				assert.Equal(t, tt.callback.Lose, j.Deliveries[0].Undelivered)
			})
		})
	}
}

func TestACallbackCanComeBeforeTheAnswerOfSubmit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Hour))
		s.Script(always(scriptixtest.Outcome{Callback: scriptixtest.Callback{Before: true}}))
		rc := &receiver{answer: func(int) int { time.Sleep(2 * time.Second); return 200 }}
		s.Handle(hook, rc)
		began := time.Now()
		id := submit(t, s, wav(time.Second), "webhook_url", hook)
		assert.Equal(t, 2*time.Second, time.Since(began))
		_, ids := rc.events(t)
		assert.Equal(t, []string{id}, ids)
		_, v := get(t, s, "/api/v3/stt/"+id+"/status")
		assert.Equal(t, "completed", v["status"])
	})
}

func TestACallbackCanBeOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Minute))
		var first string
		s.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			if first == "" {
				first = u.JobID
				return scriptixtest.Outcome{Callback: scriptixtest.Callback{Behind: 2}}
			}
			return scriptixtest.Outcome{}
		})
		rc := &receiver{}
		s.Handle(hook, rc)
		var ids []string
		for range 4 {
			ids = append(ids, submit(t, s, wav(time.Second), "webhook_url", hook))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		_, got := rc.events(t)
		assert.Equal(t, []string{ids[1], ids[2], ids[0], ids[3]}, got)
	})
}

func TestTheResultCanBeLaterThanTheCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Minute))
		s.Script(always(scriptixtest.Outcome{ResultDelay: 20 * time.Second}))
		rc := &receiver{}
		s.Handle(hook, rc)
		id := submit(t, s, wav(time.Second), "webhook_url", hook)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, rc.all(), 1)
		_, v := get(t, s, "/api/v3/stt/"+id+"/status")
		assert.Equal(t, "processing", v["status"])
		status, _ := get(t, s, "/api/v3/stt/"+id+"/result")
		assert.Equal(t, http.StatusConflict, status)
		time.Sleep(20 * time.Second)
		status, _ = get(t, s, "/api/v3/stt/"+id+"/result")
		assert.Equal(t, http.StatusOK, status)
	})
}

func TestRedeliverSendsTheSameCallbackOnceMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Minute))
		s.Script(always(scriptixtest.Outcome{Callback: scriptixtest.Callback{Lose: true}}))
		rc := &receiver{answer: func(n int) int { return []int{200, 503}[n] }}
		s.Handle(hook, rc)
		require.ErrorContains(t, s.Redeliver("stt_no"), "no job")
		silent := submit(t, s, wav(time.Second))
		id := submit(t, s, wav(time.Second), "webhook_url", hook)
		require.ErrorContains(t, s.Redeliver(silent), "webhook_url")
		require.ErrorContains(t, s.Redeliver(id), "not ended")
		time.Sleep(time.Hour)
		require.NoError(t, s.Redeliver(id))
		require.ErrorContains(t, s.Redeliver(id), "503")
		s.Handle(hook, nil)
		require.ErrorContains(t, s.Redeliver(id), "not sent")
		time.Sleep(24 * time.Hour)
		require.Len(t, rc.all(), 2)
		assert.Equal(t, rc.all()[0].body, rc.all()[1].body)
	})
}

func TestCallbacksGoToLoopbackOverRealHTTPAndNowhereElse(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.WithProcessing(0), scriptixtest.WithCallbackRetries(0))
	secret := s.WebhookSecret()
	arrived := make(chan received, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", func(_ http.ResponseWriter, r *http.Request) {
		rc := &receiver{}
		rc.ServeHTTP(nil, r)
		arrived <- rc.all()[0]
	})
	mux.Handle("POST /elsewhere", http.RedirectHandler("/hook", http.StatusTemporaryRedirect))
	real := httptest.NewServer(mux)
	defer real.Close()

	id := submit(t, s, wav(time.Second), "webhook_url", real.URL+"/hook?token=1")
	got := <-arrived
	assert.Equal(t, "/hook?token=1", got.uri)
	assert.True(t, got.signedBy(secret))
	var v struct{ Data struct{ ID string } }
	require.NoError(t, json.Unmarshal(got.body, &v))
	assert.Equal(t, id, v.Data.ID)

	redirected := submit(t, s, wav(time.Second), "webhook_url", real.URL+"/elsewhere")
	outside := submit(t, s, wav(time.Second), "webhook_url", "https://192.0.2.1/hook")
	nobody := submit(t, s, wav(time.Second), "webhook_url", "http://127.0.0.1:1/hook")
	deliveries := func(id string, n int) []scriptixtest.Delivery {
		require.Eventually(t, func() bool { j, _ := s.Job(id); return len(j.Deliveries) >= n }, 10*time.Second, time.Millisecond)
		j, _ := s.Job(id)
		return j.Deliveries
	}
	assert.Equal(t, http.StatusTemporaryRedirect, deliveries(redirected, 2)[1].Status)
	d := deliveries(outside, 1)[0]
	assert.True(t, d.Undelivered)
	assert.Contains(t, d.Err, "loopback")
	d = deliveries(nobody, 2)[1]
	assert.False(t, d.Undelivered)
	assert.Contains(t, d.Err, "connection refused")
	assert.Empty(t, arrived, "a redirect is not followed")
}

func TestTheCallbackOfJSONStringifyHasTheSameBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		const reason = "a<b>&c \u2028\u2029 \\u2028 \ufffd \"é\" \t"
		s.Script(always(scriptixtest.Outcome{Failure: reason + "\xff"}))
		rc := &receiver{}
		s.Handle(hook, rc)
		submit(t, s, wav(time.Second), "webhook_url", hook)
		time.Sleep(time.Minute)
		synctest.Wait()
		body := string(rc.all()[0].body)
		assert.Contains(t, body, `"error":"a<b>&c `+"\u2028\u2029"+` \\u2028 `+"\ufffd"+` \"é\" \t`+"\ufffd"+`"`)
		v := decode(t, rc.all()[0].body)
		assert.Equal(t, reason+"\ufffd", v["data"].(object)["error"])
	})
}

func TestAHandlerIsCalledAsAServerWouldCallIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		events := make(chan webhook.Event, 1)
		h, err := webhook.NewHandler(func(_ context.Context, e webhook.Event) error { events <- e; return nil }, []string{s.WebhookSecret()})
		require.NoError(t, err)
		s.Handle("https://EXAMPLE.com", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.NotNil(t, r.TLS)
			assert.Equal(t, "/", r.URL.Path)
			assert.NotEmpty(t, r.RemoteAddr)
			assert.Positive(t, r.ContentLength)
			c := http.NewResponseController(w)
			assert.NoError(t, c.SetReadDeadline(time.Now()))
			assert.NoError(t, c.SetWriteDeadline(time.Now()))
			assert.NoError(t, c.EnableFullDuplex())
			w.Header().Set("X-Test", "1")
			w.WriteHeader(http.StatusEarlyHints)
			h.ServeHTTP(w, r)
			assert.NoError(t, c.Flush())
			_, err := w.Write([]byte("ok"))
			assert.NoError(t, err)
		}))
		id := submit(t, s, wav(time.Second), "webhook_url", "https://example.com?token=t")
		time.Sleep(time.Minute)
		synctest.Wait()
		e := <-events
		assert.Equal(t, id, e.Data.ID)
		assert.Equal(t, "/?token=t", e.Target)
		j, _ := s.Job(id)
		require.Len(t, j.Deliveries, 1)
		assert.Equal(t, http.StatusOK, j.Deliveries[0].Status)
	})
}
