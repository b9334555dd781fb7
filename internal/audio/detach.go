package audio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
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
// waits for a request's body to be let go of before it returns. A goroutine
// does the reading, from the first read until the source is closed; what hangs
// is left to it, and it closes s once the read comes back.
func detach(ctx context.Context, s *source) *source {
	d := &detached{ctx: ctx, src: s, results: make(chan readResult, 1)}
	d.fill = func() (int, error) { return s.Read(d.buf[:d.want]) }
	out := &source{Reader: d, size: s.size, modTime: s.modTime, grown: s.grown, foreign: true, close: d.close}
	if s.stat != nil {
		out.stat = func() (info fs.FileInfo, err error) {
			_, err = d.do(func() (_ int, err error) {
				info, err = s.stat()
				return 0, err
			})
			if d.gaveUp {
				return nil, err // info may still be written
			}
			return info, err
		}
	}
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
	buf     []byte // owned by the goroutine while it reads
	want    int    // how much of buf it may fill
	fill    func() (int, error)
	rest    []byte // what of buf is still to be handed out
	err     error  // what came with rest
	gaveUp  bool
	closed  bool
	work    chan func() (int, error) // to the goroutine; nil before the first read
	results chan readResult
}

type readResult struct {
	n        int
	err      error
	panicked any // what the source panicked with; nil: it did not
}

const detachedBuffer = 64 << 10

func (d *detached) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		if d.buf == nil {
			d.buf = make([]byte, detachedBuffer)
		}
		if !d.gaveUp {
			d.want = min(len(p), len(d.buf))
		}
		n, err := d.do(d.fill)
		d.rest, d.err = d.buf[:n], err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	if len(d.rest) > 0 {
		return n, nil
	}
	return n, d.err
}

// do has the goroutine run f, and waits for it no longer than ctx lasts.
func (d *detached) do(f func() (int, error)) (int, error) {
	if d.gaveUp || d.ctx.Err() != nil {
		return 0, context.Cause(d.ctx)
	}
	if d.closed {
		return 0, fs.ErrClosed
	}
	if d.work == nil {
		d.work = make(chan func() (int, error), 1)
		go d.run(d.work)
	}
	d.work <- f
	select {
	case r := <-d.results:
		if r.panicked != nil {
			contained(func() (int, error) { return 0, d.close() }) // whoever opened it may not get to do so
			panic(r.panicked)                                      //nolint:forbidigo // the caller's own, which belongs in a call of the caller's
		}
		return r.n, r.err
	case <-d.ctx.Done():
		d.gaveUp = true
		return 0, context.Cause(d.ctx)
	}
}

func (d *detached) run(work <-chan func() (int, error)) {
	for f := range work {
		d.results <- contained(f)
	}
	if d.gaveUp {
		// Nobody is left who could be told of a panic.
		contained(func() (int, error) { return 0, d.src.Close() })
	}
}

// contained keeps a panic of the caller's code from ending the process.
func contained(f func() (int, error)) (r readResult) {
	defer func() { r.panicked = recover() }()
	r.n, r.err = f()
	return r
}

func (d *detached) close() error {
	if d.work != nil {
		close(d.work)
		d.work = nil
	}
	if d.gaveUp || d.closed {
		return nil
	}
	d.closed = true
	return d.src.Close()
}
