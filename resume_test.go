package scriptix_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestTokenIsHandedOutBeforeTheFirstByteAndResumesElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Times: 3, Delay: time.Second})
		first := newClient(t, fake, scriptix.WithChunkSize(1000))
		p := tape{5500}
		ctx, crash := context.WithCancel(t.Context())
		var stored string
		_, err := first.STT.Submit(ctx, p.audio(), english, scriptix.Resumable(),
			scriptix.OnUploadCreated(func(_ context.Context, token string) error {
				stored = token
				assert.Empty(t, requestsTo(fake, scriptixtest.FilesPatch))
				return nil
			}),
			scriptix.OnProgress(func(sent, _ int64) {
				if sent > 2500 {
					crash()
				}
			}))
		require.ErrorIs(t, err, context.Canceled)
		cut := interruption(t, err)
		assert.GreaterOrEqual(t, cut.Offset, int64(0))
		assert.Equal(t, p.size, cut.Size)
		assert.Contains(t, cut.UploadURL, fake.URL()+"/api/v3/files/")
		require.NotEmpty(t, stored)
		assert.NotContains(t, decodeToken(t, stored), fake.APIKey())

		second := newClient(t, fake, scriptix.WithChunkSize(1000))
		var from []int64
		job, err := second.STT.Submit(t.Context(), p.audio(), scriptix.SubmitParams{}, scriptix.ResumeUpload(stored), scriptix.OnProgress(func(sent, total int64) {
			from = append(from, sent)
			assert.Equal(t, p.size, total)
		}))
		require.NoError(t, err)
		requireWhole(t, fake, job, p)
		require.NotEmpty(t, from)
		assert.GreaterOrEqual(t, from[0], int64(2000), "progress begins at what the service holds")
		assert.Equal(t, p.size, from[len(from)-1])
	})
}

func decodeToken(t *testing.T, token string) string {
	t.Helper()
	_, encoded, ok := strings.Cut(token, ".")
	require.True(t, ok)
	data, err := base64.RawURLEncoding.DecodeString(encoded)
	require.NoError(t, err)
	return string(data)
}

func TestErrorOfOnUploadCreatedEndsTheUploadBeforeItBegan(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	full := errors.New("disk full")
	_, err := newClient(t, fake).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable(),
		scriptix.OnUploadCreated(func(context.Context, string) error { return full }))
	require.ErrorIs(t, err, full)
	assert.Len(t, sent(t, fake), 1)
	assert.Empty(t, fake.Jobs())
}

func TestResumingTakesOnlyTheSameFile(t *testing.T) {
	t.Parallel()
	content := make([]byte, 3000)
	_, _ = tape{3000}.ReadAt(content, 0)
	changed := append([]byte{content[0] + 1}, content[1:]...)
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, path string, at time.Time)
		hashed bool   // its digest is expected
		says   string // of the error; "" when it goes well
	}{
		{"the same file", func(*testing.T, string, time.Time) {}, false, ""},
		{"the same file, hashed", func(*testing.T, string, time.Time) {}, true, ""},
		{"a longer one", func(t *testing.T, path string, at time.Time) {
			t.Helper()
			require.NoError(t, os.WriteFile(path, slices.Concat(content, []byte{1}), 0o600))
			require.NoError(t, os.Chtimes(path, at, at))
		}, false, "3001 bytes"},
		{"a newer one", func(t *testing.T, path string, at time.Time) {
			t.Helper()
			require.NoError(t, os.Chtimes(path, at, at.Add(time.Second)))
		}, false, "modified"},
		{"another with the same size and time, hashed", func(t *testing.T, path string, at time.Time) {
			t.Helper()
			require.NoError(t, os.WriteFile(path, changed, 0o600))
			require.NoError(t, os.Chtimes(path, at, at))
		}, true, "SHA-256"},
		{"none", func(t *testing.T, path string, _ time.Time) {
			t.Helper()
			require.NoError(t, os.Remove(path))
		}, false, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 403})
			c := newClient(t, fake, quick)
			path := filepath.Join(t.TempDir(), "a.wav")
			require.NoError(t, os.WriteFile(path, content, 0o600))
			info, err := os.Stat(path)
			require.NoError(t, err)

			first := []scriptix.SubmitOption{scriptix.Resumable()}
			if tt.hashed {
				first = append(first, expect(t, scriptix.File(path)))
			}
			_, err = c.STT.Submit(t.Context(), scriptix.File(path), english, first...)
			cut := interruption(t, err)
			before := len(fake.Requests())
			tt.change(t, path, info.ModTime())
			job, err := c.STT.Submit(t.Context(), scriptix.File(path), english, scriptix.ResumeUpload(cut.Token))

			if tt.says == "" {
				require.NoError(t, err)
				requireWhole(t, fake, job, tape{3000})
				return
			}
			require.ErrorIs(t, err, scriptix.ErrAudio)
			require.ErrorContains(t, err, tt.says)
			assert.Len(t, fake.Requests(), before, "known before anything is sent")
		})
	}
}

