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
}

var errSealed = errors.New("the attempt is over")

// NewOutgoing makes a body that w watches over.
func NewOutgoing(o *Body, w *Watchdog) *Outgoing {
	return &Outgoing{Body: o, watchdog: w, turn: make(chan struct{}, 1)}
}

// Read hands bytes to the transport and counts them.
func (o *Outgoing) Read(p []byte) (int, error) {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	n, err := o.Body.Read(p)
	sent, over, err := o.handOver(n, err)
	if over {
		return 0, err
	}
	if o.progress != nil && n > 0 {
		o.progress(sent, o.audioSize)
	}
	return n, err
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
func (o *Outgoing) Close() error {
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	o.Seal()
	if o.closed || o.close == nil {
		return nil
	}
	o.closed = true
	return o.close()
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
