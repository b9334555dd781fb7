package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// screen is progress on a terminal. Below what is printed stand a bar for each
// upload that is under way, one for the whole, and a line that says what is
// waited for. The bar for the whole counts each byte twice, when it is sent and
// when its recording has ended, so that it moves from the first upload on.
//
// All of it is drawn anew a few times a second, in the width that the terminal
// has then. It uses no colour.
type screen struct {
	e    *env
	size func() (width, height int)

	mu     sync.Mutex
	view   view
	drawn  int // lines that stand there now
	done   bool
	stop   chan struct{}
	drawer sync.WaitGroup
}

const (
	frameGap = 125 * time.Millisecond
	maxBars  = 8
)

func newScreen(e *env, count int, size int64) *screen {
	s := &screen{e: e, size: terminalSize, stop: make(chan struct{})}
	s.view = view{count: count, total: 2 * size, started: time.Now(), moved: time.Now()}
	s.drawer.Go(func() {
		ticker := time.NewTicker(frameGap)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.draw("")
			case <-s.stop:
				return
			}
		}
	})
	return s
}

func terminalSize() (width, height int) {
	width, height, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || width <= 0 {
		return 80, 24
	}
	return width, height
}

// draw writes a line of text to standard error, if there is one, and the frame
// below it.
func (s *screen) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		if text != "" {
			s.e.raw(text + "\n")
		}
		return
	}
	s.e.raw(s.erased() + text + lineEnd(text) + s.frame())
}

// erased is what removes the frame. The caller holds the lock.
func (s *screen) erased() string {
	if s.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", s.drawn)
}

// frame is what draws it. The caller holds the lock.
func (s *screen) frame() string {
	width, height := s.size()
	list := s.view.lines(time.Now(), width, height)
	s.drawn = len(list)
	return strings.Join(list, "\n") + lineEnd(strings.Join(list, ""))
}

func lineEnd(text string) string {
	if text == "" {
		return ""
	}
	return "\n"
}

func (s *screen) change(change func(v *view)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.view)
}

func (s *screen) sending(id, name string, sent, total int64) {
	s.change(func(v *view) { v.sending(id, name, sent, total) })
}

func (s *screen) sent(id string) {
	s.change(func(v *view) {
		v.uploads = slices.DeleteFunc(v.uploads, func(u *upload) bool { return u.id == id })
	})
}

func (s *screen) ended(size int64, failed bool) {
	s.change(func(v *view) {
		v.ends++
		if failed {
			v.failed++
		}
		v.done += size
		v.moved = time.Now()
	})
}

func (s *screen) skip(size int64) {
	s.change(func(v *view) {
		v.ends++
		v.total = max(v.total-2*size, 0)
	})
}

func (s *screen) status(now status) { s.change(func(v *view) { v.status = now }) }

// printf puts the line above the frame when both go to the same terminal.
func (s *screen) printf(format string, args ...any) error {
	if !s.e.stdoutTerminal {
		return s.e.printf(format, args...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.e.printf(format, args...)
	}
	s.e.raw(s.erased())
	s.drawn = 0
	err := s.e.printf(format, args...)
	s.e.raw(s.frame())
	return err
}

func (s *screen) complain(format string, args ...any) {
	s.draw("scriptix: " + fmt.Sprintf(format, args...))
}

func (s *screen) line(text string) { s.draw(text) }

func (s *screen) close() {
	s.mu.Lock()
	if s.done {
		s.mu.Unlock()
		return
	}
	s.e.raw(s.erased())
	s.drawn, s.done = 0, true
	s.mu.Unlock()
	close(s.stop)
	s.drawer.Wait()
}