func TestFileThatChangesDuringTheUploadIsNotSentOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"modified", func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) }},
		{"cut short", func(path string) error { return os.Truncate(path, 2500) }},
		{"grown", func(path string) error { return os.Truncate(path, 3500) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			path := filepath.Join(t.TempDir(), "a.wav")
			content := make([]byte, 3000)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			var once sync.Once
			_, err := newClient(t, fake, quick, scriptix.WithChunkSize(1000)).STT.Submit(t.Context(), scriptix.File(path), english, scriptix.Resumable(),
				scriptix.OnProgress(func(sent, _ int64) {
					if sent > 0 {
						once.Do(func() { assert.NoError(t, tt.change(path)) })
					}
				}))
			require.ErrorIs(t, err, scriptix.ErrAudio)
			interruption(t, err)
			assert.Empty(t, fake.Jobs())
		})
	}
}

func TestOpenerThatBringsMoreOrLessThanAnnouncedIsNoJob(t *testing.T) {
	t.Parallel()
	for name, real := range map[string]int64{"more": 3001, "less": 2999, "exactly": 3000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			opener := scriptix.Opener("a.bin", 3000, func(_ context.Context, offset int64) (io.ReadCloser, error) {
				return io.NopCloser(io.NewSectionReader(tape{real}, offset, real-offset)), nil
			})
			job, err := newClient(t, fake, quick, scriptix.WithChunkSize(1000)).STT.Submit(t.Context(), opener, english, scriptix.Resumable())
			if real == 3000 {
				require.NoError(t, err)
				requireWhole(t, fake, job, tape{3000})
				return
			}
			require.ErrorIs(t, err, scriptix.ErrAudio)
			assert.Empty(t, fake.Jobs())
		})
	}
}

func TestTokenOfAnotherServiceOrNoTokenIsRefused(t *testing.T) {
	t.Parallel()
	fake, other := newFake(t), scriptixtest.New(t)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 403})
	_, err := newClient(t, fake).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())
	token := interruption(t, err).Token
	c := newClient(t, other)
	for name, option := range map[string][]scriptix.SubmitOption{
		"another service's": {scriptix.ResumeUpload(token)},
		"cut":               {scriptix.ResumeUpload(token[:len(token)-9])},
		"empty":             {scriptix.ResumeUpload("")},
		"a job's id":        {scriptix.ResumeUpload("stt_abc123")},
	} {
		_, err := c.STT.Submit(t.Context(), tape{3000}.audio(), english, option...)
		require.ErrorIs(t, err, scriptix.ErrInvalid, name)
		require.ErrorContains(t, err, "token", name)
		require.NotContains(t, err.Error(), fake.URL())
	}
	assert.Empty(t, other.Requests())
}

func TestInterruptedErrorShowsNoURLUnasked(t *testing.T) {
	t.Parallel()
	e := &scriptix.UploadInterruptedError{UploadURL: "https://x/f?sig=secret", Token: "secret", Offset: 5, Size: 9, Err: scriptix.ErrServer}
	data, err := e.MarshalJSON()
	require.NoError(t, err)
	for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), string(data)} {
		assert.NotContains(t, text, "secret")
		assert.Contains(t, text, "5")
	}
	require.ErrorIs(t, e, scriptix.ErrServer)
}
