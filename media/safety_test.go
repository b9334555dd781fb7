package media_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/media"
)

func TestAFileNamesNoOther(t *testing.T) {
	t.Parallel()
	needFFmpeg(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	secret := record(t, "secret.wav", "-map", "1:a")
	for name, content := range map[string]string{
		"list.m3u8":   "#EXTM3U\n#EXTINF:4,\n" + server.URL + "/a.ts\n#EXT-X-ENDLIST\n",
		"list.mp4":    "#EXTM3U\n#EXTINF:4,\n" + server.URL + "/a.ts\n#EXT-X-ENDLIST\n",
		"local.mp4":   "#EXTM3U\n#EXTINF:4,\n" + secret + "\n#EXT-X-ENDLIST\n",
		"concat.mp4":  "ffconcat version 1.0\nfile '" + secret + "'\n",
		"session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
		"list.mpd":    `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation id="1"><BaseURL>` + server.URL + `/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"broken.mp4":  strings.Repeat("not a film ", 1000),
		"empty.mp4":   "",
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := media.Probe(t.Context(), path)
		require.ErrorIs(t, err, media.ErrMedia, name)
		assert.NotContains(t, err.Error(), filepath.Dir(path), "no folder is shown")
		_, err = media.Extract(t.Context(), path, media.Options{})
		require.ErrorIs(t, err, media.ErrMedia, name)
	}
	assert.Zero(t, asked.Load(), "requests to the server that the lists name")
}

func TestANameIsNoProtocolAndNoOption(t *testing.T) {
	needFFmpeg(t)
	good := record(t, "good.wav", "-map", "1:a")
	t.Chdir(t.TempDir())
	for _, name := range []string{"-y", "http:x.wav", "concat:a|b", "pipe:0", "a b%20.wav", "-i"} {
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no such names")
		}
		b, err := os.ReadFile(good)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, b, 0o600))
		e, err := media.Extract(t.Context(), name, media.Options{Dir: t.TempDir()})
		require.NoError(t, err, name)
		assert.Equal(t, strings.TrimSuffix(name, filepath.Ext(name))+".flac", e.Audio().Name())
		require.NoError(t, e.Close())
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	t.Parallel()
	_, err := media.Probe(t.Context(), t.TempDir())
	require.ErrorIs(t, err, media.ErrMedia)
	_, err = media.Probe(t.Context(), filepath.Join(t.TempDir(), "missing.mp4"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = media.Extract(t.Context(), filepath.Join(t.TempDir(), "missing.mp4"), media.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	if runtime.GOOS != "windows" {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		_, err = media.Probe(t.Context(), socket)
		require.ErrorIs(t, err, media.ErrMedia)
	}
}

func TestLimitsEndAnExtractAndNothingStays(t *testing.T) {
	t.Parallel()
	path := record(t, "talk.mkv", video("-c:a", "pcm_s16le")...)
	dir := t.TempDir()
	left := func() int {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		return len(entries)
	}
	_, err := media.Extract(t.Context(), path, media.Options{Dir: dir, MaxSize: 10_000})
	require.ErrorIs(t, err, media.ErrTooLarge)
	assert.Zero(t, left())

	_, err = media.Extract(t.Context(), path, media.Options{Dir: dir, MaxTime: time.Nanosecond})
	require.ErrorIs(t, err, media.ErrMedia)
	require.ErrorContains(t, err, "was not done within")
	assert.Zero(t, left())

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	_, err = media.Extract(ctx, path, media.Options{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, left())

	_, err = media.Extract(t.Context(), path, media.Options{Dir: filepath.Join(dir, "missing")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestATruncatedRecordingIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"talk.mp4", "talk.mkv"} {
		path := record(t, name, video("-c:a", "aac")...)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b[:len(b)/2], 0o600))
		dir := t.TempDir()
		_, err = media.Extract(t.Context(), path, media.Options{Dir: dir})
		if name == "talk.mp4" {
			require.ErrorIs(t, err, media.ErrMedia, "its index is at its end")
			continue
		}
		if err != nil {
			require.ErrorIs(t, err, media.ErrMedia)
		}
	}
}

func TestWithoutFFmpegTheErrorSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "talk.mp4")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	t.Setenv("PATH", t.TempDir())
	_, err := media.Probe(t.Context(), path)
	require.ErrorIs(t, err, media.ErrNoFFmpeg)
	_, err = media.Extract(t.Context(), path, media.Options{})
	require.ErrorIs(t, err, media.ErrNoFFmpeg)
}

// pretend puts a program of the test's own in ffprobe's place.
func pretend(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "ffprobe"), []byte("#!/bin/sh\n"+script), 0o700))
	t.Setenv("PATH", bin)
	path := filepath.Join(t.TempDir(), "talk.mp4")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	return path
}

func TestTheProgramGetsNoInputAndAnEmptyEnvironment(t *testing.T) {
	t.Setenv("FFREPORT", "file=report.txt")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	path := pretend(t, `read -r line && exit 7
case "$FFREPORT$http_proxy$HOME" in "") ;; *) exit 8 ;; esac
echo '{"streams":[{"index":3,"codec_type":"audio","codec_name":"aac","channels":2,"sample_rate":"x","bit_rate":"-1","duration":"1.5","tags":{"language":"UND"}}],"format":{"format_name":"f","duration":"N/A"}}'`)
	info, err := media.Probe(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, media.KindAudio, info.Kind)
	assert.Equal(t, 1500*time.Millisecond, info.Duration)
	assert.Empty(t, info.Tracks[0].Language)
	assert.Zero(t, info.Tracks[0].BitRate)
	main, _ := info.Main()
	assert.Equal(t, 1, main.Number, "the first, where none is the default")
}

//nolint:paralleltest // PATH is the whole process's.
func TestAnAnswerThatCannotBeReadIsAnError(t *testing.T) {
	for name, script := range map[string]string{
		"no JSON":     "echo hello",
		"too much":    "i=0; while [ $i -lt 20000 ]; do echo 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'; i=$((i+1)); done",
		"a failure":   `printf 'file:/secret/talk.mp4: some\033[31m reason\n' >&2; exit 1`,
		"no words":    "exit 1",
		"many errors": "i=0; while [ $i -lt 2000 ]; do echo 'words words words' >&2; i=$((i+1)); done; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			path := pretend(t, script)
			_, err := media.Probe(t.Context(), path)
			require.ErrorIs(t, err, media.ErrMedia)
			assert.NotContains(t, err.Error(), "/secret")
			assert.NotContains(t, err.Error(), "\033")
			assert.Less(t, len(err.Error()), 400)
		})
	}
}
