package scriptixtest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const sessions = "/api/v3/speech-to-text/session"

// ask sends a request with the key in the header, and reads a JSON object.
func ask(t *testing.T, s *scriptixtest.Server, method, path, header, body string) (int, object) {
	t.Helper()
	r := request(t, s, method, path, nil)
	r.Header.Del("Authorization")
	r.Header.Set(header, map[bool]string{true: "Bearer "}[header == "Authorization"]+s.APIKey())
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	}
	res, data := do(t, s, r)
	var v object
	if len(data) > 0 {
		_ = json.Unmarshal(data, &v) // a file is none
	}
	return res.StatusCode, v
}

func TestEachVariantTakesItsOwnHeaderAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options scriptixtest.Option
		header  string
		path    string
		want    int
	}{
		"legacy refuses Bearer":                {scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), "Authorization", sessions + "/x/result", 401},
		"legacy takes its own":                 {scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), "x-zoom-s2t-key", sessions + "/x/result", 404},
		"legacy has no status call":            {scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy), "x-zoom-s2t-key", sessions + "/x", 404},
		"current takes Bearer":                 {scriptixtest.WithDialect(scriptixtest.Session), "Authorization", sessions + "/x", 404},
		"current refuses the old one":          {scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Current), "x-zoom-s2t-key", sessions + "/x", 401},
		"a session server has no stt":          {scriptixtest.WithDialect(scriptixtest.Session), "Authorization", "/api/v3/stt/x/status", 404},
		"an stt server has no sessions":        {scriptixtest.WithDialect(scriptixtest.STT), "Authorization", sessions + "/x", 404},
		"both takes Bearer for stt":            {scriptixtest.WithDialect(scriptixtest.DialectBoth), "Authorization", "/api/v3/stt/x/status", 404},
		"both refuses the old one for stt":     {scriptixtest.WithDialect(scriptixtest.DialectBoth), "x-zoom-s2t-key", "/api/v3/stt/x/status", 401},
		"both takes the old one for a session": {scriptixtest.WithDialect(scriptixtest.DialectBoth), "x-zoom-s2t-key", sessions + "/x", 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t, c.options)
			got, _ := ask(t, fake, http.MethodGet, c.path, c.header, "")
			assert.Equal(t, c.want, got)
		})
	}
}

func TestASessionOfAURLIsTranscribedWithoutADownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithTimeUnit(scriptixtest.Milliseconds))
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			assert.Equal(t, "https://media.example/a/call.mp3", u.MediaURL)
			return scriptixtest.Outcome{Processing: time.Minute, Duration: 90 * time.Second, Segments: []scriptixtest.Segment{{End: 2 * time.Second, Text: "good morning"}}}
		})
		status, v := ask(t, fake, http.MethodPost, sessions, "Authorization", `{"language":"en","media_source":"https://media.example/a/call.mp3","punctuation":true}`)
		require.Equal(t, 201, status)
		id := v["result"].(object)["session_id"].(string)
		assert.Len(t, id, 32)

		status, _ = ask(t, fake, http.MethodGet, sessions+"/"+id+"/result", "Authorization", "")
		assert.Equal(t, 409, status, "not ready")
		time.Sleep(2 * time.Minute)
		status, v = ask(t, fake, http.MethodGet, sessions+"/"+id, "Authorization", "")
		require.Equal(t, 200, status)
		assert.Equal(t, "completed", v["status"])
		assert.InDelta(t, 90, v["duration"], 0)

		_, v = ask(t, fake, http.MethodGet, sessions+"/"+id+"/result", "Authorization", "")
		first := v["result"].(object)["results"].([]any)[0].(object)
		assert.Equal(t, "unk", first["speaker"])
		assert.Equal(t, []any{"good", 0.0, 769.0, 0.0}, first["result"].([]any)[0])

		status, _ = ask(t, fake, http.MethodDelete, sessions+"/"+id, "Authorization", "")
		assert.Equal(t, 204, status)
		status, _ = ask(t, fake, http.MethodDelete, sessions+"/"+id, "Authorization", "")
		assert.Equal(t, 400, status, "already deleted")
		status, _ = ask(t, fake, http.MethodGet, sessions+"/"+id, "Authorization", "")
		assert.Equal(t, 404, status)
	})
}

func TestASessionsFieldsAreStrict(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session))
	for name, body := range map[string]string{
		"a flag that is a text":        `{"language":"en","media_source":"https://a.example/b","punctuation":"true"}`,
		"no media":                     `{"language":"en"}`,
		"a model":                      `{"language":"en","media_source":"https://a.example/b","model":"m"}`,
		"headers that are none":        `{"language":"en","media_source":"https://a.example/b","webhook_headers":["Authorization"]}`,
		"headers that are an object":   `{"language":"en","media_source":"https://a.example/b","webhook_headers":{"a":"b"}}`,
		"a document of another kind":   `{"language":"en","media_source":"https://a.example/b","document":{"document_type":"essay"}}`,
		"no language":                  `{"media_source":"https://a.example/b"}`,
		"a method that is no callback": `{"language":"en","media_source":"https://a.example/b","webhook_method":"GET"}`,
	} {
		status, _ := ask(t, fake, http.MethodPost, sessions, "Authorization", body)
		assert.Equal(t, 422, status, name)
	}
	assert.Empty(t, fake.Jobs())
}

