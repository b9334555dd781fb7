package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

var (
	// ErrNoFFmpeg: ffmpeg or ffprobe is not on PATH.
	ErrNoFFmpeg = errors.New("ffmpeg and ffprobe are not installed")
	// ErrNoAudio: the recording has no track of sound, or not the one that was asked for.
	ErrNoAudio = errors.New("no audio track")
	// ErrCodec: the track cannot be copied into a file that the service takes; Small would convert it.
	ErrCodec = errors.New("a codec that cannot be copied")
	// ErrTooLarge: the extract has more bytes than MaxSize.
	ErrTooLarge = errors.New("the audio is too large")
	// ErrMedia: the file is no recording, names other files instead of holding its data, or is broken.
	ErrMedia = errors.New("not a recording that can be read")
)

// inputLimits are the arguments that keep a file from reaching for anything but itself. They hold for the input that
// follows.
func inputLimits() []string {
	return []string{
		"-hide_banner",
		"-max_alloc", "268435456",
		"-protocol_whitelist", "file",
		// Containers that hold their own data. Not in the list: hls, dash, concat, sdp, rtp, image sequences, devices.
		"-format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,ogg,wav,w64,mp3,flac,aac,ac3,eac3,asf,mpegts,mpeg,flv,aiff,au,caf,amr,amrnb,amrwb,mxf,wv,tta,ape,dts",
	}
}

const (
	mostOutput = 1 << 20
	mostWords  = 4 << 10 // of what it complains about
)

// run runs a program of ffmpeg and returns what it printed.
func run(ctx context.Context, program string, within time.Duration, args []string) ([]byte, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFFmpeg, err)
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(limited, path, args...) //nolint:gosec // G204: the arguments are this package's, the file one of them, as a path behind "file:".
	cmd.Env = environment()
	cmd.WaitDelay = time.Second
	out, complaints := &bounded{limit: mostOutput}, &bounded{limit: mostWords}
	cmd.Stdout, cmd.Stderr = out, complaints
	err = cmd.Run()
	switch {
	case err == nil && out.full:
		return nil, fmt.Errorf("%w: %s printed more than %d bytes", ErrMedia, program, mostOutput)
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, fmt.Errorf("%w: %s was not done within %v", ErrMedia, program, within)
	}
	return nil, fmt.Errorf("%w: %s: %w%s", ErrMedia, program, err, complaints.words())
}

// environment is what the programs are told: nothing that could make them write a report or use a proxy.
func environment() []string {
	env := []string{"LC_ALL=C"}
	if runtime.GOOS == "windows" {
		env = append(env, "SystemRoot="+os.Getenv("SystemRoot"))
	}
	return env
}

// bounded keeps the first bytes of what is written, and takes the rest.
type bounded struct {
	bytes.Buffer
	limit int
	full  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.Len()
	if len(p) > room {
		b.full = true
	}
	_, _ = b.Buffer.Write(p[:min(len(p), room)]) // a Buffer's error is always nil
	return len(p), nil
}

// words is the last thing that ffmpeg said, without its file and addresses.
func (b *bounded) words() string {
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	last := lines[len(lines)-1]
	if i := strings.LastIndex(last, ": "); i >= 0 && strings.Contains(last[:i], "file:") {
		last = last[i+2:]
	}
	if last == "" {
		return ""
	}
	return ": " + strings.ToValidUTF8(strings.Map(printable, last), "?")
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
