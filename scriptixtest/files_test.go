package scriptixtest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func metadata(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(out, ",")
}

// tus makes a request of the upload protocol.
func tus(t *testing.T, s *scriptixtest.Server, method, path string, body []byte, headers ...string) *http.Request {
	t.Helper()
	r := request(t, s, method, path, body)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// create creates an upload and returns its path.
func create(t *testing.T, s *scriptixtest.Server, size int, pairs ...string) string {
	t.Helper()
	res, body := do(t, s, tus(t, s, http.MethodPost, "/api/v3/files/", nil,
		"Upload-Length", strconv.Itoa(size), "Upload-Metadata", metadata(append([]string{"language", "en"}, pairs...)...)))
	require.Equal(t, http.StatusCreated, res.StatusCode, "%s", body)
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	return u.Path
}

func patch(t *testing.T, s *scriptixtest.Server, path string, offset int, data []byte) *http.Request {
	t.Helper()
	return tus(t, s, http.MethodPatch, path, data, "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(offset))
}

// offset asks how much of an upload is there.
func offset(t *testing.T, s *scriptixtest.Server, path string) int {
	t.Helper()
	res, _ := do(t, s, tus(t, s, http.MethodHead, path, nil))
	require.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	n, err := strconv.Atoi(res.Header.Get("Upload-Offset"))
	require.NoError(t, err)
	return n
}

func TestAResumableUploadBecomesAJobWithItsLastByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithProcessing(time.Minute))
		s.Script(always(scriptixtest.Outcome{SessionDelay: 10 * time.Second}))
		rc := &receiver{}
		s.Handle(hook, rc)
		file := wav(3 * time.Second)
		path := create(t, s, len(file), "filename", "a b.wav", "filetype", "audio/wav", "document_type", "document",
			"document", `{"webhook_url":"`+hook+`"}`)
		id := path[strings.LastIndex(path, "/")+1:]

		assert.Zero(t, offset(t, s, path))
		for at := 0; at < len(file); at += 10_000 {
			assert.Empty(t, s.Jobs())
			_, v := get(t, s, path)
			assert.NotContains(t, v["result"], "session_id")
			end := min(at+10_000, len(file))
			res, _ := do(t, s, patch(t, s, path, at, file[at:end]))
			assert.Equal(t, http.StatusNoContent, res.StatusCode)
			assert.Equal(t, strconv.Itoa(end), res.Header.Get("Upload-Offset"))
			assert.Equal(t, "1.0.0", res.Header.Get("Tus-Resumable"))
			assert.Equal(t, end, offset(t, s, path))
		}
		require.Len(t, s.Jobs(), 1)
		j := s.Jobs()[0]
		sum := sha256.Sum256(file)
		assert.True(t, j.Resumable)
		assert.Equal(t, id, j.UploadID)
		assert.Equal(t, "a b.wav", j.FileName)
		assert.Equal(t, "audio/wav", j.ContentType)
		assert.Equal(t, int64(len(file)), j.Size)
		assert.Equal(t, hex.EncodeToString(sum[:]), j.SHA256)
		assert.Equal(t, 3*time.Second, j.Duration)
		assert.Equal(t, hook, j.Fields.Get("webhook_url"))

		_, v := get(t, s, path)
		assert.NotContains(t, v["result"], "session_id", "the job is not known yet")
		time.Sleep(10 * time.Second)
		_, v = get(t, s, path)
		assert.InDelta(t, 1, v["count"], 0)
		assert.Equal(t, j.ID, v["result"].(object)["session_id"])
		assert.Equal(t, "en", v["result"].(object)["metadata"].(object)["language"])
		time.Sleep(time.Hour)
		synctest.Wait()
		_, ids := rc.events(t)
		assert.Equal(t, []string{j.ID}, ids)
		status, _ := get(t, s, "/api/v3/stt/"+j.ID+"/result")
		assert.Equal(t, http.StatusOK, status)
	})
}

