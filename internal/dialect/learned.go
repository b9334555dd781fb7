package dialect

import (
	"context"
	"sync"
)

// Learned is what a client has found out about the service that it speaks to:
// in which header the key is taken, and which of several calls tells of a job.
type Learned struct {
	headers []string
	probing chan struct{} // held by the one that probes

	mu     sync.Mutex
	header int // the one that was accepted last
	sure   bool
	status int    // the call that was answered last
	absent string // how the service says that it does not know a session; "": not known
}

// NewLearned knows nothing yet. The headers are tried in their order.
func NewLearned(headers []string) *Learned {
	return &Learned{headers: headers, probing: make(chan struct{}, 1)}
}

// Headers is how many headers the key may be in.
func (l *Learned) Headers() int { return len(l.headers) }

// Put puts the key into the header of that number: in Authorization behind
// "Bearer ", elsewhere by itself.
func (l *Learned) Put(header map[string][]string, which int, key string) {
	name := l.headers[which]
	if name == "Authorization" {
		key = "Bearer " + key
	}
	header[name] = []string{key}
}

// Header is the number of the header to use, and whether it is known to be right.
func (l *Learned) Header() (which int, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.header, l.sure
}

// Accepted remembers a header that the service has accepted.
func (l *Learned) Accepted(which int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.header, l.sure = which, true
}

// Status is the number of the call that was answered last.
func (l *Learned) Status() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Answered remembers a call that was answered.
func (l *Learned) Answered(which int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = which
}

// Absent is how the service says that it does not know a session, "" while that
// is not known.
func (l *Learned) Absent() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.absent
}

// SaysAbsent remembers that.
func (l *Learned) SaysAbsent(words string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.absent = words
}

// Probe makes the caller the one that probes, once the one before is done. It
// returns nil where that has found the header by then.
func (l *Learned) Probe(ctx context.Context) (done func(), err error) {
	select {
	case l.probing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if _, sure := l.Header(); sure {
		<-l.probing
		return nil, nil //nolint:nilnil // there is nothing to probe
	}
	return func() { <-l.probing }, nil
}
