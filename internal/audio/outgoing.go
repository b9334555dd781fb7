package audio

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Outgoing is the body of one attempt. It knows how much of itself was handed
// to the transport, on which hangs whether a job may exist.
type Outgoing struct {
	*Body
	watchdog *Watchdog
	turn     chan struct{} // held by the one Read or Close under way
	closed   bool

	mu       sync.Mutex
	n        int64
	audioN   int64 // of these, of the audio
	complete bool
	sealed   bool
	err      error // a local read's failure
	panicked any   // what the caller's code panicked with; nil: it did not
}

var (
	errSealed   = errors.New("the attempt is over")
	errPanicked = errors.New("the recording's reader or the progress function panicked")
)

// NewOutgoing makes a body that w watches over.
func NewOutgoing(o *Body, w *Watchdog) *Outgoing {
	return &Outgoing{Body: o, watchdog: w, turn: make(chan struct{}, 1)}
}

// Read hands bytes to the transport and counts them.
func (o *Outgoing) Read(p []byte) (n int, err error) {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	defer o.contain(&n, &err)
	n, err = o.Body.Read(p)
	sent, over, err := o.handOver(n, err)
	if over {
		return 0, err
	}
	if o.progress != nil && n > 0 {
		o.progress(sent, o.audioSize)
	}
	return n, err
}

// contain keeps a panic of the caller's code from ending the process, because
// net/http reads and closes a body on a goroutine of its own.
func (o *Outgoing) contain(n *int, err *error) {
	panicked := recover()
	if panicked == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.panicked, o.err = panicked, errPanicked
	*n, *err = 0, errPanicked
}

// Rethrow lets a panic of the caller's code out, on the goroutine of the call.
func (o *Outgoing) Rethrow() {
	if o == nil {
		return
	}
	o.mu.Lock()
	panicked := o.panicked
	o.mu.Unlock()
	if panicked != nil {
		panic(panicked) //nolint:forbidigo // the caller's own, which belongs in a call of the caller's
	}
}

// handOver counts n bytes as handed to the transport, and returns how much of
// the recording was by then. When the attempt is over they are not handed over.
func (o *Outgoing) handOver(n int, err error) (sent int64, over bool, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed {
		return 0, true, errSealed
	}
	o.n += int64(n)
	o.audioN = o.n
	if o.audioRead != nil {
		o.audioN = o.audioRead()
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		if cause := context.Cause(o.watchdog.ctx); cause != nil {
			return 0, true, cause // the attempt's end, not the recording's fault
		}
		o.err = err
	case err != nil || o.n == o.Length:
		if !o.complete {
			o.complete = true
			o.watchdog.Whole()
		}
	default:
		o.watchdog.Moved()
	}
	return o.audioN, false, err
}

// Close seals the body and closes the recording.
func (o *Outgoing) Close() (err error) {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	defer o.contain(new(int), &err)
	o.Seal()
	if o.closed || o.close == nil {
		return nil
	}
	o.closed = true
	return o.close()
}

// Release closes the body unless the transport has done so. It waits for a Read
// that is under way.
func (o *Outgoing) Release() {
	if o != nil {
		_ = o.Close() // what was sent of it is sent
	}
}

// Seal ends the attempt's sending and reports whether all of the body had been
// handed over. From then on no byte is: what it reports stays true.
func (o *Outgoing) Seal() (whole bool) {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = true
	return o.complete
}

// LocalError is why the recording could not be read, nil if it could.
func (o *Outgoing) LocalError() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Touched reports whether a byte of the recording was given away.
func (o *Outgoing) Touched() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.audioN > 0
}

// Sent returns how much of the audio was handed over.
func (o *Outgoing) Sent() (sent, size int64) {
	if o == nil {
		return 0, 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.audioN, o.audioSize
}