func TestTheLocationIsAbsoluteOrRelative(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts   []scriptixtest.Option
		prefix func(s *scriptixtest.Server) string
	}{
		"absolute":            {nil, (*scriptixtest.Server).URL},
		"absolute with TLS":   {[]scriptixtest.Option{scriptixtest.WithTLS()}, (*scriptixtest.Server).URL},
		"relative":            {[]scriptixtest.Option{scriptixtest.WithRelativeLocation()}, func(*scriptixtest.Server) string { return "" }},
		"relative, in a path": {[]scriptixtest.Option{scriptixtest.WithRelativeLocation(), scriptixtest.WithBasePath("/g")}, func(*scriptixtest.Server) string { return "/g" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, tt.opts...)
			res, _ := do(t, s, tus(t, s, http.MethodPost, "/api/v3/files/", nil, "Upload-Length", "1", "Upload-Metadata", metadata("language", "en")))
			assert.True(t, strings.HasPrefix(res.Header.Get("Location"), tt.prefix(s)+"/api/v3/files/f"), "%s", res.Header.Get("Location"))
		})
	}
}

func TestTheUploadProtocolIsEnforced(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.WithMaxUpload(0, 1000))
	path := create(t, s, 100)
	const files = "/api/v3/files/"
	en := metadata("language", "en")
	chunk := func(offset, n int) *http.Request { return patch(t, s, path, offset, make([]byte, n)) }
	without := func(r *http.Request, header string) *http.Request { r.Header.Del(header); return r }
	chunked := func(r *http.Request) *http.Request { r.ContentLength = -1; return r }
	creation := func(headers ...string) *http.Request { return tus(t, s, http.MethodPost, files, nil, headers...) }
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
	}{
		"creation in another version":     {creation("Tus-Resumable", "0.2.2", "Upload-Length", "1"), 412},
		"creation without a version":      {without(creation("Upload-Length", "1"), "Tus-Resumable"), 412},
		"creation without a length":       {creation("Upload-Metadata", en), 400},
		"creation of unknown length":      {creation("Upload-Defer-Length", "1", "Upload-Metadata", en), 400},
		"creation of a negative length":   {creation("Upload-Length", "-1", "Upload-Metadata", en), 400},
		"creation of no number":           {creation("Upload-Length", "x", "Upload-Metadata", en), 400},
		"creation of nothing":             {creation("Upload-Length", "0", "Upload-Metadata", en), 422},
		"creation of too much":            {creation("Upload-Length", "1001", "Upload-Metadata", en), 413},
		"creation of far too much":        {creation("Upload-Length", "99999999999999999999", "Upload-Metadata", en), 413},
		"creation without a language":     {creation("Upload-Length", "1"), 422},
		"creation with bad metadata":      {creation("Upload-Length", "1", "Upload-Metadata", "language e!"), 400},
		"creation with double metadata":   {creation("Upload-Length", "1", "Upload-Metadata", en+","+en), 400},
		"creation without a key":          {without(creation("Upload-Length", "1"), "Authorization"), 401},
		"head in another version":         {tus(t, s, http.MethodHead, path, nil, "Tus-Resumable", "2"), 412},
		"head of an unknown upload":       {tus(t, s, http.MethodHead, files+"no", nil), 404},
		"info of an unknown upload":       {tus(t, s, http.MethodGet, files+"no", nil), 404},
		"chunk for an unknown upload":     {patch(t, s, files+"no", 0, []byte("x")), 404},
		"chunk in another version":        {without(chunk(0, 1), "Tus-Resumable"), 412},
		"chunk without an offset":         {without(chunk(0, 1), "Upload-Offset"), 400},
		"chunk of another type":           {without(chunk(0, 1), "Content-Type"), 415},
		"chunk at a wrong offset":         {chunk(1, 1), 409},
		"chunk beyond the end":            {chunk(0, 101), 413},
		"delete":                          {tus(t, s, http.MethodDelete, path, nil), 405},
		"get of all":                      {tus(t, s, http.MethodGet, files, nil), 405},
		"creation without the last slash": {tus(t, s, http.MethodPost, "/api/v3/files", nil, "Upload-Length", "1"), 404},
	} {
		// one after the other: a request on an upload interrupts the one before
		res, body := do(t, s, tt.r)
		assert.Equal(t, tt.status, res.StatusCode, "%s: %s", name, body)
		if tt.status == http.StatusPreconditionFailed {
			assert.Equal(t, "1.0.0", res.Header.Get("Tus-Version"), name)
		}
		assert.Zero(t, offset(t, s, path), name)
	}

	res, _ := do(t, s, chunked(chunk(0, 40)))
	assert.Equal(t, http.StatusNoContent, res.StatusCode)
	res, _ = do(t, s, chunked(chunk(40, 61)))
	assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	assert.Empty(t, s.Jobs())

	res, _ = do(t, s, without(tus(t, s, http.MethodOptions, files, nil), "Authorization"))
	assert.Equal(t, http.StatusNoContent, res.StatusCode)
	assert.Equal(t, "creation", res.Header.Get("Tus-Extension"))
	assert.Equal(t, "1000", res.Header.Get("Tus-Max-Size"))
}

