package scriptix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func openBytes(data []byte) func(context.Context, int64) (io.ReadCloser, error) {
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[offset:])), nil
	}
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestEverySourceArrivesWhole(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "speech.wav", wav)
	sum := sha256.Sum256(wav)
	tests := []struct {
		name      string
		audio     scriptix.Audio
		wantName  string
		wantKnown bool // the length is announced
	}{
		{"a file", scriptix.File(path), "speech.wav", true},
		{"a file of a file system", scriptix.FileFS(os.DirFS(filepath.Dir(path)), "speech.wav"), "speech.wav", true},
		{"a file in memory", scriptix.FileFS(fstest.MapFS{"dir/speech.wav": {Data: wav}}, "dir/speech.wav"), "speech.wav", true},
		{"bytes", scriptix.Bytes("speech.wav", wav), "speech.wav", true},
		{"a reader at", scriptix.ReaderAt("speech.wav", strings.NewReader(string(wav)+"more"), int64(len(wav))), "speech.wav", true},
		{"an opener", scriptix.Opener("speech.wav", int64(len(wav)), openBytes(wav)), "speech.wav", true},
		{"a reader", scriptix.Reader("speech.wav", bytes.NewReader(wav)), "speech.wav", false},
		{"a reader of one byte at a time", scriptix.Reader("speech.wav", iotest.OneByteReader(bytes.NewReader(wav))), "speech.wav", false},
		{"a reader whose end comes with its data", scriptix.Reader("speech.wav", iotest.DataErrReader(bytes.NewReader(wav))), "speech.wav", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			c := newClient(t, fake)

			_, err := c.STT.Submit(t.Context(), tt.audio, scriptix.SubmitParams{Language: "en"})

			if !tt.wantKnown && !variantOf(t).dialect.SignedCallbacks() {
				require.ErrorIs(t, err, scriptix.ErrInvalid, "an upload needs a length")
				assert.Empty(t, fake.Requests())
				return
			}
			require.NoError(t, err)
			require.Len(t, fake.Jobs(), 1)
			job := fake.Jobs()[0]
			assert.Equal(t, hex.EncodeToString(sum[:]), job.SHA256)
			assert.EqualValues(t, len(wav), job.Size)
			assert.Equal(t, tt.wantName, job.FileName)
			assert.Equal(t, tt.wantName, tt.audio.Name())
			assert.Equal(t, "audio/wav", job.ContentType)
			assert.Equal(t, tt.wantKnown, sent(t, fake)[0].Header.Get("Content-Length") != "")
		})
	}
}

func TestOpenGivesTheAudioAndItsSize(t *testing.T) {
	t.Parallel()
	for _, audio := range []scriptix.Audio{scriptix.File(writeFile(t, "a.wav", wav)), scriptix.Bytes("a.wav", wav), scriptix.Opener("a.wav", int64(len(wav)), openBytes(wav))} {
		for range 2 {
			r, size, err := audio.Open(t.Context())
			require.NoError(t, err)
			data, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assert.EqualValues(t, len(wav), size)
			assert.Equal(t, wav, data)
		}
	}
	r, size, err := scriptix.Reader("a.wav", bytes.NewReader(wav)).Open(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, -1, size)
	require.NoError(t, r.Close())
}

func TestBadAudioIsNamedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name  string
		audio scriptix.Audio
		want  string
		is    error
	}{
		{"none at all", scriptix.Audio{}, "there is none", nil},
		{"a missing file", scriptix.File(filepath.Join(dir, "gone.wav")), "gone.wav", fs.ErrNotExist},
		{"an empty file", scriptix.File(writeFile(t, "empty.wav", nil)), `"empty.wav": is empty`, nil},
		{"a directory", scriptix.File(dir), "is a directory", nil},
		{"a missing file of a file system", scriptix.FileFS(fstest.MapFS{}, "gone.wav"), "gone.wav", fs.ErrNotExist},
		{"a directory of a file system", scriptix.FileFS(fstest.MapFS{"d/x": {}}, "d"), `"d": is a directory`, nil},
		{"no bytes", scriptix.Bytes("none.wav", nil), `"none.wav": is empty`, nil},
		{"a negative size", scriptix.ReaderAt("neg.wav", bytes.NewReader(wav), -5), `"neg.wav": size -5 is negative`, nil},
		{"a nil reader at", scriptix.ReaderAt("nil.wav", nil, 5), `"nil.wav": the reader is nil`, nil},
		{"a nil reader", scriptix.Reader("nil.wav", nil), `"nil.wav": the reader is nil`, nil},
		{"an empty reader", scriptix.Reader("empty.wav", strings.NewReader("")), `"empty.wav": is empty`, nil},
		{"a reader that fails at once", scriptix.Reader("bad.wav", iotest.ErrReader(errBroken)), `"bad.wav"`, errBroken},
		{"a nil opener", scriptix.Opener("nil.wav", 5, nil), `"nil.wav": the open function is nil`, nil},
		{"an opener that fails", scriptix.Opener("far.wav", 5, func(context.Context, int64) (io.ReadCloser, error) { return nil, errBroken }), `"far.wav"`, errBroken},
		{"an opener that returns nil", scriptix.Opener("far.wav", 5, func(context.Context, int64) (io.ReadCloser, error) { return nil, nil }), `"far.wav": the open function returned nil`, nil},
		{"an opener of nothing", scriptix.Opener("far.wav", 5, openBytes(nil)), `"far.wav": is empty`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := refused(t, tt.audio)
			require.ErrorContains(t, err, tt.want)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
		})
	}
}

// refused submits audio that is bad, of which the service must hear nothing.
func refused(t *testing.T, audio scriptix.Audio) error {
	t.Helper()
	fake := newFake(t)
	c := newClient(t, fake)

	_, err := c.STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})

	require.ErrorIs(t, err, scriptix.ErrAudio)
	e, ok := errors.AsType[*scriptix.Error](err)
	require.True(t, ok)
	assert.Equal(t, "stt.submit", e.Op)
	assert.Zero(t, e.Attempts)
	assert.Empty(t, fake.Requests())
	assert.Empty(t, fake.Jobs())
	return err
}

var errBroken = errors.New("the disk is broken")

func TestAudioThatChangesWhileItIsSentMakesNoJob(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat(wav, 100)
	failing := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(long[offset:len(long)/2]), iotest.ErrReader(errBroken))), nil
	}
	tests := []struct {
		name  string
		audio scriptix.Audio
		want  string
		once  bool // it has no length
	}{
		{"it is shorter than announced", scriptix.Opener("a.wav", int64(len(long))+1, openBytes(long)), "were announced and it ended after", false},
		{"it is longer than announced", scriptix.Opener("a.wav", int64(len(long))-1, openBytes(long)), "holds more than the", false},
		{"reading it fails", scriptix.Opener("a.wav", int64(len(long)), failing), "the disk is broken", false},
		{"reading it once fails", scriptix.Reader("a.wav", io.MultiReader(bytes.NewReader(long), iotest.ErrReader(errBroken))), "the disk is broken", true},
		{"the file shrinks", scriptix.FileFS(lyingFS{fstest.MapFS{"a.wav": {Data: long}}, +10}, "a.wav"), "were announced and it ended after", false},
		{"the file grows", scriptix.FileFS(lyingFS{fstest.MapFS{"a.wav": {Data: long}}, -10}, "a.wav"), "holds more than the", false},
	}
	for _, tt := range tests {
		if tt.once && !variantOf(t).dialect.SignedCallbacks() {
			continue // an upload needs a length
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			c := newClient(t, fake, quick)

			_, err := c.STT.Submit(t.Context(), tt.audio, scriptix.SubmitParams{Language: "en"})

			require.ErrorIs(t, err, scriptix.ErrAudio)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "a.wav")
			require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
			assert.Empty(t, fake.Jobs())
			assert.LessOrEqual(t, len(requestsTo(fake, scriptixtest.Submit))+len(requestsTo(fake, scriptixtest.FilesPatch)), 1, "a local failure is not repeated")
		})
	}
}

