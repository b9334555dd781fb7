package main

import (
	"fmt"
	"sync"
	"time"
)

// lines is progress for a log or a pipe: when an upload starts, and then a line
// each half minute, so that a long one is seen to move; what stands in the way,
// when it comes, while it stays, and when it has gone.
type lines struct {
	e *env

	mu       sync.Mutex
	told     map[string]time.Time
	count    int
	ends     int
	obstacle string
	started  time.Time
	last     time.Time // something was said of the status
}

const (
	lineGap     = 30 * time.Second
	obstacleGap = time.Minute
	statusGap   = 5 * time.Minute
)

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

func (l *lines) ended(int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends++
}

func (l *lines) skip(int64) { l.ended(0, false) }
func (l *lines) close()     {}

// status is told when it is another one, and from time to time.
func (l *lines) status(s status) {
	l.mu.Lock()
	now := time.Now()
	text := ""
	switch {
	case s.obstacle != l.obstacle && s.obstacle == "":
		text = "going on"
	case s.obstacle != l.obstacle, s.obstacle != "" && now.Sub(l.last) >= obstacleGap:
		text = s.text
	case s.obstacle == "" && s.text != "" && now.Sub(l.last) >= statusGap && now.Sub(l.started) >= statusGap:
		text = fmt.Sprintf("%d of %d have ended; %s", l.ends, l.count, s.text)
		if l.count == 0 {
			text = fmt.Sprintf("%d have ended; %s", l.ends, s.text)
		}
	}
	l.obstacle = s.obstacle
	if text != "" {
		l.last = now
	}
	l.mu.Unlock()
	if text != "" {
		l.e.note("%s", text)
	}
}

func (l *lines) printf(format string, args ...any) error { return l.e.printf(format, args...) }
func (l *lines) line(text string)                        { l.e.say("%s", text) }
func (l *lines) complain(format string, args ...any)     { l.e.complain(format, args...) }
