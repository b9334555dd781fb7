package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	av "github.com/scriptix-io/scriptix-go/media"
)

// audioLength reads how long a recording is from the header of a WAV; 0 where
// that cannot be told.
func audioLength(path string) time.Duration {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // was only read
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return wavLength(f, info.Size())
}

// wavLength walks over the chunks of a WAV up to its samples. A recorder that
// was stopped leaves a length of 0 or of all ones: then the rest of the file counts.
func wavLength(r io.ReaderAt, size int64) time.Duration {
	var head [24]byte
	if _, err := r.ReadAt(head[:12], 0); err != nil {
		return 0
	}
	if kind := string(head[:4]); kind != "RIFF" && kind != "RF64" || string(head[8:12]) != "WAVE" {
		return 0
	}
	var perSecond int64
	for at, chunks := int64(12), 0; chunks < 1000; chunks++ {
		if _, err := r.ReadAt(head[:8], at); err != nil {
			return 0
		}
		length := int64(binary.LittleEndian.Uint32(head[4:8]))
		switch string(head[:4]) {
		case "fmt ":
			if _, err := r.ReadAt(head[8:24], at+8); err != nil {
				return 0
			}
			perSecond = int64(binary.LittleEndian.Uint32(head[16:20]))
		case "data":
			if rest := size - at - 8; length == 0 || length > rest {
				length = rest
			}
			if perSecond == 0 {
				return 0
			}
			return time.Duration(float64(length) / float64(perSecond) * float64(time.Second))
		}
		at += 8 + length + length%2
	}
	return 0
}

// probe asks ffprobe for the length of a recording; 0 where it cannot tell.
func probe(ctx context.Context, path string) (time.Duration, error) {
	info, err := av.Probe(ctx, path)
	if errors.Is(err, av.ErrNoFFmpeg) {
		return 0, usage("--probe: ffprobe is not installed; it is part of ffmpeg")
	}
	if info == nil { // what cannot be probed has no known length
		return 0, nil
	}
	return info.Duration, nil
}

// hours adds up recordings, some of them of unknown length.
type hours struct {
	known   time.Duration
	unknown int
}

func (h *hours) add(length time.Duration) {
	if length <= 0 {
		h.unknown++
		return
	}
	h.known += length
}

// String says it for people.
func (h hours) String() string {
	text := hoursText(h.known) + " of audio"
	switch {
	case h.unknown == 1:
		text += " and 1 recording of unknown length"
	case h.unknown > 1:
		text += " and " + strconv.Itoa(h.unknown) + " recordings of unknown length"
	}
	return text
}
