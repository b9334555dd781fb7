package httpsource

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// maxTries is how often a connection is made in a row of which no byte came.
const maxTries = 5

// reader reads a source on, whatever becomes of the connections.
type reader struct {
	ctx    context.Context //nolint:containedctx // lives as long as what it reads is needed
	source *Source
	body   io.ReadCloser // nil between two connections
	at     int64
	tries  int // in a row that brought nothing
	done   bool

	failure error // of the confirmation, once done
}

// From reads the recording from an offset on, until ctx ends. A connection that
// breaks is taken up where it broke. The error of reading is a [*RefusedError]
// when the recording changed.
func (s *Source) From(ctx context.Context, offset int64) (io.ReadCloser, error) {
	r := &reader{ctx: ctx, source: s, at: offset}
	if offset > 0 && offset == s.pinned.size {
		r.done = true // no part is that empty
		return r, nil
	}
	return r, r.connect() //nolint:contextcheck // the reader carries it
}

// connect asks for the rest, until an answer comes or nothing more is to be hoped for.
func (r *reader) connect() error {
	for r.body == nil {
		body, err := r.open()
		if err == nil {
			r.body = body
			return nil
		}
		if err = r.wait(err); err != nil {
			return err
		}
	}
	return nil
}

// open makes a connection that brings the rest.
func (r *reader) open() (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(r.ctx)
	body, skip, err := r.source.from(ctx, r.at)
	if err != nil {
		cancel()
		return nil, err
	}
	watched := newWatched(body, cancel, r.source.opener.stall)
	if _, err := io.CopyN(io.Discard, watched, skip); err != nil {
		return nil, errors.Join(err, watched.Close())
	}
	return watched, nil
}

// wait pauses before the next try after a failure, or returns why there is none.
func (r *reader) wait(failure error) error {
	r.tries++
	if errors.Is(failure, io.EOF) || errors.Is(failure, io.ErrUnexpectedEOF) {
		failure = errCut
	}
	_, refused := errors.AsType[*RefusedError](failure)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](failure)
	switch {
	case refused, untrusted, errors.Is(failure, errOtherPart):
		return failure
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case r.tries >= maxTries:
		return fmt.Errorf("after %d tries: %w", r.tries, failure)
	}
	pause := time.NewTimer(r.source.opener.pause << (r.tries - 1))
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// Read returns the last bytes only if the recording is still the one that was
// opened.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if r.done {
			return 0, cmp.Or(r.failure, io.EOF)
		}
		if err := r.connect(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p)
		if n > 0 {
			r.tries = 0
			r.at += int64(n)
		}
		size := r.source.pinned.size
		switch {
		case size >= 0 && r.at > size:
			return 0, r.source.refuse("it is longer than its server said")
		case r.at == size, size < 0 && errors.Is(err, io.EOF):
			r.done, r.failure = true, r.settled()
			if r.failure != nil {
				return 0, r.failure
			}
			return n, nil
		case err == nil:
			return n, nil
		}
		if err = r.broken(err); err != nil || n > 0 {
			return n, err
		}
	}
}

// broken deals with a connection that ended before the recording did. Where its
// size is not known it cannot be taken up.
func (r *reader) broken(err error) error {
	_ = r.body.Close() // is broken
	r.body = nil
	if r.source.pinned.size < 0 {
		return errCut
	}
	return r.wait(err)
}

// settled confirms the version once all of it was read.
func (r *reader) settled() error {
	for {
		err := r.source.confirm(r.ctx)
		if err == nil {
			return nil
		}
		if err = r.wait(err); err != nil {
			return err
		}
	}
}

// Close ends the connection.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}

// watched is a body whose connection is ended when no byte came for a while,
// because one whose other end is gone without a word brings nothing for ever.
type watched struct {
	io.ReadCloser
	cancel   context.CancelFunc // ends the connection
	watchdog *time.Timer
	limit    time.Duration
	stalled  atomic.Bool
}

func newWatched(body io.ReadCloser, cancel context.CancelFunc, limit time.Duration) *watched {
	w := &watched{ReadCloser: body, cancel: cancel, limit: limit}
	w.watchdog = time.AfterFunc(limit, func() {
		w.stalled.Store(true)
		cancel()
	})
	w.watchdog.Stop()
	return w
}

// Read reads as long as bytes come.
func (w *watched) Read(p []byte) (int, error) {
	w.watchdog.Reset(w.limit)
	n, err := w.ReadCloser.Read(p)
	w.watchdog.Stop()
	if err != nil && w.stalled.Load() {
		err = fmt.Errorf("no byte came for %v", w.limit)
	}
	return n, err
}

// Close closes the body.
func (w *watched) Close() error {
	w.watchdog.Stop()
	err := w.ReadCloser.Close()
	w.cancel()
	return err
}
