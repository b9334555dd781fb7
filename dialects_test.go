package scriptix_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const (
	hintURL    = "https://me.example/hooks/scriptix"
	hintSecret = "0123456789abcdef0123456789abcdef"
)

// variant is a dialect of the service, and of the client that speaks it.
type variant struct {
	name    string
	fake    scriptixtest.Option
	dialect scriptix.Dialect
	probes  int                   // GETs before the first submit, by which a client learns where the key goes
	poll    scriptixtest.Endpoint // that says how a job is, once that is learned
	byURL   bool                  // recordings are fetched by the service, in a submit of their own
}

// variants are all that a client and a server can agree on.
func variants() []variant {
	return []variant{
		{"stt", scriptixtest.WithDialect(scriptixtest.STT), scriptix.DialectSTT, 0, scriptixtest.Status, false},
		{"session legacy", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), scriptix.DialectSession, 2, scriptixtest.Result, false},
		{"session current", scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Current), scriptix.DialectSession, 1, scriptixtest.Status, false},
	}
}

// sessions are the variants of the session dialect, with recordings that are
// uploaded and with recordings that the service fetches.
func sessions() []variant {
	all := variants()[1:]
	for _, v := range all {
		v.name, v.byURL = v.name+" by URL", true
		all = append(all, v)
	}
	return all
}

// variantOf is the variant that a test runs in, by its name: that of
// TestInEachDialect, or the default.
func variantOf(t *testing.T) variant {
	t.Helper()
	for _, v := range sessions() {
		if strings.HasPrefix(t.Name(), "TestInEachDialect/"+strings.ReplaceAll(v.name, " ", "_")+"/") {
			return v
		}
	}
	return variants()[0]
}

// newFake makes a fake that speaks the test's variant.
func newFake(t *testing.T, opts ...scriptixtest.Option) *scriptixtest.Server {
	t.Helper()
	return scriptixtest.New(t, append(opts, variantOf(t).fake)...)
}

// sourceOf is a recording as the test's variant sends it in one request.
func sourceOf(t *testing.T, data []byte) scriptix.Audio {
	t.Helper()
	if variantOf(t).byURL {
		return scriptix.FromURL("https://media.example/a.wav")
	}
	return scriptix.Bytes("a.wav", data)
}

// sent is what came to the fake after the client of the test's variant had learned
// where the key goes.
func sent(t *testing.T, fake *scriptixtest.Server) []scriptixtest.Request {
	t.Helper()
	all := fake.Requests()
	return all[min(len(all), variantOf(t).probes):]
}

// learn has a client find out where the key goes, as the test's variant has it.
func learn(t *testing.T, c *scriptix.Client) {
	t.Helper()
	if variantOf(t).probes > 0 {
		_, err := c.STT.Status(t.Context(), "nobody's")
		require.ErrorIs(t, err, scriptix.ErrNotFound)
	}
}

// inMemory makes a fake and a client of the variant, within a bubble.
func (v variant) inMemory(t *testing.T, fakeOpts []scriptixtest.Option, opts ...scriptix.Option) (*scriptixtest.Server, *scriptix.Client) {
	t.Helper()
	fake := scriptixtest.New(t, append(fakeOpts, v.fake, scriptixtest.InMemory())...)
	return fake, newClient(t, fake, append(opts, scriptix.WithDialect(v.dialect))...)
}

// inVariant is a test of one variant.
type inVariant struct {
	*testing.T
	variant
}

// inEachSession runs a test in a bubble, once for each variant of the session dialect.
func inEachSession(t *testing.T, test func(s inVariant)) {
	t.Helper()
	for _, v := range variants()[1:] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(inVariant{t, v}) })
		})
	}
}

func paths(fake *scriptixtest.Server) (list []string) {
	for _, r := range fake.Requests() {
		list = append(list, fmt.Sprintf("%s %s %s %d", r.Method, r.Endpoint, r.KeyIn, r.Status))
	}
	return list
}

