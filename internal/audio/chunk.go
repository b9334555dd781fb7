package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	length := min(size, p.Began.Size-from)
	o := &Body{Reader: &chunk{part: p, src: src, at: from, end: from + length}, close: src.Close, Length: length, audioSize: length}
	if p.Report != nil {
		o.progress = func(sent, _ int64) { p.Report(from+sent, p.Began.Size) }
	}
	return o, nil
}

// Same reports how a recording differs from the one the upload began with.
func (x Extent) Same(now Extent) error {
	switch {
	case now.Size != x.Size:
		return fmt.Errorf("is not what the upload began with: it holds %d bytes instead of %d", now.Size, x.Size)
	case !now.ModTime.IsZero() && !x.ModTime.IsZero() && !now.ModTime.Equal(x.ModTime):
		return fmt.Errorf("is not what the upload began with: it was modified at %s", now.ModTime.UTC().Format(time.RFC3339))
	}
	return nil
}

// chunk passes on the bytes of one chunk. It keeps the last byte of a
// recording that turns out shorter or longer than announced.
type chunk struct {
	part    *Part
	src     *source
	at, end int64
}

func (c *chunk) Read(p []byte) (int, error) {
	if c.at == c.end {
		return 0, io.EOF
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.end-c.at)])
	at, size := c.at+int64(n), c.part.Began.Size
	if at < c.end && err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("changed while it was sent: %d bytes were announced and it ended after %d", size, at)
		}
		return 0, c.part.Audio.Fault(err)
	}
	if at == size && c.src.more() {
		return 0, c.part.Audio.Fault(fmt.Errorf("changed while it was sent: it holds more than the %d bytes announced", at))
	}
	c.at = at
	if at > c.part.Sent.Load() {
		c.part.Sent.Store(at)
	}
	return n, nil
}
