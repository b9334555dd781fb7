// Package audio opens recordings, makes them the bodies of requests, and knows
// how much of them went out.
//
// An Audio says where a recording comes from. Each attempt of an upload opens it
// afresh as a source, which is wrapped in three steps. A Form puts the fields
// and the multipart boundaries around the source, a Part cuts one chunk of a
// resumable upload out of it; both yield a Body with a known length wherever the
// recording has one. An Outgoing counts the Body's bytes as net/http takes them:
// whether all of them were handed over decides whether a job may exist. Once it
// is sealed it hands over nothing more, so that what it reported stays true.
//
// Two things end an attempt early. A Watchdog cancels the attempt's context when
// no byte moved for too long, in either direction. And a source whose reader is
// the caller's is detached: its reads run in a goroutine that is left behind when
// they hang, because net/http waits for a body before it returns.
//
// What goes out is never a recording that changed underneath. The last byte is
// held back until the source is known to be as long as announced and its file
// unchanged, and, where a Digest is expected, until it is proved to be what was
// read for it: see proof.
package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Err is the error of a recording that is missing, empty, unreadable or changing.
var Err = errors.New("scriptix: audio cannot be read")

// Audio is a recording: where its bytes come from and what it is called.
type Audio struct {
	name string
	link string                 // of what the service fetches itself
	size int64                  // -1 where it is known only once opened, or never
	stat func() (Extent, error) // what can be told without opening: how large it is, and what is wrong with it
	open func(ctx context.Context, offset int64) (*source, error)

	oneShot bool
}

// Extent is what tells one recording from another without reading it.
type Extent struct {
	Size    int64     // -1 when unknown
	ModTime time.Time // zero when unknown
}

// source is an opened recording.
type source struct {
	io.Reader
	close   func() error
	peek    func(n int) ([]byte, error) // the first bytes, without using them up; nil: read and put back
	size    int64                       // of the whole recording; -1 when unknown
	modTime time.Time                   // zero when unknown
	grown   func() bool                 // whether it holds more than size now; nil: cannot tell
	stat    func() (fs.FileInfo, error) // of the file it is; nil: it is none
	growing bool                        // what comes after size is not ours
	again   func() io.Reader            // the whole of it, once more and apart; nil: cannot be had
	foreign bool                        // the reader is not ours and may hang
}

// File is the audio in the file at path, which must be a regular one.
func File(path string) Audio {
	stat := func() (Extent, error) { return fileExtent(os.Stat(path)) }
	return Audio{name: filepath.Base(path), size: -1, stat: stat, open: func(ctx context.Context, offset int64) (*source, error) {
		// Stat first: opening a named pipe would wait for its writer.
		x, err := stat()
		if err != nil {
			return nil, err
		}
		if err := letRest(ctx, x.ModTime); err != nil {
			return nil, err
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err := checkFile(info, err); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		s := section(f, offset, info.Size())
		s.close, s.modTime, s.stat = f.Close, info.ModTime(), f.Stat
		s.again = func() io.Reader { return io.NewSectionReader(f, 0, info.Size()) }
		s.grown = func() bool {
			n, _ := f.ReadAt(make([]byte, 1), info.Size())
			return n > 0
		}
		return s, nil
	}}
}

// FileFS is the audio in the file called name in fsys.
func FileFS(fsys fs.FS, name string) Audio {
	return Audio{name: path.Base(name), size: -1, stat: func() (Extent, error) { return fileExtent(fs.Stat(fsys, name)) }, open: func(_ context.Context, offset int64) (*source, error) {
		f, err := fsys.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err := checkFile(info, err); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		s := &source{Reader: f, close: f.Close, size: info.Size(), modTime: info.ModTime(), stat: f.Stat, foreign: true}
		if err := skip(f, offset); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return s, nil
	}}
}

// Bytes is audio in memory.
func Bytes(name string, data []byte) Audio {
	return ReaderAt(name, bytes.NewReader(data), int64(len(data)))
}

// ReaderAt is the first size bytes of r, which is not closed.
func ReaderAt(name string, r io.ReaderAt, size int64) Audio {
	return Audio{name: name, size: size, stat: func() (Extent, error) {
		if r == nil {
			return Extent{}, errors.New("the reader is nil")
		}
		return Extent{Size: size}, checkSize(size)
	}, open: func(_ context.Context, offset int64) (*source, error) {
		s := section(r, offset, size)
		s.foreign = mayHang(r)
		if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
			s.stat, s.growing = f.Stat, true
			s.again = func() io.Reader { return io.NewSectionReader(r, 0, size) }
		}
		return s, nil
	}}
}