func TestTheVariantAndTheHeaderAreLearnedByFreeGETsAlone(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"session legacy": {
			"GET result Authorization 401", "GET result X-Zoom-S2t-Key 404", // before anything else
			"POST files_create X-Zoom-S2t-Key 201", "PATCH files_patch X-Zoom-S2t-Key 204", "GET files_info X-Zoom-S2t-Key 200",
			"GET status X-Zoom-S2t-Key 404", "GET result X-Zoom-S2t-Key 409", "GET result X-Zoom-S2t-Key 409",
		},
		"session current": {
			"GET result Authorization 404",
			"POST files_create Authorization 201", "PATCH files_patch Authorization 204", "GET files_info Authorization 200",
			"GET status Authorization 200", "GET status Authorization 200",
		},
	}
	inEachSession(t, func(s inVariant) {
		t, v := s.T, s.variant
		fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithProcessing(time.Hour)})
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		for range 2 {
			job, err = c.STT.Status(t.Context(), job.ID)
			require.NoError(t, err)
			assert.Equal(t, scriptix.StatusProcessing, job.Status)
		}
		got := paths(fake)
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "x-zoom-s2t-key", "X-Zoom-S2t-Key")
		}
		assert.Equal(t, want[v.name], got)
	})
}

func TestANamedHeaderIsTheOnlyOneThatIsEverSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range []string{"Authorization", "X-Zoom-S2t-Key", "X-Api-Key"} {
			if r.Header.Get(name) != "" {
				seen = append(seen, name+"="+r.Header.Get(name))
			}
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(server.URL), quick, scriptix.WithDialect(scriptix.DialectSession.KeyHeader("x-api-key")))
	require.NoError(t, err)
	_, err = c.STT.Status(t.Context(), "s")
	require.ErrorIs(t, err, scriptix.ErrUnauthorized)
	_, err = c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrUnauthorized)
	assert.Equal(t, []string{"X-Api-Key=k", "X-Api-Key=k"}, seen)

	for _, d := range []scriptix.Dialect{{}, scriptix.DialectSession.KeyHeader(""), scriptix.DialectSession.KeyHeader("a b"), scriptix.DialectSession.TimeUnit(time.Minute)} {
		_, err := scriptix.New("k", scriptix.WithDialect(d))
		require.Error(t, err)
	}
}

func TestAProbeWithoutAnAnswerLeavesNothingSubmittedAndNothingUnknown(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 500, 503, 0} {
		var mu sync.Mutex
		var methods []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			methods = append(methods, r.Method)
			mu.Unlock()
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
		}))
		c, err := scriptix.New("k", scriptix.WithBaseURL(server.URL), quick, scriptix.WithDialect(scriptix.DialectSession))
		require.NoError(t, err)
		for _, a := range []scriptix.Audio{scriptix.Bytes("a.wav", wav), scriptix.FromURL("https://media.example/a.mp3")} {
			_, err = c.STT.Submit(t.Context(), a, scriptix.SubmitParams{Language: "en"})
			require.Error(t, err)
			require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
		}
		server.Close()
		assert.NotContains(t, methods, http.MethodPost, "%d", status)
	}
}

func TestASessionIsTranscribedFromItsUploadToItsWords(t *testing.T) {
	t.Parallel()
	for _, unit := range []scriptixtest.TimeUnit{scriptixtest.Seconds, scriptixtest.Milliseconds} {
		inEachSession(t, func(s inVariant) {
			t, v := s.T, s.variant
			fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithTimeUnit(unit), scriptixtest.WithProcessing(5 * time.Minute)})
			fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
				assert.Equal(t, "true", u.Fields.Get("punctuation"))
				assert.Equal(t, "document", u.Fields.Get("document_type"))
				assert.Equal(t, "true", u.Fields.Get("diarization"))
				assert.False(t, u.Fields.Has("timestamps"))
				return scriptixtest.Outcome{Duration: 4 * time.Second, Segments: []scriptixtest.Segment{
					{Start: 0, End: 1500 * time.Millisecond, Text: "good morning", Speaker: "S1", Confidence: 0.9},
					{Start: 2 * time.Second, End: 3250 * time.Millisecond, Text: "hello there", Speaker: "S2"},
				}}
			})
			p := scriptix.SubmitParams{Language: "en", Diarization: true, Timestamps: scriptix.TimestampsWord}
			got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", wav), p)
			require.NoError(t, err)
			assert.Equal(t, "good morning hello there", got.Text)
			assert.Equal(t, 4*time.Second, got.Duration)
			require.Len(t, got.Segments, 2)
			assert.Equal(t, "S2", got.Segments[1].Speaker)
			assert.Equal(t, 3250*time.Millisecond, got.Segments[1].Words[1].End)
			assert.Equal(t, []scriptix.Speaker{{ID: "S1", Segments: 1}, {ID: "S2", Segments: 1}}, got.Speakers)
			assert.Len(t, fake.Jobs(), 1)
		})
	}
}

