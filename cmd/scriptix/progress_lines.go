package main

import (
	"sync"
	"time"
)

// lines is progress for a log or a pipe: when an upload starts, and then a line
// each half minute, so that a long one is seen to move.
type lines struct {
	e *env

	mu   sync.Mutex
	told map[string]time.Time
}

const lineGap = 30 * time.Second

func (l *lines) sending(id, name string, sent, total int64) {
	l.mu.Lock()
	last, known := l.told[id]
	now := time.Now()
	due := !known || now.Sub(last) >= lineGap
	if due {
		l.told[id] = now
	}
	l.mu.Unlock()
	switch {
	case !due:
	case !known:
		l.e.note("uploading %s (%s)", oneLine(name), bytesText(total))
	case total > 0:
		l.e.note("uploading %s: %d %%", oneLine(name), sent*100/total)
	default:
		l.e.note("uploading %s: %s", oneLine(name), bytesText(sent))
	}
}

func (l *lines) sent(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.told, id)
}

func (l *lines) ended(int64, bool) {}
func (l *lines) skip(int64)        {}
func (l *lines) close()            {}

func (l *lines) printf(format string, args ...any) error { return l.e.printf(format, args...) }
func (l *lines) complain(format string, args ...any)     { l.e.complain(format, args...) }