// Reader is audio of unknown length that can be read once. r is not closed.
func Reader(name string, r io.Reader) Audio {
	once := &oneShot{r: bufio.NewReaderSize(r, 4096)}
	return Audio{name: name, size: -1, oneShot: true, stat: func() (Extent, error) {
		if r == nil {
			return Extent{}, errors.New("the reader is nil")
		}
		return Extent{Size: -1}, once.check()
	}, open: func(_ context.Context, offset int64) (*source, error) {
		if offset != 0 {
			return nil, errReadOnce
		}
		if err := once.check(); err != nil {
			return nil, err
		}
		return &source{Reader: once, peek: once.peek, size: -1, foreign: true}, nil
	}}
}

// Opener is audio that open brings from elsewhere.
func Opener(name string, size int64, open func(ctx context.Context, offset int64) (io.ReadCloser, error)) Audio {
	return Audio{name: name, size: size, stat: func() (Extent, error) {
		if open == nil {
			return Extent{}, errors.New("the open function is nil")
		}
		return Extent{Size: size}, checkSize(size)
	}, open: func(ctx context.Context, offset int64) (*source, error) {
		r, err := open(ctx, offset)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, errors.New("the open function returned nil")
		}
		return &source{Reader: r, close: r.Close, size: size, foreign: true}, nil
	}}
}

// Name is the file name that the service gets to see.
func (a Audio) Name() string { return a.name }

// Open opens the audio for reading from its start, and returns its size, -1
// when it is not known.
func (a Audio) Open(ctx context.Context) (io.ReadCloser, int64, error) {
	s, err := a.start(ctx)
	if err != nil {
		return nil, 0, err
	}
	return s, s.size, nil
}

func (a Audio) start(ctx context.Context) (*source, error) {
	if _, err := a.Measure(); err != nil {
		return nil, err
	}
	s, err := a.open(ctx, 0)
	if err != nil {
		return nil, a.Fault(err)
	}
	return s, nil
}

// Measure says what can be known without opening the audio, and what is wrong
// with it.
func (a Audio) Measure() (Extent, error) {
	if a.open == nil {
		return Extent{}, fmt.Errorf("%w: there is none; use File, Bytes, ReaderAt, Reader or Opener", Err)
	}
	x, err := a.stat()
	if err != nil {
		return x, a.Fault(err)
	}
	return x, nil
}

// Fault names the audio in an error about it.
func (a Audio) Fault(err error) error {
	if errors.Is(err, Err) {
		return err
	}
	return fmt.Errorf("%w: %q: %w", Err, a.name, err)
}

func (s *source) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

var (
	errEmpty    = errors.New("is empty; there is nothing to transcribe")
	errReadOnce = errors.New("was read already, and a Reader can be read once; use File, ReaderAt or Opener")
)

// oneShot is a reader that can be read once. Peeking leaves it whole.
type oneShot struct {
	r    *bufio.Reader
	mu   sync.Mutex
	used bool // a byte was given away, or a read that was given up may still be under way
}

func (o *oneShot) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.used {
		return errReadOnce
	}
	return nil
}

func (o *oneShot) mark(used bool) {
	o.mu.Lock()
	o.used = used
	o.mu.Unlock()
}

func (o *oneShot) peek(n int) ([]byte, error) {
	o.mark(true)
	first, err := o.r.Peek(n)
	o.mark(false)
	return first, err
}

func (o *oneShot) Read(p []byte) (int, error) {
	o.mark(true)
	return o.r.Read(p)
}

// mayHang reports whether r might wait for a network, as memory and files do
// not.
func mayHang(r io.ReaderAt) bool {
	switch r.(type) {
	case *bytes.Reader, *strings.Reader, *os.File:
		return false
	}
	return true
}

func section(r io.ReaderAt, offset, size int64) *source {
	return &source{Reader: io.NewSectionReader(r, offset, size-offset), size: size}
}

func skip(r io.Reader, offset int64) error {
	if offset == 0 {
		return nil
	}
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(offset, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, offset)
	return err
}

func fileExtent(info fs.FileInfo, err error) (Extent, error) {
	if err := checkFile(info, err); err != nil {
		return Extent{}, err
	}
	return Extent{Size: info.Size(), ModTime: info.ModTime()}, nil
}

func checkFile(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a directory; name a file in it")
	case !info.Mode().IsRegular():
		return fmt.Errorf("is no regular file (%v); use Reader for a pipe", info.Mode().Type())
	}
	return checkSize(info.Size())
}

func checkSize(size int64) error {
	switch {
	case size < 0:
		return fmt.Errorf("size %d is negative", size)
	case size == 0:
		return errEmpty
	}
	return nil
}
