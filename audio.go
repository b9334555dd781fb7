package scriptix

import (
	"context"
	"io"
	"io/fs"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// Audio is a recording to be sent: where its bytes come from and what it is
// called. Nothing is opened before the upload starts, and it is opened afresh
// for each attempt. An Audio can be used again and concurrently, but for
// [Reader]'s.
type Audio struct{ src audio.Audio }

// File is the audio in the file at path. It must be a regular file that does
// not change while it is sent.
func File(path string) Audio { return Audio{audio.File(path)} }

// FileFS is the audio in the file called name in fsys.
func FileFS(fsys fs.FS, name string) Audio { return Audio{audio.FileFS(fsys, name)} }

// Bytes is audio in memory; data must not change while it is sent.
func Bytes(name string, data []byte) Audio { return Audio{audio.Bytes(name, data)} }

// ReaderAt is the first size bytes of r. r must allow concurrent reads, and is
// not closed.
func ReaderAt(name string, r io.ReaderAt, size int64) Audio {
	return Audio{audio.ReaderAt(name, r, size)}
}

// Reader is audio of unknown length that can be read once, from a pipe say. It
// is never sent twice: after the first byte left no attempt is repeated, and a
// second Submit fails. It goes out chunked, which some proxies refuse, and
// cannot be sent resumably: prefer any of the others. r is not closed.
func Reader(name string, r io.Reader) Audio { return Audio{audio.Reader(name, r)} }

// Opener is audio that open brings from elsewhere, an object store say: size
// bytes in all, read from offset on. open is called once per attempt, and its
// ctx ends with that attempt; it must bring the same bytes each time.
func Opener(name string, size int64, open func(ctx context.Context, offset int64) (io.ReadCloser, error)) Audio {
	return Audio{audio.Opener(name, size, open)}
}

// Name is the file name that the service gets to see.
func (a Audio) Name() string { return a.src.Name() }

// Open opens the audio for reading from its start, and returns its size, -1
// when it is not known. The caller closes it. What [Reader] made is used up by
// reading it. The error is [ErrAudio].
func (a Audio) Open(ctx context.Context) (io.ReadCloser, int64, error) { return a.src.Open(ctx) }