func TestAURLIsSubmittedOnceAndOnlyWhereTheServiceFetchesIt(t *testing.T) {
	t.Parallel()
	media := scriptix.FromURL("https://media.example/rec/call.mp3?sig=s3cret")
	assert.Equal(t, "call.mp3", media.Name())
	_, _, err := media.Open(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	inEachSession(t, func(s inVariant) {
		t, v := s.T, s.variant
		fake, c := v.inMemory(t, nil)
		told := false
		job, err := c.STT.Submit(t.Context(), media, scriptix.SubmitParams{Language: "en"}, scriptix.OnProgress(func(_, _ int64) { told = true }))
		require.NoError(t, err)
		assert.Equal(t, "https://media.example/rec/call.mp3?sig=s3cret", fake.Jobs()[0].MediaURL)
		assert.Equal(t, "call.mp3", fake.Jobs()[0].FileName)
		assert.False(t, told)
		_, err = c.STT.WaitResult(t.Context(), job.ID)
		require.NoError(t, err)
	})
	fake := scriptixtest.New(t)
	_, err = newClient(t, fake).STT.Submit(t.Context(), media, scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrUnsupported)
	require.ErrorIs(t, newClient(t, fake).STT.Delete(t.Context(), "stt_1"), scriptix.ErrUnsupported)
	assert.Empty(t, fake.Requests(), "before a byte is sent")
}

func TestASubmitOfAURLThatWentOutWholeIsNeverRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  string
		status  int
		unknown bool
	}{
		"no answer":              {"", 0, true},
		"an internal id alone":   {`{"result":{"id":77,"status":"new"}}`, 201, true},
		"an unreadable answer":   {`{"result":`, 200, true},
		"a gateway's word":       {"", 502, true},
		"a status that is a sum": {`{"result":{"session_id":"s","status":3}}`, 200, true},
		"a refusal":              {`{"error":"no"}`, 422, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			posts := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Method == http.MethodGet {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				mu.Lock()
				posts++
				mu.Unlock()
				if c.status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			defer server.Close()
			client, err := scriptix.New("k", scriptix.WithBaseURL(server.URL), quick, scriptix.WithDialect(scriptix.DialectSession))
			require.NoError(t, err)
			_, err = client.STT.Submit(t.Context(), scriptix.FromURL("https://media.example/a.mp3"), scriptix.SubmitParams{Language: "en"})
			require.Error(t, err)
			assert.Equal(t, c.unknown, errors.Is(err, scriptix.ErrUnknownOutcome), "%v", err)
			mu.Lock()
			defer mu.Unlock()
			assert.Equal(t, 1, posts)
		})
	}
}

func TestASessionHasNoFieldForEverything(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session))
	c := newClient(t, fake, scriptix.WithDialect(scriptix.DialectSession))
	for name, p := range map[string]scriptix.SubmitParams{
		"model":    {Language: "en", Model: "m"},
		"glossary": {Language: "en", GlossaryID: 3},
		"own":      {Language: "en", Extra: map[string][]string{"webhook_headers": {"A: b"}}},
	} {
		for _, a := range []scriptix.Audio{scriptix.Bytes("a.wav", wav), scriptix.FromURL("https://media.example/a.mp3")} {
			_, err := c.STT.Submit(t.Context(), a, p)
			require.ErrorIs(t, err, scriptix.ErrInvalid, name)
		}
	}
	_, err := c.STT.Submit(t.Context(), scriptix.FromURL("ftp://media.example/a.mp3"), scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrInvalid)
	assert.Empty(t, fake.Requests())

	extra := map[string][]string{"punctuation": {"false"}, "document_type": {"caption"}, "folder_id": {"9"}}
	for _, a := range []scriptix.Audio{scriptix.Bytes("a.wav", wav), scriptix.FromURL("https://media.example/a.mp3")} {
		_, err = c.STT.Submit(t.Context(), a, scriptix.SubmitParams{Language: "en", Extra: extra})
		require.NoError(t, err)
	}
	for _, job := range fake.Jobs() {
		assert.Equal(t, []string{"false", "caption", "9"}, []string{job.Fields.Get("punctuation"), job.Fields.Get("document_type"), job.Fields.Get("folder_id")})
	}
}

