package media_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/media"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// needFFmpeg skips a test where there is none.
func needFFmpeg(t *testing.T) {
	t.Helper()
	for _, program := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not on this machine: apt-get install ffmpeg", program)
		}
	}
}

// record has ffmpeg make a file of a test picture and tones; args follow the two inputs.
func record(t *testing.T, name string, args ...string) string {
	t.Helper()
	needFFmpeg(t)
	path := filepath.Join(t.TempDir(), name)
	all := append([]string{"-v", "error", "-nostdin",
		"-f", "lavfi", "-i", "testsrc=size=128x96:rate=10:duration=4", "-f", "lavfi", "-i", "sine=frequency=300:duration=4:sample_rate=48000"}, args...)
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(all, path)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// video is what makes a video of one track of sound.
func video(codec ...string) []string {
	return append([]string{"-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-q:v", "2"}, codec...)
}

func open(t *testing.T, e *media.Extracted) []byte {
	t.Helper()
	r, _, err := e.Audio().Open(t.Context())
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

// samples is a hash of the packets of a file's first track of sound, or of its samples if decoded.
func samples(t *testing.T, path string, decoded bool) string {
	t.Helper()
	args := []string{"-v", "error", "-nostdin", "-i", path, "-map", "0:a:0"}
	if !decoded {
		args = append(args, "-c", "copy")
	} else {
		args = append(args, "-c:a", "pcm_s16le")
	}
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, "-f", "streamhash", "-hash", "md5", "-")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestTheSoundOfEachContainerComesOutAsItWas(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, codec, out string
		args             []string
		lossless         bool // converted, without a loss
	}{
		{"talk.mp4", "aac", "talk.m4a", video("-c:a", "aac"), false},
		{"talk.mov", "aac", "talk.m4a", video("-c:a", "aac"), false},
		{"talk.mkv", "aac", "talk.m4a", video("-c:a", "aac"), false},
		{"talk.ts", "aac", "talk.m4a", video("-c:a", "aac"), false},
		{"talk.mkv", "mp3", "talk.mp3", video("-c:a", "libmp3lame"), false},
		{"talk.avi", "mp3", "talk.mp3", video("-c:a", "libmp3lame"), false},
		{"talk.mp4", "mp3", "talk.mp3", video("-c:a", "libmp3lame"), false},
		{"talk.webm", "opus", "talk.ogg", []string{"-map", "0:v", "-map", "1:a", "-c:v", "libvpx", "-c:a", "libopus"}, false},
		{"talk.webm", "vorbis", "talk.ogg", []string{"-map", "0:v", "-map", "1:a", "-c:v", "libvpx", "-c:a", "libvorbis"}, false},
		{"talk.mkv", "flac", "talk.flac", video("-c:a", "flac"), false},
		{"talk.mkv", "pcm_s16le", "talk.flac", video("-c:a", "pcm_s16le"), true},
		{"talk.mov", "pcm_s24le", "talk.flac", video("-c:a", "pcm_s24le"), true},
		{"talk.avi", "pcm_s16le", "talk.flac", video("-c:a", "pcm_s16le"), true},
		{"talk.mp4", "alac", "talk.flac", video("-c:a", "alac"), true},
		{"talk.wav", "pcm_s16le", "talk.flac", []string{"-map", "1:a"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.codec+" in "+tt.name, func(t *testing.T) {
			t.Parallel()
			path := record(t, tt.name, tt.args...)
			e, err := media.Extract(t.Context(), path, media.Options{Dir: t.TempDir()})
			require.NoError(t, err)
			assert.Equal(t, tt.out, e.Audio().Name())
			assert.Equal(t, tt.codec, e.Track.Codec)
			assert.InDelta(t, 4, e.Info.Duration.Seconds(), 0.2)
			if tt.name != "talk.wav" {
				assert.Equal(t, media.KindVideo, e.Info.Kind)
				assert.Less(t, e.Size, e.Info.Size)
			}
			first := sha256.Sum256(open(t, e))
			// The very packets; of a transport stream the samples, because its packets have headers that .m4a keeps apart.
			decoded := tt.lossless || tt.name == "talk.ts"
			assert.Equal(t, samples(t, path, decoded), samples(t, e.Path(), decoded))

			again, err := media.Extract(t.Context(), path, media.Options{Dir: t.TempDir()})
			require.NoError(t, err)
			assert.Equal(t, first, sha256.Sum256(open(t, again)), "the same bytes each time")
			require.NoError(t, again.Close())
			require.NoError(t, e.Close())
			require.NoError(t, e.Close(), "twice is no error")
			assert.NoDirExists(t, filepath.Dir(e.Path()))
		})
	}
}

func TestWhatCannotBeCopiedIsConvertedOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	path := record(t, "talk.mkv", video("-c:a", "ac3")...)
	dir := t.TempDir()
	_, err := media.Extract(t.Context(), path, media.Options{Dir: dir})
	require.ErrorIs(t, err, media.ErrCodec)
	require.ErrorContains(t, err, "ac3")

	e, err := media.Extract(t.Context(), path, media.Options{Dir: dir, Small: true})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	info, err := media.Probe(t.Context(), e.Path())
	require.NoError(t, err)
	require.Len(t, info.Tracks, 1)
	assert.Equal(t, "opus", info.Tracks[0].Codec)
	assert.Equal(t, 1, info.Tracks[0].Channels)
	assert.Less(t, e.Size, int64(4*32_000/8*2), "about 32 kbit/s")
}

func TestTheMainTrackIsTakenOrTheOneThatIsNamed(t *testing.T) {
	t.Parallel()
	path := record(t, "film.mkv", "-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "mpeg4", "-c:a:0", "libmp3lame", "-c:a:1", "aac", "-ac:a:1", "2",
		"-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=nld", "-metadata:s:a:1", "title=Director", "-disposition:a:0", "0", "-disposition:a:1", "default")
	info, err := media.Probe(t.Context(), path)
	require.NoError(t, err)
	require.Len(t, info.Tracks, 2)
	assert.Equal(t, media.KindVideo, info.Kind)
	assert.Equal(t, "eng", info.Tracks[0].Language)
	assert.Equal(t, "nld", info.Tracks[1].Language)
	assert.Equal(t, "Director", info.Tracks[1].Title)
	assert.Equal(t, 2, info.Tracks[1].Channels)
	main, ok := info.Main()
	assert.True(t, ok)
	assert.Equal(t, 2, main.Number)

	for number, want := range map[int]string{0: "film.m4a", 1: "film.mp3", 2: "film.m4a"} {
		e, err := media.Extract(t.Context(), path, media.Options{Dir: t.TempDir(), Track: number})
		require.NoError(t, err)
		assert.Equal(t, want, e.Audio().Name(), "track %d", number)
		require.NoError(t, e.Close())
	}
	for _, number := range []int{3, -1} {
		_, err = media.Extract(t.Context(), path, media.Options{Track: number})
		require.ErrorIs(t, err, media.ErrNoAudio)
	}
}

func TestAFileWithoutSoundSaysSo(t *testing.T) {
	t.Parallel()
	path := record(t, "silent.mp4", "-map", "0:v", "-c:v", "mpeg4")
	info, err := media.Probe(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, media.KindVideo, info.Kind)
	assert.Empty(t, info.Tracks)
	_, err = media.Extract(t.Context(), path, media.Options{})
	require.ErrorIs(t, err, media.ErrNoAudio)
	assert.EqualError(t, err, "media: silent.mp4: no audio track")
}

func TestACoverPictureMakesNoVideo(t *testing.T) {
	t.Parallel()
	path := record(t, "song.mp3", "-map", "1:a", "-map", "0:v", "-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic")
	info, err := media.Probe(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, media.KindAudio, info.Kind)
}

func TestThreeHoursComeOutInSeconds(t *testing.T) {
	t.Parallel()
	needFFmpeg(t)
	short := record(t, "short.mkv", "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "libopus", "-b:a", "32k")
	path := filepath.Join(t.TempDir(), "long.mkv")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "2699", "-i", short, "-c", "copy", path).CombinedOutput()
	require.NoError(t, err, "%s", out)

	e, err := media.Extract(t.Context(), path, media.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	assert.InDelta(t, 3*3600, e.Info.Duration.Seconds(), 30)
	got, err := media.Probe(t.Context(), e.Path())
	require.NoError(t, err)
	assert.InDelta(t, 3*3600, got.Duration.Seconds(), 30)
	assert.Less(t, e.Size, e.Info.Size/2)
}

func TestAnExtractIsSubmitted(t *testing.T) {
	t.Parallel()
	path := record(t, "talk.mp4", video("-c:a", "aac")...)
	fake := scriptixtest.New(t)
	c, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()))
	require.NoError(t, err)
	e, err := media.Extract(t.Context(), path, media.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { assert.NoError(t, e.Close()) }()
	sum := fmt.Sprintf("%x", sha256.Sum256(open(t, e)))

	_, err = c.STT.Submit(t.Context(), e.Audio(), scriptix.SubmitParams{Language: "en"})

	require.NoError(t, err)
	jobs := fake.Jobs()
	require.Len(t, jobs, 1)
	assert.Equal(t, "talk.m4a", jobs[0].FileName)
	assert.Equal(t, e.Size, jobs[0].Size)
	assert.Equal(t, sum, jobs[0].SHA256)
}
