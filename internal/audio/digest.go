package audio

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"
)

// A recording may change between being read for its key and being sent. What
// goes out is therefore proved to be what the key is of, before its last bytes
// do: by what the file system tells of the file where that is enough, else by
// hashing what is sent.

// Digest is what a recording held when it was read.
type Digest struct {
	Sum  [sha256.Size]byte
	file fs.FileInfo // of the file it was read from; nil when a later change could go unseen
}

// Read reads all of the recording into w and returns its digest.
func (a Audio) Read(ctx context.Context, w io.Writer) (Digest, error) {
	src, err := a.start(ctx)
	if err != nil {
		return Digest{}, err
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	defer func() { _ = src.Close() }() // it was read alone
	before, began := src.info(), time.Now()
	sum := sha256.New()
	if err := pour(ctx, io.MultiWriter(sum, w), src); err != nil {
		if ctx.Err() != nil {
			return Digest{}, context.Cause(ctx)
		}
		return Digest{}, a.Fault(err)
	}
	d := Digest{Sum: [sha256.Size]byte(sum.Sum(nil))}
	if settled(before, began) && sameFile(before, src.info()) {
		d.file = before
	}
	return d, nil
}

// Check fails when the recording is not what d is of, and returns what now
// proves it best: d itself while the file system vouches for it, else the digest
// of another reading.
func (a Audio) Check(ctx context.Context, d *Digest) (*Digest, error) {
	if d.file != nil {
		src, err := a.start(ctx)
		if err != nil {
			return nil, err
		}
		vouched := d.vouched(src, src.info())
		if err := src.Close(); vouched || err != nil {
			return d, err
		}
	}
	now, err := a.Read(ctx, io.Discard)
	if err == nil && now.Sum != d.Sum {
		err = a.Fault(errOther)
	}
	return &now, err
}

// pour copies src to w, as long as ctx lasts.
func pour(ctx context.Context, w io.Writer, src io.Reader) error {
	buf := make([]byte, detachedBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(buf)
		if _, failed := w.Write(buf[:n]); failed != nil {
			return failed
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// clockGrain bounds the steps of a file system's clock: FAT's are two seconds.
const clockGrain = 2 * time.Second

// settled reports whether a file's times are old enough for a later change to
// show in them, as git asks of its index.
func settled(info fs.FileInfo, now time.Time) bool {
	return info != nil && !info.ModTime().IsZero() && now.Sub(info.ModTime()) > clockGrain && now.Sub(changeTime(info)) > clockGrain
}

// sameFile reports whether the file system says that nothing happened to a file.
func sameFile(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && sameContent(a, b) && changeTime(a).Equal(changeTime(b))
}

// sameContent leaves out what a file's name or mode may have changed as well.
func sameContent(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// rest is how long after its last change a file is first read, where its clock
// steps in milliseconds: an overwriting that follows then has another time.
const rest = 20 * time.Millisecond

// letRest waits until a file that was written just now is a little older.
func letRest(ctx context.Context, modified time.Time) error {
	age := time.Since(modified)
	if age < 0 || age >= rest {
		return nil
	}
	timer := time.NewTimer(rest - age)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// info is what the file system tells of a source, nil when it is no file.
func (s *source) info() fs.FileInfo {
	if s.stat == nil {
		return nil
	}
	info, err := s.stat()
	if err != nil {
		return nil
	}
	return info
}

// proof follows what goes out of one source.
type proof struct {
	want    *Digest     // nil: only that the file did not change meanwhile
	before  fs.FileInfo // when it was opened; nil: no file
	sum     hash.Hash   // nil: the file system's word is enough
	release Release
}

// Release is asked before the last byte of a recording is let go, once that is
// proved to be what it should be. Its error ends the attempt, of which a byte is
// missing then; nil: nobody is asked.
type Release func(ctx context.Context) error

func newProof(want *Digest, release Release, src *source) *proof {
	p := &proof{want: want, before: src.info(), release: release}
	if want != nil && !want.vouched(src, p.before) {
		p.sum = sha256.New()
	}
	return p
}

// vouched reports whether the file system says that src is still what the
// digest is of.
func (d *Digest) vouched(src *source, now fs.FileInfo) bool {
	return src.again != nil && sameFile(d.file, now)
}

func (p *proof) add(sent []byte) {
	if p.sum != nil {
		p.sum.Write(sent)
	}
}

// conclude fails when what was read of the source is not what it should be, or
// when the last bytes are not released. It is asked before those go out.
func (p *proof) conclude(ctx context.Context, a Audio, src *source) error {
	if err := p.prove(ctx, src); err != nil {
		return a.Fault(err)
	}
	if p.release == nil {
		return nil
	}
	return p.release(ctx)
}

func (p *proof) prove(ctx context.Context, src *source) error {
	if p.sum != nil {
		return p.want.matches(p.sum)
	}
	if p.before == nil {
		return nil
	}
	now := src.info()
	appended := src.growing && now != nil && now.Size() > p.before.Size()
	switch {
	case !appended && (now == nil || !sameContent(p.before, now)):
		return errors.New("changed while it was sent: it was overwritten")
	case p.want == nil || sameFile(p.before, now):
		return nil
	}
	// Its name or mode changed, or somebody set its time back.
	sum := sha256.New()
	if err := pour(ctx, sum, src.again()); err != nil {
		return err
	}
	return p.want.matches(sum)
}

var errOther = errors.New("is not what it was when its digest was taken: its SHA-256 differs")

func (d *Digest) matches(sum hash.Hash) error {
	if got := [sha256.Size]byte(sum.Sum(nil)); got != d.Sum {
		return errOther
	}
	return nil
}