func TestTheChannelsOfACallAreItsSpeakersWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	for _, v := range sessions() {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprint(v.name, " ", split), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					fake, c := v.inMemory(t, nil)
					fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
						o := scriptixtest.Outcome{Segments: []scriptixtest.Segment{
							{Start: 0, End: time.Second, Text: "Good morning."}, {Start: 2 * time.Second, End: 3 * time.Second, Text: "Hello."},
						}}
						if u.Fields.Get("multichannel") == "true" {
							o.Channels = []int{0, 1}
						}
						return o
					})
					params := scriptix.SubmitParams{Language: "en"}
					want := []string{"", ""}
					if split {
						params.Extra = url.Values{"multichannel": {"true"}}
						want = []string{"Channel 1", "Channel 2"}
					}
					audio := scriptix.Bytes("a.wav", makeWAV(4*time.Second))
					if v.byURL {
						audio = scriptix.FromURL("https://media.example/a.wav")
					}
					got, err := c.STT.Transcribe(t.Context(), audio, params)
					require.NoError(t, err)
					var speakers []string
					for _, s := range got.Segments {
						speakers = append(speakers, s.Speaker)
					}
					assert.Equal(t, want, speakers)
				})
			})
		}
	}
}

func TestASessionCanBeDeletedOnceAndAgain(t *testing.T) {
	t.Parallel()
	inEachSession(t, func(s inVariant) {
		t, v := s.T, s.variant
		fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithOtherKeys("other")})
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		other, err := scriptix.New("other", scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithDialect(v.dialect))
		require.NoError(t, err)
		require.ErrorIs(t, other.STT.Delete(t.Context(), job.ID), scriptix.ErrNotFound)
		require.NoError(t, c.STT.Delete(t.Context(), job.ID))
		require.NoError(t, c.STT.Delete(t.Context(), job.ID), "already done")
		_, err = c.STT.Status(t.Context(), job.ID)
		require.ErrorIs(t, err, scriptix.ErrNotFound)
	})
}

func TestAHintIsWorthOneEarlyPollAndNoMore(t *testing.T) {
	t.Parallel()
	inEachSession(t, func(s inVariant) {
		t, v := s.T, s.variant
		fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithProcessing(47 * time.Minute)}, scriptix.WithWebhook(hintURL, hintSecret, "an older secret of more bytes"))
		events := 0
		c.OnEvent(func(context.Context, webhook.Event) error { events++; return nil })
		h, err := c.HintHandler()
		require.NoError(t, err)
		fake.Handle(hintURL, h)
		began := time.Now()
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		go func() { // a leaked secret: a hint a second for ten minutes
			time.Sleep(30 * time.Minute)
			for range 600 {
				send(h, http.MethodPost, "/x/"+hintSecret, "", `{"sessionId":"`+job.ID+`","zoom_id":"1"}`)
				time.Sleep(time.Second)
			}
		}()
		before := len(fake.Requests())
		ended, err := c.STT.Wait(t.Context(), job.ID)
		require.NoError(t, err)
		assert.Equal(t, scriptix.SourcePoll, ended.Source)
		time.Sleep(time.Millisecond) // a poll of that very instant may be before the hint
		assert.Less(t, time.Since(began), 47*time.Minute+5*time.Second, "the service's own hint brought the poll forward")
		assert.Less(t, len(fake.Requests())-before, 100, "at most one early poll in 30 s")
		assert.Zero(t, events)
		assert.Zero(t, c.Stats().EndedByCallback)
		assert.Equal(t, 200, fake.Jobs()[0].Deliveries[0].Status)
	})
}

