package step

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/scriptix-io/scriptix-go"
)

// marked returns audio of which the last bytes are not handed out before mark
// has returned nil. As long as they are not, no job can exist; so what was
// killed before is simply sent again, and not an unknown outcome. done closes
// what is still open.
func marked(ctx context.Context, a scriptix.Audio, mark func() error) (audio scriptix.Audio, done func(), err error) {
	r, size, err := a.Open(ctx)
	if err != nil {
		return a, nil, err
	}
	_ = r.Close()
	if size < 0 {
		// Nobody knows which bytes are the last: it may be any.
		return a, func() {}, mark()
	}
	m := &marker{ctx: ctx, audio: a, size: size, mark: mark}
	return scriptix.Opener(a.Name(), size, m.open), m.close, nil
}

type marker struct {
	ctx   context.Context //nolint:containedctx // of the submit: an opened file outlives one chunk
	audio scriptix.Audio
	size  int64
	mark  func() error

	mu     sync.Mutex
	spare  *markedReader // closed by its user, and good to go on from
	closed bool
}

// open returns the audio from offset on. The chunks of a resumable upload follow
// one another: what the last one was read from is used again, for there is no
// way to open audio in the middle.
func (m *marker) open(_ context.Context, offset int64) (io.ReadCloser, error) {
	m.mu.Lock()
	r := m.spare
	m.spare = nil
	m.mu.Unlock()
	if r != nil {
		if r.at == offset {
			return r, nil
		}
		_ = r.src.Close()
	}
	src, _, err := m.audio.Open(m.ctx) //nolint:contextcheck // it outlives the chunk whose context is given
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, &untilDone{m.ctx, src}, offset); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &markedReader{marker: m, src: src, at: offset}, nil
}

func (m *marker) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.spare != nil {
		_ = m.spare.src.Close()
		m.spare = nil
	}
}

type markedReader struct {
	marker *marker
	src    io.ReadCloser
	at     int64
}

func (r *markedReader) Read(p []byte) (int, error) {
	before := r.at
	n, err := r.src.Read(p)
	r.at += int64(n)
	if before < r.marker.size && r.at >= r.marker.size {
		if err := r.marker.mark(); err != nil {
			return 0, err
		}
	}
	return n, err
}

// Close keeps the reader for the next chunk, which begins where it stands.
func (r *markedReader) Close() error {
	r.marker.mu.Lock()
	defer r.marker.mu.Unlock()
	if r.marker.closed || r.marker.spare != nil || r.at >= r.marker.size {
		return r.src.Close()
	}
	r.marker.spare = r
	return nil
}
