package scriptix

import (
	"context"
	"crypto/sha256"
	"io"
	"io/fs"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// Audio is a recording to be sent: where its bytes come from and what it is
// called. Nothing is opened before the upload starts, and it is opened afresh
// for each attempt. An Audio can be used again and concurrently, except that of
// [Reader].
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

// Reader is audio of unknown length that can be read once, such as a pipe. It
// is never sent twice: after the first byte left no attempt is repeated, and a
// second Submit fails. It goes out chunked, which some proxies refuse, and
// cannot be sent resumably: prefer any of the others. r is not closed.
func Reader(name string, r io.Reader) Audio { return Audio{audio.Reader(name, r)} }

// Opener is audio that open brings from elsewhere, such as an object store: size
// bytes in all, read from offset on. open is called once per attempt, and its
// ctx ends with that attempt; it must bring the same bytes each time.
func Opener(name string, size int64, open func(ctx context.Context, offset int64) (io.ReadCloser, error)) Audio {
	return Audio{audio.Opener(name, size, open)}
}

// FromURL is media that the service fetches itself, from an http or https URL
// that it can reach: nothing is read here, so [OnProgress] is never called, and
// Open and Digest are [ErrUnsupported]. Its name is the last element of the URL's
// path. Only the session dialect has it; in another Submit is [ErrUnsupported].
func FromURL(rawURL string) Audio { return Audio{audio.Remote(rawURL)} }

// URL is the URL given to [FromURL], "" for audio that is read here.
func (a Audio) URL() string { return a.src.Link() }

// Name is the file name that the service gets to see.
func (a Audio) Name() string { return a.src.Name() }

// Open opens the audio for reading from its start, and returns its size, -1
// when it is not known. The caller closes it. What [Reader] made is used up by
// reading it. The error is [ErrAudio].
func (a Audio) Open(ctx context.Context) (io.ReadCloser, int64, error) { return a.src.Open(ctx) }

// Digest is what a recording held when [Audio.Digest] read it. A Digest that
// only has its Sum, from a database for example, proves as much; the recording
// is then hashed while it is sent.
type Digest struct {
	Sum [sha256.Size]byte

	read audio.Digest
}

// Digest reads all of the recording once, writes it to w, and returns its
// SHA-256 for [ExpectDigest]. w may be [io.Discard], or the hash of a key that
// the recording is known by. What [Reader] made is used up by that. The error is
// [ErrAudio], that of w, or the context's. It sends nothing.
func (a Audio) Digest(ctx context.Context, w io.Writer) (Digest, error) {
	d, err := a.src.Read(ctx, w)
	return Digest{Sum: d.Sum, read: d}, err
}

// ExpectDigest sends the recording only if it still is what d is of. The last
// bytes are held back until that is known, of a resumable upload as well; else
// the error is [ErrAudio], and no job was made.
//
// Where the file system tells that a file has not changed since
// [Audio.Digest] read it, by its size, times and inode, that is believed; a
// file that was modified less than two seconds before, and whatever is no
// file, is hashed while it is sent. With [ResumeUpload] it is hashed before
// anything is sent.
func ExpectDigest(d Digest) SubmitOption {
	return func(s *submission) error {
		s.digest = &audio.Digest{Sum: d.Sum}
		if d.read.Sum == d.Sum {
			*s.digest = d.read
		}
		return nil
	}
}