func send(h http.Handler, method, path, bearer, body string) int {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestHintsAreRefusedWithoutASecretAndForgottenWithoutAJob(t *testing.T) {
	t.Parallel()
	c, err := scriptix.New("k", scriptix.WithDialect(scriptix.DialectSession), scriptix.WithWebhook(hintURL, hintSecret, "the second, of 16 bytes"))
	require.NoError(t, err)
	h, err := c.HintHandler()
	require.NoError(t, err)
	body := `{"sessionId":"s1"}`
	for name, r := range map[string]struct {
		method, path, bearer, body string
		want                       int
	}{
		"the header's":        {"POST", "/hook", hintSecret, body, 200},
		"the path's":          {"PUT", "/hook/" + hintSecret, "", body, 200},
		"the second":          {"POST", "/hook/the%20second,%20of%2016%20bytes", "", body, 200},
		"none":                {"POST", "/hook", "", body, 401},
		"a wrong one":         {"POST", "/hook/" + hintSecret + "0", "x", body, 401},
		"half of it":          {"POST", "/hook/" + hintSecret[:16], "", body, 401},
		"a query is no place": {"POST", "/hook?s=" + hintSecret, "", body, 401},
		"GET":                 {"GET", "/hook", hintSecret, body, 405},
		"no JSON":             {"POST", "/hook", hintSecret, `hello`, 400},
		"no id":               {"POST", "/hook", hintSecret, `{}`, 400},
		"a byte order mark":   {"POST", "/hook", hintSecret, "\ufeff" + body, 200},
		"a list":              {"POST", "/hook", hintSecret, `[{"sessionId":"s1"}]`, 400},
		"a document":          {"POST", "/hook", hintSecret, `{"sessionId":"s1","documentId":"d"}`, 200},
		"too long":            {"POST", "/hook", hintSecret, `{"a":"` + strings.Repeat("x", 65<<10) + `"}`, 413},
		"too long and wrong":  {"POST", "/hook", "x", strings.Repeat("x", 65<<10), 401},
	} {
		assert.Equal(t, r.want, send(h, r.method, r.path, r.bearer, r.body), name)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+hintSecret)
	r.Header.Set("X-Scriptix-Session", "s2")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, 400, w.Code, "the header names another session")

	for _, opts := range [][]scriptix.Option{{}, {scriptix.WithWebhook(hintURL, "fifteen bytes..")}} {
		c, err := scriptix.New("k", append(opts, scriptix.WithDialect(scriptix.DialectSession))...)
		require.NoError(t, err)
		_, err = c.HintHandler()
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "fifteen")
	}
}

func TestAForgedHintAndAFailedSessionChangeNothing(t *testing.T) {
	t.Parallel()
	inEachSession(t, func(s inVariant) {
		t, v := s.T, s.variant
		fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithProcessing(10 * time.Minute)}, scriptix.WithWebhook(hintURL, hintSecret))
		h, err := c.HintHandler()
		require.NoError(t, err)
		fake.Handle(hintURL, h)
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			if u.FileName == "fails.wav" {
				return scriptixtest.Outcome{Failure: "too quiet"}
			}
			return scriptixtest.Outcome{Callback: scriptixtest.Callback{Forged: true}}
		})
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en", WebhookURL: hintURL + "?mine=1"})
		require.NoError(t, err)
		_, err = c.STT.WaitResult(t.Context(), job.ID)
		require.NoError(t, err)
		deliveries := fake.Jobs()[0].Deliveries
		require.NotEmpty(t, deliveries)
		assert.Equal(t, 401, deliveries[0].Status)

		_, err = c.STT.Transcribe(t.Context(), scriptix.Bytes("fails.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.ErrorIs(t, err, scriptix.ErrJobFailed)
		assert.Contains(t, err.Error(), "too quiet")
	})
}

func TestAResultThatIsNotReadyIsNoJobThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 409, 202, 200} {
		inEachSession(t, func(s inVariant) {
			t, v := s.T, s.variant
			fake, c := v.inMemory(t, []scriptixtest.Option{scriptixtest.WithNotReady(status), scriptixtest.WithProcessing(time.Hour)})
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
			require.NoError(t, err)
			later := newClient(t, fake, scriptix.WithDialect(v.dialect)) // which knows nothing yet
			_, err = later.STT.WaitResult(t.Context(), job.ID)
			require.NoError(t, err)
			_, err = later.STT.Wait(t.Context(), "nobody's")
			require.ErrorIs(t, err, scriptix.ErrNotFound)
		})
	}
}
