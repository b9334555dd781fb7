package audio

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Incoming is an answer's body while the watchdog looks on.
type Incoming struct {
	io.Reader
	watchdog *Watchdog
	parent   context.Context //nolint:containedctx // lives as long as the attempt
	began    time.Time
	n        int64
}

// NewIncoming lets a watchdog look on while body is read; parent is the call's
// context.
func NewIncoming(parent context.Context, body io.Reader, watchdog *Watchdog) *Incoming {
	return &Incoming{Reader: body, watchdog: watchdog, parent: parent, began: time.Now()}
}

// Read reads, and ends the attempt when the answer comes too slowly.
func (b *Incoming) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n > 0 {
		b.watchdog.Reading()
		b.n += int64(n)
		if time.Since(b.began) > slowAnswer+time.Duration(b.n/slowRate)*time.Second {
			b.watchdog.Stop(fmt.Errorf("the answer comes at less than %d bytes a second", slowRate))
		}
	}
	if cause := b.watchdog.Stalled(b.parent); err != nil && cause != nil {
		err = cause
	}
	return n, err
}

// An answer that comes more slowly than this would take for ever: after the
// first two minutes a kibibyte a second is the least.
const (
	slowAnswer = 2 * time.Minute
	slowRate   = 1 << 10
)
