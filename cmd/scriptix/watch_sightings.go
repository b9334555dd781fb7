package main

import (
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// sightings are the files that a watcher has seen, by absolute path.
type sightings struct {
	mu    sync.Mutex
	seen  map[string]sighting
	round uint32
	told  map[string]string // why a file is to be tried again, as it was told
}

// sighting is what a file looked like, and how far it is.
type sighting struct {
	size     int64
	modified int64         // nanoseconds
	at       time.Duration // since the watch began: when it came to look so, or when it is to be tried again
	round    uint32        // of the look that has found it last
	state    sightingState
}

type sightingState uint8

const (
	settling  sightingState = iota // it may still be written
	inWork                         // it is being transcribed
	over                           // nothing is left to be done, until it changes
	retrying                       // to be tried again
	rerunning                      // the same, of the program of --exec alone
)

func (s sighting) same(other sighting) bool {
	return s.size == other.size && s.modified == other.modified
}

// next begins another look.
func (s *sightings) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round++
}

// sighted notes how a file looks now. It is true when the file is to be taken: it
// has stood still for an interval, or it is to be tried again.
func (s *sightings) sighted(path string, now sighting, interval time.Duration, known func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, seen := s.seen[path]
	ready := false
	switch {
	case !seen && known():
		was = now
		was.state = over
	case seen && was.state == inWork:
		// A change is noticed when that has ended.
	case !seen || !was.same(now):
		was = now
	case was.state == settling:
		ready = now.at-was.at >= interval
	case was.state == retrying || was.state == rerunning:
		ready = now.at >= was.at
	}
	if ready && now.size == 0 {
		was.state = over
	}
	was.round = s.round
	s.seen[path] = was
	return ready
}

// take notes that a file is being transcribed, unless it has changed.
func (s *sightings) take(path string, now sighting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, seen := s.seen[path]
	if seen && !was.same(now) {
		return false
	}
	now.state, now.round = inWork, s.round
	s.seen[path] = now
	return true
}

// end notes how far a file is once its turn is over. It is false where the same
// was told of it before.
func (s *sightings) end(path string, state sightingState, due time.Duration, text string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, seen := s.seen[path]
	if !seen {
		return true
	}
	was.state, was.at = state, due
	s.seen[path] = was
	if state == over {
		delete(s.told, path)
	}
	if text == "" {
		return true
	}
	if s.told == nil {
		s.told = make(map[string]string)
	}
	news = s.told[path] != text
	s.told[path] = text
	return news
}

// gone forgets what the present look has not found, and returns those files that
// were never sent. Below what could not be read nothing has gone.
func (s *sightings) gone(broken []string) (unsent []string) {
	var unread []string
	for _, path := range broken {
		if abs, err := filepath.Abs(path); err == nil {
			unread = append(unread, abs)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, file := range s.seen {
		if file.round == s.round || file.state == inWork || below(path, unread) {
			continue
		}
		if file.state == settling || file.state == retrying {
			unsent = append(unsent, path)
		}
		delete(s.seen, path)
		delete(s.told, path)
	}
	return unsent
}

func below(path string, dirs []string) bool {
	const separator = string(filepath.Separator)
	for _, dir := range dirs {
		if path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, separator)+separator) {
			return true
		}
	}
	return false
}

// count counts the files in a state.
func (s *sightings) count(state sightingState) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, file := range s.seen {
		if file.state == state {
			n++
		}
	}
	return n
}
