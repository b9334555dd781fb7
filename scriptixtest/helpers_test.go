package scriptixtest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// object is any JSON object.
type object = map[string]any

// wav is silence: 8 kHz, mono, 16 bits.
func wav(d time.Duration) []byte {
	return riff(chunk("fmt ", fmtPCM(8000, 1, 16)), chunk("data", make([]byte, int(d.Seconds()*8000)*2)))
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func chunk(id string, data []byte) []byte {
	c := append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data))), data...)
	if len(data)%2 == 1 {
		c = append(c, 0)
	}
	return c
}

func fmtPCM(rate uint32, channels, bits uint16) []byte {
	b := binary.LittleEndian.AppendUint16(nil, 1)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	return binary.LittleEndian.AppendUint16(b, bits)
}

// form is the body of a submit and its content type. Pairs are field names and values.
func form(t *testing.T, file []byte, pairs ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, w.WriteField(pairs[i], pairs[i+1]))
	}
	if file != nil {
		part, err := w.CreateFormFile("audio_file", "a.wav")
		require.NoError(t, err)
		_, err = part.Write(file)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes(), w.FormDataContentType()
}

// request makes a request with the key.
func request(t *testing.T, s *scriptixtest.Server, method, path string, body []byte) *http.Request {
	t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, r)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.APIKey())
	return req
}

// do sends a request and reads its whole answer.
func do(t *testing.T, s *scriptixtest.Server, r *http.Request) (*http.Response, []byte) {
	t.Helper()
	res, body, err := try(s, r)
	require.NoError(t, err)
	return res, body
}

func try(s *scriptixtest.Server, r *http.Request) (*http.Response, []byte, error) {
	res, err := s.HTTPClient().Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// get gets a JSON object.
func get(t *testing.T, s *scriptixtest.Server, path string) (int, object) {
	t.Helper()
	res, body := do(t, s, request(t, s, http.MethodGet, path, nil))
	var v object
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return res.StatusCode, v
}

// submission is a request that submits a file.
func submission(t *testing.T, s *scriptixtest.Server, file []byte, pairs ...string) *http.Request {
	t.Helper()
	body, contentType := form(t, file, pairs...)
	r := request(t, s, http.MethodPost, "/api/v3/stt", body)
	r.Header.Set("Content-Type", contentType)
	return r
}

// submit submits a file and returns the job's id.
func submit(t *testing.T, s *scriptixtest.Server, file []byte, pairs ...string) string {
	t.Helper()
	res, body := do(t, s, submission(t, s, file, append([]string{"language", "en"}, pairs...)...))
	require.Equal(t, http.StatusCreated, res.StatusCode, "%s", body)
	var v struct{ ID string }
	require.NoError(t, json.Unmarshal(body, &v))
	require.NotEmpty(t, v.ID)
	return v.ID
}

// receiver records the callbacks that it gets.
type receiver struct {
	answer func(n int) int // status for the nth callback, from 0

	mu  sync.Mutex
	got []received
}

type received struct {
	at     time.Time
	method string
	uri    string
	host   string
	header http.Header
	body   []byte
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rc.mu.Lock()
	n := len(rc.got)
	rc.got = append(rc.got, received{time.Now(), r.Method, r.RequestURI, r.Host, r.Header.Clone(), body})
	rc.mu.Unlock()
	if rc.answer != nil {
		w.WriteHeader(rc.answer(n))
	}
}

func (rc *receiver) all() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]received(nil), rc.got...)
}

// events are the events and the job ids of what came.
func (rc *receiver) events(t *testing.T) (events, ids []string) {
	t.Helper()
	for _, r := range rc.all() {
		var v struct {
			Event string
			Data  struct{ ID string }
		}
		require.NoError(t, json.Unmarshal(r.body, &v))
		events, ids = append(events, v.Event), append(ids, v.Data.ID)
	}
	return events, ids
}

// signedBy reports whether a callback is signed with the secret, computed without any code of ours.
func (r received) signedBy(secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(r.body)
	return r.header.Get("X-Scriptix-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil))
}

const hook = "https://example.com/hook"

func decode(t *testing.T, body []byte) object {
	t.Helper()
	var v object
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return v
}
