package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const anywhere = "127.0.0.1:0"

// site is the service in front of a fake Scriptix.
type site struct {
	dir, url string
	fake     *scriptixtest.Server
	stop     func() // as the end of its process does
}

func newFake(t *testing.T, processing time.Duration) *scriptixtest.Server {
	t.Helper()
	fake, err := scriptixtest.Start(scriptixtest.WithProcessing(processing))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return fake
}

// start starts the service, at an address of its own or where it was before.
func start(t *testing.T, dir string, fake *scriptixtest.Server, addr string) *site {
	t.Helper()
	s, err := open(dir)
	require.NoError(t, err)
	ledger, err := batch.Open(filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	face := &service{store: s, users: map[string]string{"alice": "a", "bob": "b"}, quota: quota{open: 3, bytes: 8 << 20}, stall: 2 * time.Second, log: log}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: new(http.Server)}
	url := "http://" + server.Listener.Addr().String()
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithWebhook(url+"/scriptix", fake.WebhookSecret()), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	face.notify, err = batch.NewHandler(client, ledger, fake.WebhookSecret())
	require.NoError(t, err)
	server.Config.Handler = face.handler()
	server.Start()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { work(ctx, s, client, ledger, 10*time.Millisecond, log) })
	stop := sync.OnceFunc(func() {
		cancel()
		group.Wait()
		server.CloseClientConnections()
		server.Close()
		assert.NoError(t, ledger.Close())
	})
	t.Cleanup(stop)
	return &site{dir: dir, url: url, fake: fake, stop: stop}
}

// form writes a multipart form with a recording.
func form(t *testing.T, name string, data []byte, fields ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, w.WriteField(fields[i], fields[i+1]))
	}
	if name != "" {
		part, err := w.CreateFormFile("audio", name)
		require.NoError(t, err)
		_, err = part.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return body, w.FormDataContentType()
}

// do sends a request as a user, whose password is the name's first letter, and returns status and body.
func (s *site) do(t *testing.T, user, method, path string, body io.Reader, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	require.NoError(t, err)
	if user != "" {
		r.SetBasicAuth(user, user[:1])
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// send uploads a recording and returns what was answered.
func (s *site) send(t *testing.T, user, name string, data []byte, headers ...string) (int, upload) {
	t.Helper()
	body, contentType := form(t, name, data, "language", "en")
	status, text := s.do(t, user, http.MethodPost, "/uploads", body, append(headers, "Content-Type", contentType)...)
	var u upload
	require.NoError(t, json.Unmarshal([]byte(text), &u), text)
	return status, u
}

// ends waits until an upload is in a state.
func (s *site) ends(t *testing.T, user, id, state string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, text := s.do(t, user, http.MethodGet, "/uploads/"+id, nil)
		return strings.Contains(text, `"state":"`+state+`"`)
	}, 20*time.Second, 10*time.Millisecond)
}

// files are the names in the directory that end so.
func (s *site) files(t *testing.T, ending string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "*"+ending))
	require.NoError(t, err)
	return found
}

func TestAnUploadIsTranscribedOnceHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)

	status, u := s.send(t, "alice", "talk.wav", []byte("RIFF one"), "Idempotency-Key", "k1")
	require.Equal(t, http.StatusAccepted, status)
	s.ends(t, "alice", u.ID, stateDone)
	status, again := s.send(t, "alice", "talk.wav", []byte("RIFF one"), "Idempotency-Key", "k1")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, u.ID, again.ID)
	_, same := s.send(t, "alice", "talk.wav", []byte("RIFF two"))
	s.ends(t, "alice", same.ID, stateDone)
	status, more := s.send(t, "alice", "copy.wav", []byte("RIFF two"))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, same.ID, more.ID, "the same bytes, without a key")
	_, other := s.send(t, "bob", "talk.wav", []byte("RIFF one"), "Idempotency-Key", "k1")
	assert.NotEqual(t, u.ID, other.ID, "another user's key is another upload")
	s.ends(t, "bob", other.ID, stateDone)

	require.Len(t, s.fake.Jobs(), 3)
	assert.Equal(t, "en", s.fake.Jobs()[0].Fields.Get("language"))
	assert.Equal(t, u.ID+".wav", s.fake.Jobs()[0].FileName, "the service is not told what the user calls it")
	status, text := s.do(t, "alice", http.MethodGet, "/uploads/"+u.ID+"/transcript", nil)
	assert.Equal(t, http.StatusOK, status)
	var transcript scriptix.Transcript
	require.NoError(t, json.Unmarshal([]byte(text), &transcript))
	assert.NotEmpty(t, transcript.Segments)
	assert.Empty(t, s.files(t, ".wav"), "what is transcribed is not kept")
}

