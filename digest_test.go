package scriptix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// expect reads a recording and expects what it read.
func expect(t *testing.T, a scriptix.Audio) scriptix.SubmitOption {
	t.Helper()
	digest, err := a.Digest(t.Context(), io.Discard)
	require.NoError(t, err)
	return scriptix.ExpectDigest(digest)
}

// overwrite changes the first bytes of a file in place.
func overwrite(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("overwritten"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// age sets a file's times back, so that they are believed; its change time
// stays that of now.
func age(t *testing.T, path string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
}

// slowService is a service without the fake: it makes a job of whatever arrives
// whole, a form or a resumable upload, and calls begun once it has read some of
// a body.
type slowService struct {
	begun func()
	once  sync.Once
	jobs  atomic.Int64
	size  int64
}

func (s *slowService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	read := int64(0)
	if r.ContentLength > 0 {
		n, _ := io.ReadFull(r.Body, make([]byte, min(r.ContentLength, 1000)))
		s.once.Do(s.begun)
		rest, err := io.Copy(io.Discard, r.Body)
		if read = int64(n) + rest; err != nil || read != r.ContentLength {
			return
		}
	}
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/files/"):
		w.Header().Set("Location", "/api/v3/files/f1")
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPatch:
		offset, _ := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
		if offset+read == s.size {
			s.jobs.Add(1)
		}
		w.Header().Set("Upload-Offset", strconv.FormatInt(offset+read, 10))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodHead:
		w.Header().Set("Upload-Offset", "0")
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, `{"session_id":"stt_1"}`)
	default:
		s.jobs.Add(1)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"stt_1","status":"uploaded"}`)
	}
}

const mebibytes = 8 << 20 // more than sockets hold

func TestFileThatIsOverwrittenWhileItIsSentMakesNoJob(t *testing.T) {
	t.Parallel()
	sources := map[string]func(t *testing.T, path string) scriptix.Audio{
		"File": func(_ *testing.T, path string) scriptix.Audio { return scriptix.File(path) },
		"FileFS": func(_ *testing.T, path string) scriptix.Audio {
			return scriptix.FileFS(os.DirFS(filepath.Dir(path)), "a.wav")
		},
		"ReaderAt": func(t *testing.T, path string) scriptix.Audio {
			t.Helper()
			f, err := os.Open(path)
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			return scriptix.ReaderAt("a.wav", f, mebibytes)
		},
	}
	for name, source := range sources {
		for _, how := range [][]scriptix.SubmitOption{nil, {scriptix.Resumable()}} {
			t.Run(name+map[bool]string{true: ", resumable"}[how != nil], func(t *testing.T) {
				t.Parallel()
				path := writeFile(t, "a.wav", make([]byte, mebibytes))
				service := &slowService{size: mebibytes, begun: func() { overwrite(t, path) }}
				server := httptest.NewServer(service)
				defer server.Close()
				c, err := scriptix.New(testKey, scriptix.WithBaseURL(server.URL), scriptix.WithChunkSize(mebibytes/2), quick)
				require.NoError(t, err)

				_, err = c.STT.Submit(t.Context(), source(t, path), english, how...)

				require.ErrorIs(t, err, scriptix.ErrAudio)
				assert.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
				assert.Zero(t, service.jobs.Load())
			})
		}
	}
}

func TestWhatIsExpectedIsProvedBeforeTheLastByteGoes(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("recording"), 1000)
	other := bytes.Repeat([]byte("Recording"), 1000)
	inMemory := func(t *testing.T, now *[]byte) scriptix.Audio {
		t.Helper()
		return scriptix.Opener("a.wav", int64(len(content)), func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader((*now)[offset:])), nil
		})
	}
	for _, tt := range []struct {
		name   string
		audio  func(t *testing.T) (a scriptix.Audio, change func())
		change bool
		ok     bool
	}{
		{"an opener's, unchanged", func(t *testing.T) (scriptix.Audio, func()) {
			t.Helper()
			now := content
			return inMemory(t, &now), func() { now = other }
		}, false, true},
		{"an opener's, changed", func(t *testing.T) (scriptix.Audio, func()) {
			t.Helper()
			now := content
			return inMemory(t, &now), func() { now = other }
		}, true, false},
		{"a new file, unchanged", newFile(content, false), false, true},
		{"a new file, changed within the clock's grain", newFile(content, false), true, false},
		{"an old file, unchanged", newFile(content, true), false, true},
		{"an old file, changed and its time set back", newFile(content, true), true, false},
		{"a file of a file system, changed", func(t *testing.T) (scriptix.Audio, func()) {
			t.Helper()
			path := writeFile(t, "a.wav", content)
			return scriptix.FileFS(os.DirFS(filepath.Dir(path)), "a.wav"), func() { overwrite(t, path) }
		}, true, false},
	} {
		for _, how := range [][]scriptix.SubmitOption{nil, {scriptix.Resumable()}} {
			t.Run(tt.name+map[bool]string{true: ", resumable"}[how != nil], func(t *testing.T) {
				t.Parallel()
				fake := newFake(t)
				c := newClient(t, fake, scriptix.WithChunkSize(4000), quick)
				audio, change := tt.audio(t)
				option := expect(t, audio)
				if tt.change {
					change()
				}

				job, err := c.STT.Submit(t.Context(), audio, english, append(how, option)...)

				if tt.ok {
					require.NoError(t, err)
					assert.NotEmpty(t, job.ID)
					return
				}
				require.ErrorIs(t, err, scriptix.ErrAudio)
				assert.Empty(t, fake.Jobs())
			})
		}
	}
}

func newFile(content []byte, old bool) func(t *testing.T) (scriptix.Audio, func()) {
	return func(t *testing.T) (scriptix.Audio, func()) {
		t.Helper()
		path := writeFile(t, "a.wav", content)
		if old {
			age(t, path)
		}
		return scriptix.File(path), func() {
			overwrite(t, path)
			if old {
				age(t, path)
			}
		}
	}
}

func TestDigestIsTheSHA256AndWritesWhatItReads(t *testing.T) {
	t.Parallel()
	var read bytes.Buffer
	digest, err := scriptix.Bytes("a.wav", wav).Digest(t.Context(), &read)
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(wav), digest.Sum)
	assert.Equal(t, wav, read.Bytes())

	_, err = scriptix.File(filepath.Join(t.TempDir(), "none.wav")).Digest(t.Context(), io.Discard)
	require.ErrorIs(t, err, scriptix.ErrAudio)
	require.ErrorIs(t, err, fs.ErrNotExist)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = scriptix.Bytes("a.wav", wav).Digest(ctx, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCutUploadIsProvedToo(t *testing.T) {
	t.Parallel()
	for _, change := range []bool{false, true} {
		t.Run(strconv.FormatBool(change), func(t *testing.T) {
			t.Parallel()
			content := bytes.Repeat([]byte("recording"), 1000)
			now := content
			audio := scriptix.Opener("a.wav", int64(len(content)), func(_ context.Context, offset int64) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(now[offset:])), nil
			})
			fake := newFake(t)
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 1, Cut: scriptixtest.WithinBody})
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 2, Status: http.StatusForbidden})
			c := newClient(t, fake, scriptix.WithChunkSize(3000), quick)
			option := expect(t, audio)

			_, err := c.STT.Submit(t.Context(), audio, english, scriptix.Resumable(), option)
			cut := interruption(t, err)
			if change {
				now = bytes.Repeat([]byte("Recording"), 1000)
			}
			job, err := c.STT.Submit(t.Context(), audio, english, scriptix.ResumeUpload(cut.Token))

			if change {
				require.ErrorIs(t, err, scriptix.ErrAudio)
				assert.Empty(t, fake.Jobs())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, fake.Jobs()[0].ID, job.ID)
			assert.Equal(t, sha256sum(content), fake.Jobs()[0].SHA256)
		})
	}
}

func sha256sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