// uploadSession sends a whole session as a resumable upload of one chunk, and returns its id.
func uploadSession(t *testing.T, s *scriptixtest.Server, metadata map[string]string) string {
	t.Helper()
	var pairs []string
	for k, v := range metadata {
		pairs = append(pairs, k+" "+base64.StdEncoding.EncodeToString([]byte(v)))
	}
	r := request(t, s, http.MethodPost, "/api/v3/files/", nil)
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Upload-Length", "4")
	r.Header.Set("Upload-Metadata", strings.Join(pairs, ","))
	res, body := do(t, s, r)
	require.Equal(t, 201, res.StatusCode, "%s", body)
	path := "/api/v3/files/" + res.Header.Get("Location")[strings.LastIndex(res.Header.Get("Location"), "/")+1:]
	r = request(t, s, http.MethodPatch, path, []byte("four"))
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Upload-Offset", "0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	res, _ = do(t, s, r)
	require.Equal(t, 204, res.StatusCode)
	_, v := get(t, s, path)
	return v["result"].(object)["session_id"].(string)
}

func TestUnsignedCallbacksCarryTheCallersHeadersAndFailedSessionsSendNone(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 4)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		got <- r
	}))
	defer receiver.Close()
	fake := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(time.Millisecond))
	document := `{"webhook_url":"` + receiver.URL + `/secret","webhook_method":"PUT","webhook_headers":["Authorization: Bearer secret","X-Scriptix-Session: mine"]}`
	metadata := map[string]string{"language": "en", "filename": "a.wav", "document": document}
	id := uploadSession(t, fake, metadata)

	r := <-got
	body, _ := io.ReadAll(r.Body)
	assert.Equal(t, http.MethodPut, r.Method)
	assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
	assert.Equal(t, id, r.Header.Get("X-Scriptix-Session"), "which cannot be replaced")
	assert.Empty(t, r.Header.Get("X-Scriptix-Signature"))
	assert.JSONEq(t, `{"sessionId":"`+id+`","zoom_id":"`+id+`"}`, string(body))

	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Failure: "too loud"} })
	failed := uploadSession(t, fake, metadata)
	require.Eventually(t, func() bool { j, _ := fake.Job(failed); return len(j.Deliveries) == 1 }, 5*time.Second, time.Millisecond)
	j, _ := fake.Job(failed)
	assert.True(t, j.Deliveries[0].Undelivered)
	assert.Empty(t, got)
}

func TestExportsAreBodiesOrLinksToASecondHostThatNoticesTheKey(t *testing.T) {
	t.Parallel()
	fake, err := scriptixtest.Start(scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(time.Nanosecond), scriptixtest.WithDownloadLinks(1))
	require.NoError(t, err)
	defer fake.Close()
	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Text: "hello", Exports: map[string]string{"stl": "a subtitle file"}}
	})
	id := uploadSession(t, fake, map[string]string{"language": "en", "filename": "a.wav"})
	require.Eventually(t, func() bool { j, _ := fake.Job(id); return !j.EndedAt.IsZero() }, 5*time.Second, time.Millisecond)
	_, v := get(t, fake, sessions+"/"+id)
	document := sessions + "/" + id + "/document/1001"
	require.InDelta(t, 1001, v["document"].(object)["id"], 0)

	_, v = ask(t, fake, http.MethodGet, document, "Authorization", "")
	assert.Equal(t, "hello", v["result"].(object)["document"].([]any)[0].(object)["text"])
	_, v = ask(t, fake, http.MethodGet, document+"?format=json", "Authorization", "")
	assert.Contains(t, v, "document", "which is always the body")
	_, v = ask(t, fake, http.MethodGet, document+"?format=stl", "Authorization", "")
	link := v["result"].(object)["download_url"].(string)
	assert.True(t, strings.HasPrefix(link, "https://127.0.0.1:"), link)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	require.NoError(t, err)
	res, body := do(t, fake, r)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "a subtitle file", string(body))
	assert.Empty(t, fake.Leaks())
	assert.Equal(t, 2, fake.Downloads(), "a redirect, and the file")
	r.Header.Set("Authorization", "Bearer "+fake.APIKey())
	do(t, fake, r)
	assert.NotEmpty(t, fake.Leaks())

	status, _ := ask(t, fake, http.MethodDelete, document, "Authorization", "")
	assert.Equal(t, 204, status)
	status, _ = ask(t, fake, http.MethodGet, document, "Authorization", "")
	assert.Equal(t, 404, status)
}

func TestASessionOfAnotherKeyDoesNotExist(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithOtherKeys("sk_other"))
	id := uploadSession(t, fake, map[string]string{"language": "en", "filename": "a.wav"})
	status, _ := get(t, fake, sessions+"/"+id)
	assert.Equal(t, 200, status)
	for _, path := range []string{"", "/result"} {
		r := request(t, fake, http.MethodGet, sessions+"/"+id+path, nil)
		r.Header.Set("Authorization", "Bearer sk_other")
		res, _ := do(t, fake, r)
		assert.Equal(t, 404, res.StatusCode)
	}
}

func TestModelsComeInPagesAndInEachVariantsWords(t *testing.T) {
	t.Parallel()
	models := []scriptixtest.Model{{ID: 1, Key: "custom_1", Name: "Courts", Language: "nl", Status: 4}, {ID: 2, Key: "custom_2", Name: "Clinics", Language: "nl", Status: 1}}
	fake := scriptixtest.New(t, scriptixtest.WithModels(models...), scriptixtest.WithGlossaries(scriptixtest.Glossary{ID: 7, Name: "Names"}))
	_, v := get(t, fake, "/api/v3/custom_models?page=2&per_page=1")
	assert.InDelta(t, 2, v["total_results"], 0)
	assert.Equal(t, "custom_2", v["result"].([]any)[0].(object)["model_key"])
	_, v = get(t, fake, "/api/v3/glossaries")
	assert.Equal(t, "Names", v["result"].([]any)[0].(object)["name"])

	current := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithModels(models...))
	_, v = get(t, current, "/api/v3/custom_models")
	assert.Equal(t, "custom_1", v["result"].([]any)[0].(object)["key"])
}