func TestARestartLosesNothingAndPaysForNothingTwice(t *testing.T) {
	t.Parallel()
	dir, fake := t.TempDir(), newFake(t, time.Second)
	first := start(t, dir, fake, anywhere)
	_, u := first.send(t, "alice", "talk.wav", []byte("RIFF one"))
	require.Eventually(t, func() bool { return len(fake.Jobs()) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1.part"), []byte("RIFF"), 0o600))
	first.stop()

	second := start(t, dir, fake, strings.TrimPrefix(first.url, "http://"))

	second.ends(t, "alice", u.ID, stateDone)
	assert.Len(t, fake.Jobs(), 1)
	assert.Empty(t, second.files(t, ".part"), "what arrived in part")
}

func TestAnUploadGoesToDiskWhileItArrives(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)
	r, w := io.Pipe()
	writer := multipart.NewWriter(w)
	const half = 3 << 20
	went := make(chan error, 1)
	go func() {
		part, err := writer.CreateFormFile("audio", "long.mp3")
		if err == nil {
			_, err = part.Write(bytes.Repeat([]byte("x"), half))
		}
		went <- err
		if err == nil && assert.Eventually(t, func() bool {
			found := s.files(t, ".part")
			if len(found) != 1 {
				return false
			}
			info, err := os.Stat(found[0])
			return err == nil && info.Size() > half-(1<<20)
		}, 10*time.Second, 5*time.Millisecond) {
			_, err = part.Write(bytes.Repeat([]byte("y"), half))
			assert.NoError(t, err)
		}
		_ = w.CloseWithError(writer.Close())
	}()

	status, text := s.do(t, "alice", http.MethodPost, "/uploads", r, "Content-Type", writer.FormDataContentType())

	require.NoError(t, <-went)
	require.Equal(t, http.StatusAccepted, status, text)
	assert.Contains(t, text, `"size":6291456`)
}

func TestWhatIsTooMuchOrNoRecordingIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)
	for name, c := range map[string]struct {
		file string
		data []byte
		want int
	}{
		"too large":       {"a.wav", make([]byte, 8<<20+1), http.StatusRequestEntityTooLarge},
		"empty":           {"a.wav", nil, http.StatusUnprocessableEntity},
		"no recording":    {"a.exe", []byte("MZ"), http.StatusUnprocessableEntity},
		"without a name":  {" ", []byte("RIFF"), http.StatusUnprocessableEntity},
		"without a file":  {"", nil, http.StatusUnprocessableEntity},
		"a path and more": {"..", []byte("RIFF"), http.StatusUnprocessableEntity},
	} {
		body, contentType := form(t, c.file, c.data)
		status, text := s.do(t, "alice", http.MethodPost, "/uploads", io.MultiReader(body), "Content-Type", contentType)
		assert.Equal(t, c.want, status, name)
		assert.Contains(t, text, "error", name)
	}
	status, _ := s.do(t, "alice", http.MethodPost, "/uploads", strings.NewReader("audio=x"), "Content-Type", "application/x-www-form-urlencoded")
	assert.Equal(t, http.StatusUnsupportedMediaType, status)
	body, contentType := form(t, "a.wav", make([]byte, 1000))
	status, _ = s.do(t, "alice", http.MethodPost, "/uploads", bytes.NewReader(body.Bytes()[:500]), "Content-Type", contentType)
	assert.Equal(t, http.StatusBadRequest, status, "it broke off")
	r, _ := io.Pipe()
	status, _ = s.do(t, "alice", http.MethodPost, "/uploads", io.MultiReader(bytes.NewReader(body.Bytes()[:500]), r), "Content-Type", contentType)
	assert.Equal(t, http.StatusRequestTimeout, status, "it stands still")
	assert.Empty(t, s.files(t, ".part"))
	assert.Empty(t, s.files(t, ".upload.json"))
	assert.Empty(t, s.fake.Jobs())
}

