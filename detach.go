package scriptix

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// first returns up to n of the source's first bytes and leaves it whole. It is
// called before the first Read.
func (s *source) first(n int) ([]byte, error) {
	if s.peek != nil {
		return s.peek(n)
	}
	first := make([]byte, n)
	n, err := io.ReadFull(s.Reader, first)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	s.Reader = io.MultiReader(bytes.NewReader(first[:n]), s.Reader)
	return first[:n], err
}

// detach returns a source whose reads end with ctx even when s hangs: net/http
// waits for a request's body to be let go of before it returns. What hangs is
// left to a goroutine, which closes s once the read comes back.
func detach(ctx context.Context, s *source) *source {
	d := &detached{ctx: ctx, src: s, results: make(chan readResult, 1)}
	out := &source{Reader: d, size: s.size, modTime: s.modTime, grown: s.grown, foreign: true, close: d.close}
	if s.peek != nil {
		out.peek = func(n int) ([]byte, error) {
			var first []byte
			_, err := d.do(func() (_ int, err error) {
				first, err = s.peek(n)
				return 0, err
			})
			if d.gaveUp {
				return nil, err // first may still be written
			}
			return first, err
		}
	}
	return out
}

type detached struct {
	ctx     context.Context
	src     *source
	buf     []byte // owned by the goroutine that reads while one does
	rest    []byte // what of buf is still to be handed out
	err     error  // what came with rest
	gaveUp  bool
	results chan readResult
}

type readResult struct {
	n   int
	err error
}

const detachedBuffer = 64 << 10

func (d *detached) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		if d.buf == nil {
			d.buf = make([]byte, detachedBuffer)
		}
		buf := d.buf[:min(len(p), len(d.buf))]
		n, err := d.do(func() (int, error) { return d.src.Read(buf) })
		d.rest, d.err = buf[:n], err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	if len(d.rest) > 0 {
		return n, nil
	}
	return n, d.err
}

// do runs f, but no longer than ctx lasts.
func (d *detached) do(f func() (int, error)) (int, error) {
	if d.gaveUp {
		return 0, context.Cause(d.ctx)
	}
	if err := d.ctx.Err(); err != nil {
		return 0, context.Cause(d.ctx)
	}
	go func() {
		n, err := f()
		d.results <- readResult{n, err}
	}()
	select {
	case r := <-d.results:
		return r.n, r.err
	case <-d.ctx.Done():
		d.gaveUp = true
		return 0, context.Cause(d.ctx)
	}
}

func (d *detached) close() error {
	if !d.gaveUp {
		return d.src.Close()
	}
	go func() {
		<-d.results
		_ = d.src.Close()
	}()
	return nil
}
