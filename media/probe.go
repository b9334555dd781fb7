package media

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Kind is what a file holds.
type Kind string

// The kinds of files. A cover picture in an audio file does not make it a video.
const (
	KindAudio   Kind = "audio"   // sound and no moving picture
	KindVideo   Kind = "video"   // a moving picture, and sound if there are Tracks
	KindNothing Kind = "nothing" // neither
)

// Info is what [Probe] found in a file.
type Info struct {
	Kind     Kind
	Format   string        // the container as ffprobe calls it: "matroska,webm"
	Duration time.Duration // 0 when the file does not tell
	Size     int64         // of the file, in bytes
	Tracks   []Track       // of sound, in the file's order
}

// Track is one track of sound.
type Track struct {
	Number     int    // from 1, in the order of the file's tracks of sound
	Codec      string // as ffprobe calls it: "aac", "pcm_s16le"
	Channels   int
	SampleRate int    // a second, 0 when unknown
	BitRate    int64  // a second, 0 when unknown
	Language   string // as the file has it, "eng" for example; "" when unknown
	Title      string
	Default    bool // the one that players choose

	stream int // ffmpeg's index of it
}

// Main returns the track that players choose: the first that is marked as the default, else the first; false if there is
// no sound.
func (i *Info) Main() (Track, bool) {
	for _, t := range i.Tracks {
		if t.Default {
			return t, true
		}
	}
	if len(i.Tracks) > 0 {
		return i.Tracks[0], true
	}
	return Track{}, false
}

const probeTime = 30 * time.Second

// Probe says what a file holds. It reads the file's head and, for some containers, its end, in half a minute at most; it
// costs no request.
//
// The error is [ErrNoFFmpeg], [ErrMedia] for what is no recording or not whole, one of os.Stat, or ctx's. A file without
// sound is no error here.
func Probe(ctx context.Context, path string) (*Info, error) {
	file, size, err := regular(path)
	if err != nil {
		return nil, fmt.Errorf("media: probe: %w", err)
	}
	args := append(inputLimits(), "-v", "error", "-of", "json", "-show_entries",
		"format=format_name,duration:stream=index,codec_type,codec_name,channels,sample_rate,bit_rate,duration:stream_tags=language,title:stream_disposition=default,attached_pic",
		"-i", file)
	out, err := run(ctx, "ffprobe", probeTime, args)
	if err != nil {
		return nil, fmt.Errorf("media: probe %s: %w", filepath.Base(path), err)
	}
	info, err := read(out)
	if err != nil {
		return nil, fmt.Errorf("media: probe %s: %w", filepath.Base(path), err)
	}
	info.Size = size
	return info, nil
}

// regular is the address of a file for ffmpeg, which takes a name with a colon for a protocol.
func regular(path string) (address string, size int64, err error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", 0, err
	}
	stat, err := os.Stat(full)
	if err != nil {
		return "", 0, err
	}
	if !stat.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%w: %s is no regular file", ErrMedia, filepath.Base(path))
	}
	return "file:" + full, stat.Size(), nil
}

// probed is ffprobe's answer; it writes numbers as strings, and leaves out what it does not know.
type probed struct {
	Streams []struct {
		Index       int            `json:"index"`
		Type        string         `json:"codec_type"`
		Codec       string         `json:"codec_name"`
		Channels    int            `json:"channels"`
		SampleRate  string         `json:"sample_rate"`
		BitRate     string         `json:"bit_rate"`
		Duration    string         `json:"duration"`
		Tags        tags           `json:"tags"`
		Disposition map[string]int `json:"disposition"`
	} `json:"streams"`
	Format struct {
		Name     string `json:"format_name"`
		Duration string `json:"duration"`
	} `json:"format"`
}

type tags struct {
	Language string `json:"language"`
	Title    string `json:"title"`
}

func read(answer []byte) (*Info, error) {
	var p probed
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, fmt.Errorf("%w: ffprobe's answer cannot be read: %w", ErrMedia, err)
	}
	info := &Info{Kind: KindNothing, Format: p.Format.Name, Duration: seconds(p.Format.Duration)}
	moving := false
	for _, s := range p.Streams {
		switch {
		case s.Type == "video" && s.Disposition["attached_pic"] == 0:
			moving = true
		case s.Type == "audio" && s.Channels > 0:
			info.Tracks = append(info.Tracks, Track{
				Number:     len(info.Tracks) + 1,
				Codec:      s.Codec,
				Channels:   s.Channels,
				SampleRate: int(number(s.SampleRate)),
				BitRate:    number(s.BitRate),
				Language:   languageOf(s.Tags.Language),
				Title:      s.Tags.Title,
				Default:    s.Disposition["default"] == 1,
				stream:     s.Index,
			})
		}
		if info.Duration == 0 {
			info.Duration = seconds(s.Duration)
		}
	}
	switch {
	case moving:
		info.Kind = KindVideo
	case len(info.Tracks) > 0:
		info.Kind = KindAudio
	}
	return info, nil
}

// languageOf leaves out "und", by which files say that they do not know.
func languageOf(tag string) string {
	if tag = strings.ToLower(tag); tag == "und" {
		return ""
	}
	return tag
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// seconds is a duration up to ten years, 0 for what is none.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f < 10*365*24*3600) {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}
