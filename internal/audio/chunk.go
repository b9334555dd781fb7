package audio

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// Part is the recording of a resumable upload, of which one chunk after the
// other goes out.
type Part struct {
	Audio  Audio
	Began  Extent                  // what the upload began with
	Sent   *atomic.Int64           // no byte from here on was ever given to the network
	Report func(sent, total int64) // nil: nobody asks
	Digest *Digest                 // what the recording must hold; nil: whatever it does

	Release Release

	before fs.FileInfo // when the first chunk was opened; nil: no file

	sum   hash.Hash // of all that comes before the next chunk; nil: not needed
	known prefix    // the longest of which the sum is known

	mu   sync.Mutex
	sent prefix // all that went out, once its last chunk did
}

// prefix is the sum of a recording's first bytes.
type prefix struct {
	sum hash.Hash // nil: nothing was hashed
	end int64
}

// Prepare makes ready to prove the chunk that begins at from: where the file
// system's word is not enough it hashes what comes before, unless that was done
// while it was sent.
func (p *Part) Prepare(ctx context.Context, from int64) error {
	p.sum = nil
	if p.Digest == nil {
		return nil
	}
	p.mu.Lock()
	if p.sent.sum != nil && p.sent.end == from {
		p.known = p.sent
	}
	p.mu.Unlock()
	if p.Digest.file != nil || p.known.end != from {
		vouched, err := p.catchUp(ctx, from)
		if vouched || err != nil {
			return err
		}
	}
	if p.known.sum == nil {
		p.known.sum = sha256.New()
	}
	p.sum = p.known.sum
	return nil
}

// catchUp hashes what comes before from, unless the file system vouches for the
// recording.
func (p *Part) catchUp(ctx context.Context, from int64) (vouched bool, err error) {
	src, err := p.Audio.open(ctx, p.known.end)
	if err != nil {
		return false, p.Audio.Fault(err)
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	defer func() { _ = src.Close() }() // it was read alone
	if p.Digest.vouched(src, src.info()) {
		return true, nil
	}
	next := prefix{sum: sha256.New(), end: from}
	if p.known.sum != nil {
		next.sum = clone(p.known.sum)
	}
	if err := pour(ctx, next.sum, io.LimitReader(src, from-p.known.end)); err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, p.Audio.Fault(err)
	}
	p.known = next
	return false, nil
}

func clone(sum hash.Hash) hash.Hash {
	cloner, ok := sum.(hash.Cloner)
	if !ok {
		return nil
	}
	copied, err := cloner.Clone()
	if err != nil {
		return nil
	}
	return copied
}

// Open opens the chunk of up to size bytes that begins at from, as the body of a
// request.
func (p *Part) Open(ctx context.Context, from, size int64) (*Body, error) {
	src, err := p.Audio.open(ctx, from)
	if err != nil {
		return nil, p.Audio.Fault(err)
	}
	if err := p.Began.Same(Extent{src.size, src.modTime}); err != nil {
		return nil, errors.Join(p.Audio.Fault(err), src.Close())
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	if p.before == nil {
		p.before = src.info()
	}
	evidence := proof{want: p.Digest, before: p.before, release: p.Release}
	if p.sum != nil {
		evidence.sum = clone(p.sum)
	}
	length := min(size, p.Began.Size-from)
	o := &Body{
		Reader: &chunk{ctx: ctx, part: p, src: src, proof: evidence, at: from, end: from + length},
		close:  src.Close, Length: length, audioSize: length,
	}
	if p.Report != nil {
		o.progress = func(sent, _ int64) { p.Report(from+sent, p.Began.Size) }
	}
	return o, nil
}

// ErrOther is the error of a recording that is another one than a resumable
// upload began with.
var ErrOther = errors.New("is not what the upload began with")

// Same reports how a recording differs from the one the upload began with.
func (x Extent) Same(now Extent) error {
	switch {
	case now.Size != x.Size:
		return fmt.Errorf("%w: it holds %d bytes instead of %d", ErrOther, now.Size, x.Size)
	case !now.ModTime.IsZero() && !x.ModTime.IsZero() && !now.ModTime.Equal(x.ModTime):
		return fmt.Errorf("%w: it was modified at %s", ErrOther, now.ModTime.UTC().Format(time.RFC3339))
	}
	return nil
}

// chunk passes on the bytes of one chunk. Of the last one it holds the end back
// until it is known that the recording is no longer than announced, and that it
// is what it should be.
type chunk struct {
	ctx     context.Context //nolint:containedctx // lives as long as the attempt
	part    *Part
	src     *source
	proof   proof
	at, end int64
}

func (c *chunk) Read(p []byte) (int, error) {
	if c.at == c.end {
		return 0, io.EOF
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.end-c.at)])
	c.proof.add(p[:n])
	at, size := c.at+int64(n), c.part.Began.Size
	if ended := errors.Is(err, io.EOF); err != nil && (at < c.end || !ended) {
		if ended {
			err = fmt.Errorf("changed while it was sent: %d bytes were announced and it ended after %d", size, at)
		}
		return 0, c.part.Audio.Fault(err)
	}
	if at == size {
		if err := c.src.ended(size); err != nil {
			return 0, c.part.Audio.Fault(err)
		}
		if err := c.proof.conclude(c.ctx, c.part.Audio, c.src); err != nil {
			return 0, err
		}
	}
	c.at = at
	if at > c.part.Sent.Load() {
		c.part.Sent.Store(at)
	}
	if at == c.end && c.proof.sum != nil {
		c.part.mu.Lock()
		c.part.sent = prefix{sum: c.proof.sum, end: at}
		c.part.mu.Unlock()
	}
	return n, nil
}
