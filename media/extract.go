package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// Options say how [Extract] works. The zero value copies the main track.
type Options struct {
	// Track is the number of the track, from 1; 0 is the main one, see [Info.Main].
	Track int
	// Small makes mono Opus at 32 kbit/s of the track, whatever it is.
	Small bool
	// Dir is the directory for the file, which goes into a new directory within; "" is that for temporary files.
	Dir string
	// MaxSize is the most bytes that the file may have; 0 is 4 GiB.
	MaxSize int64
	// MaxTime is how long it may take; 0 is an hour.
	MaxTime time.Duration
}

// Extracted is the sound of a recording in a file of its own, which is there until Close.
type Extracted struct {
	Info  *Info // of the recording
	Track Track
	Size  int64 // of the file, in bytes
	Codec string
	path  string
}

// Audio is the file, to be submitted any number of times until Close. Its name is the recording's, with another extension.
func (e *Extracted) Audio() scriptix.Audio { return scriptix.File(e.path) }

// Path is where the file is.
func (e *Extracted) Path() string { return e.path }

// Close removes the file, and the directory that Extract made for it. It may be called more than once.
func (e *Extracted) Close() error {
	if err := os.RemoveAll(filepath.Dir(e.path)); err != nil {
		return fmt.Errorf("media: remove the extract: %w", err)
	}
	return nil
}

// recipe is how a codec gets into a file that the service takes.
type recipe struct {
	extension, muxer string
	codec            string   // of the file
	args             []string // of ffmpeg
}

var (
	small   = recipe{"ogg", "ogg", "opus", []string{"-c:a", "libopus", "-b:a", "32k", "-ac", "1", "-ar", "48000", "-application", "voip"}}
	flac    = recipe{"flac", "flac", "flac", []string{"-c:a", "flac"}}
	recipes = map[string]recipe{
		"aac":    {"m4a", "ipod", "aac", copied},
		"mp3":    {"mp3", "mp3", "mp3", copied},
		"opus":   {"ogg", "ogg", "opus", copied},
		"vorbis": {"ogg", "ogg", "vorbis", copied},
		"flac":   {"flac", "flac", "flac", copied},
		"alac":   flac,
	}
	copied = []string{"-c:a", "copy"}
)

func recipeFor(codec string) (recipe, bool) {
	if strings.HasPrefix(codec, "pcm_") {
		return flac, true
	}
	r, ok := recipes[codec]
	return r, ok
}

// Extract writes the sound of a recording to a file of its own, as the package's documentation says. It reads the file
// once, and asks the service for nothing.
//
// The error is [ErrNoFFmpeg]; [ErrNoAudio] if there is no sound, or no track of that number; [ErrCodec] if the track cannot
// be copied and Small was not asked for; [ErrTooLarge] if it came to more than MaxSize; [ErrMedia] for what is no recording
// or broken; one of the file system; or ctx's. Nothing is left behind by a failure.
func Extract(ctx context.Context, path string, o Options) (*Extracted, error) {
	info, err := Probe(ctx, path)
	if err != nil {
		return nil, err
	}
	track, err := choose(info, o.Track)
	if err != nil {
		return nil, fmt.Errorf("media: %s: %w", filepath.Base(path), err)
	}
	r, ok := recipeFor(track.Codec)
	if o.Small {
		r, ok = small, true
	}
	if !ok {
		return nil, fmt.Errorf("media: %s: %w: %s", filepath.Base(path), ErrCodec, track.Codec)
	}
	dir, err := os.MkdirTemp(o.Dir, "scriptix-audio-")
	if err != nil {
		return nil, fmt.Errorf("media: extract: %w", err)
	}
	base := filepath.Base(path)
	e := &Extracted{Info: info, Track: track, Codec: r.codec, path: filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+"."+r.extension)}
	if err := e.write(ctx, path, r, o); err != nil {
		return nil, errors.Join(fmt.Errorf("media: extract the audio of %s: %w", base, err), os.RemoveAll(dir))
	}
	return e, nil
}

func choose(info *Info, number int) (Track, error) {
	track, ok := info.Main()
	switch {
	case !ok:
		return Track{}, ErrNoAudio
	case number == 0:
		return track, nil
	case number < 0 || number > len(info.Tracks):
		return Track{}, fmt.Errorf("%w number %d: it has %d", ErrNoAudio, number, len(info.Tracks))
	}
	return info.Tracks[number-1], nil
}

const (
	mostBytes = 4 << 30
	mostTime  = time.Hour
)

func (e *Extracted) write(ctx context.Context, path string, r recipe, o Options) error {
	file, _, err := regular(path)
	if err != nil {
		return err
	}
	limit, within := o.MaxSize, o.MaxTime
	if limit <= 0 {
		limit = mostBytes
	}
	if within <= 0 {
		within = mostTime
	}
	args := append(inputLimits(), "-v", "error", "-nostdin", "-n", "-xerror",
		"-i", file,
		"-map", "0:"+strconv.Itoa(e.Track.stream), "-map_metadata", "-1", "-map_chapters", "-1",
		"-fflags", "+bitexact", "-flags:a", "+bitexact")
	args = append(args, r.args...)
	// ffmpeg ends without a complaint once it has written this much.
	args = append(args, "-fs", strconv.FormatInt(limit+1, 10), "-f", r.muxer, "file:"+e.path)
	if _, err := run(ctx, "ffmpeg", within, args); err != nil {
		return err
	}
	stat, err := os.Stat(e.path)
	if err != nil {
		return err
	}
	e.Size = stat.Size()
	// It stops in front of the packet that would pass the limit, so a little less than the limit may be a part.
	if e.Size > limit-min(limit/100, 64<<10) {
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return nil
}