func TestAChunkThatIsCutKeepsWhatCame(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptixtest.Option{"on loopback": nil, "in memory": {scriptixtest.InMemory()}, "over HTTP/2": {scriptixtest.WithTLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, opts...)
			file := bytes.Repeat([]byte("0123456789"), 10_000)
			path := create(t, s, len(file))
			s.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Times: 3, Cut: scriptixtest.WithinBody})
			for range 3 {
				at := offset(t, s, path)
				_, _, err := try(s, patch(t, s, path, at, file[at:]))
				require.Error(t, err)
				assert.Equal(t, at+(len(file)-at)/2, offset(t, s, path))
			}
			at := offset(t, s, path)
			s.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.AfterBody})
			_, _, err := try(s, patch(t, s, path, at, file[at:]))
			require.Error(t, err)
			assert.Equal(t, len(file), offset(t, s, path))
			sum := sha256.Sum256(file)
			require.Len(t, s.Jobs(), 1)
			assert.Equal(t, hex.EncodeToString(sum[:]), s.Jobs()[0].SHA256)
		})
	}
}

func TestTheServiceLiesAboutOffsets(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.InMemory())
	path := create(t, s, 100)
	s.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, OffsetDelta: -3})
	s.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, OffsetDelta: 1000})
	s.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, NoOffset: true})
	res, _ := do(t, s, patch(t, s, path, 0, make([]byte, 50)))
	assert.Equal(t, "47", res.Header.Get("Upload-Offset"))
	assert.Equal(t, 1050, offset(t, s, path))
	res, _ = do(t, s, tus(t, s, http.MethodHead, path, nil))
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Empty(t, res.Header.Get("Upload-Offset"))
	assert.Equal(t, 50, offset(t, s, path))
}

func TestAnUploadCanVanish(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.InMemory())
	path := create(t, s, 100)
	do(t, s, patch(t, s, path, 0, make([]byte, 50)))
	s.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Vanish: true, Status: http.StatusGone})
	res, _ := do(t, s, patch(t, s, path, 50, make([]byte, 50)))
	assert.Equal(t, http.StatusGone, res.StatusCode)
	res, _ = do(t, s, tus(t, s, http.MethodHead, path, nil))
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
	assert.Empty(t, s.Jobs())
}

func TestAnAbandonedChunkGivesWayToTheNextRequest(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptixtest.Option{"in memory": {scriptixtest.InMemory()}, "on loopback": nil, "over HTTP/2": {scriptixtest.WithTLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, opts...)
			const size, sent = 100_000, 40_000
			path := create(t, s, size)
			reader, writer := io.Pipe()
			r := patch(t, s, path, 0, nil)
			r.Body, r.ContentLength = reader, size
			failed := make(chan error, 1)
			go func() {
				_, _, err := try(s, r)
				failed <- err
			}()
			_, err := writer.Write(make([]byte, sent)) // and then nothing: the network is gone without a word
			require.NoError(t, err)
			interrupted := func() bool {
				return slices.ContainsFunc(s.Requests(), func(r scriptixtest.Request) bool { return r.Method == http.MethodPatch && r.Took > 0 })
			}
			for !interrupted() { // the chunk may not have reached the service yet
				offset(t, s, path)
			}
			require.NoError(t, writer.CloseWithError(io.ErrUnexpectedEOF)) // the transport waits for a read that hangs
			require.Error(t, <-failed)
			got := offset(t, s, path)
			assert.LessOrEqual(t, got, sent)
			res, _ := do(t, s, patch(t, s, path, got, make([]byte, size-got)))
			assert.Equal(t, http.StatusNoContent, res.StatusCode)
			assert.Len(t, s.Jobs(), 1)
		})
	}
}