func TestAUserHasSoManyOpenUploadsAndSeesNobodyElses(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, time.Hour), anywhere)
	var last upload
	for _, data := range []string{"RIFF one", "RIFF two", "RIFF three"} {
		var status int
		status, last = s.send(t, "alice", "a.wav", []byte(data))
		require.Equal(t, http.StatusAccepted, status)
	}
	status, _ := s.send(t, "alice", "a.wav", []byte("RIFF four"))
	assert.Equal(t, http.StatusTooManyRequests, status)
	status, _ = s.send(t, "bob", "b.wav", []byte("RIFF four"))
	assert.Equal(t, http.StatusAccepted, status)

	for _, path := range []string{"/uploads/" + last.ID, "/uploads/" + last.ID + "/transcript", "/uploads/..%2fledger.db"} {
		status, _ := s.do(t, "bob", http.MethodGet, path, nil)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	_, text := s.do(t, "bob", http.MethodGet, "/uploads", nil)
	assert.NotContains(t, text, "alice")
	for _, user := range []string{"", "mallory"} {
		status, _ := s.do(t, user, http.MethodGet, "/uploads", nil)
		assert.Equal(t, http.StatusUnauthorized, status, user)
	}
}

func TestANameIsForShowingAlone(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)
	_, u := s.send(t, "alice", `..\..\<script>alert(1)</script>`+"\u202e"+strings.Repeat("ü", 200)+".WAV", []byte("RIFF"))

	assert.True(t, strings.HasPrefix(u.Name, "script>"), u.Name)
	assert.NotContains(t, u.Name, "\u202e")
	assert.Less(t, len(u.Name), 200)
	assert.Equal(t, u.ID+".wav", u.File)
	_, text := s.do(t, "alice", http.MethodGet, "/", nil)
	assert.Contains(t, text, "script&gt;")
	assert.NotContains(t, text, "<script>")
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	for _, entry := range entries {
		assert.True(t, entry.Name() == "ledger.db" || strings.HasPrefix(entry.Name(), u.ID), entry.Name())
	}
}

func TestABrowserIsSentBackToThePageAndOtherSitesCannotUpload(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)
	body, contentType := form(t, "a.wav", []byte("RIFF"), "language", "en")
	status, _ := s.do(t, "alice", http.MethodPost, "/uploads", bytes.NewReader(body.Bytes()), "Content-Type", contentType, "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, http.StatusSeeOther, status)
	status, _ = s.do(t, "alice", http.MethodPost, "/uploads", bytes.NewReader(body.Bytes()), "Content-Type", contentType, "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, status)
}

func TestAKeyThatIsRefusedLeavesUploadsWaitingAndFailuresAreTold(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), newFake(t, 10*time.Millisecond), anywhere)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: http.StatusUnauthorized, Times: 2})
	_, u := s.send(t, "alice", "a.wav", []byte("RIFF one"))
	s.ends(t, "alice", u.ID, stateDone)
	assert.Len(t, s.fake.Jobs(), 1)

	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Failure: "no speech"} })
	_, failing := s.send(t, "alice", "b.wav", []byte("RIFF two"))
	s.ends(t, "alice", failing.ID, stateFailed)
	s.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: http.StatusUnprocessableEntity})
	_, bad := s.send(t, "alice", "c.wav", []byte("RIFF three"))
	s.ends(t, "alice", bad.ID, stateFailed)
}

func TestTheProgramTakesAnUploadAndEndsInPeace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0", "-dir", filepath.Join(dir, "uploads"))
	cmd.Env = append(cmd.Environ(), "SCRIPTIX_API_KEY=", "UPLOADS_USERS=alice:a")
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	s := &site{url: strings.TrimPrefix(lines.Text(), "taking uploads at ")}
	recording, err := os.ReadFile("../testdata/meeting.wav")
	require.NoError(t, err)

	_, u := s.send(t, "alice", "meeting.wav", recording)
	s.ends(t, "alice", u.ID, stateDone)

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, output)
	require.NoError(t, cmd.Wait())
}