func TestAFileThatGrowsWhileItIsSentMakesNoJob(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "a.wav", wav)
	fake := newFake(t)
	c := newClient(t, fake, quick)
	grow := scriptix.OnProgress(func(int64, int64) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if assert.NoError(t, err) {
			_, err = f.WriteString("more")
			assert.NoError(t, errors.Join(err, f.Close()))
		}
	})

	_, err := c.STT.Submit(t.Context(), scriptix.File(path), scriptix.SubmitParams{Language: "en"}, grow)

	require.ErrorIs(t, err, scriptix.ErrAudio)
	require.ErrorContains(t, err, "holds more than")
	assert.Empty(t, fake.Jobs())
}

// lyingFS gives sizes that are off by some bytes, as of a file that changes.
type lyingFS struct {
	fs.FS
	by int64
}

func (l lyingFS) Open(name string) (fs.File, error) {
	f, err := l.FS.Open(name)
	return lyingFile{f, l.by}, err
}

type lyingFile struct {
	fs.File
	by int64
}

func (l lyingFile) Stat() (fs.FileInfo, error) {
	info, err := l.File.Stat()
	return lyingInfo{info, l.by}, err
}

type lyingInfo struct {
	fs.FileInfo
	by int64
}

func (l lyingInfo) Size() int64 { return l.FileInfo.Size() + l.by }

func TestAReaderIsNeverSentTwice(t *testing.T) {
	t.Parallel()
	t.Run("a second submit is refused", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t)
		c := newClient(t, fake)
		audio := scriptix.Reader("a.wav", bytes.NewReader(wav))
		_, err := c.STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)

		_, err = c.STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})

		require.ErrorIs(t, err, scriptix.ErrAudio)
		require.ErrorContains(t, err, "was read already")
		assert.Len(t, fake.Requests(), 1)
	})
	t.Run("an attempt that took some of it is not repeated", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t)
		c := newClient(t, fake, quick)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 503, RetryAfter: "0", Body: `{"error":"busy"}`})

		_, err := c.STT.Submit(t.Context(), scriptix.Reader("a.wav", bytes.NewReader(wav)), scriptix.SubmitParams{Language: "en"})

		require.ErrorIs(t, err, scriptix.ErrServer)
		assert.Len(t, fake.Requests(), 1)
		assert.Empty(t, fake.Jobs())
	})
	t.Run("an attempt that took none of it is", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t)
		c := newClient(t, fake, quick)
		fake.RefuseConnections(2)

		_, err := c.STT.Submit(t.Context(), scriptix.Reader("a.wav", bytes.NewReader(wav)), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestTheAudioIsOpenedOncePerAttempt(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, quick)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Times: 2, Status: 503, RetryAfter: "0", Body: `{"error":"busy"}`})
	opens, closes := 0, 0
	audio := scriptix.Opener("a.wav", int64(len(wav)), func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		opens++
		r, err := openBytes(wav)(ctx, offset)
		return countClose{r, &closes}, err
	})

	_, err := c.STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})

	require.NoError(t, err)
	assert.Equal(t, 3, opens)
	assert.Equal(t, 3, closes)
}

type countClose struct {
	io.ReadCloser
	closes *int
}

func (c countClose) Close() error {
	*c.closes++
	return c.ReadCloser.Close()
}

func TestAFileSystemThatCannotSeekIsReadUpToWhereAnUploadGoesOn(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, scriptix.WithChunkSize(3000))
	var open atomic.Int64
	audio := scriptix.FileFS(openFS{fstest.MapFS{"a.wav": {Data: wav}}, &open}, "a.wav") // its files have no Seek

	_, err := c.STT.Submit(t.Context(), audio, english, scriptix.Resumable())

	require.NoError(t, err)
	sum := sha256.Sum256(wav)
	assert.Equal(t, hex.EncodeToString(sum[:]), fake.Jobs()[0].SHA256)
	assert.Greater(t, len(requestsTo(fake, scriptixtest.FilesPatch)), 1)
	assert.Zero(t, open.Load())
}
