package boltledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// ReadSnapshot reads how far the batch on the ledger at path is. It needs no
// lock, so it works while the batch runs, and is about a second old then. A
// ledger that was never changed has none: the error is [os.ErrNotExist].
func ReadSnapshot(path string) (ledger.Snapshot, error) {
	var s ledger.Snapshot
	data, err := os.ReadFile(snapshotPath(path))
	if err != nil {
		return s, fmt.Errorf("batch: snapshot: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("batch: snapshot %s: %w", snapshotPath(path), err)
	}
	return s, nil
}

func snapshotPath(path string) string { return path + ".snapshot" }

const (
	snapshotGap = time.Second
	maxRecent   = 200
)

// shooter keeps the snapshot of a file ledger: at most one a second while
// changes come, and one at the end.
type shooter struct {
	path string

	mu     sync.Mutex
	counts map[ledger.Phase]int
	recent []ledger.Record // a ring of the latest changes
	next   int
	timer  *time.Timer
	armed  bool
	closed bool
	shorn  bool // of the latest changes, by forget

	writing sync.Mutex // one writes at a time
}

func newShooter(path string) *shooter {
	return &shooter{path: snapshotPath(path), counts: make(map[ledger.Phase]int)}
}

// count notes that a record's phase changed; "" is none.
func (s *shooter) count(from, to ledger.Phase) {
	if from == to {
		return
	}
	if from != "" {
		s.counts[from]--
	}
	s.counts[to]++
}

// change notes what was stored.
func (s *shooter) change(old, r ledger.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(old.Phase, r.Phase)
	if len(s.recent) < maxRecent {
		s.recent = append(s.recent, ledger.Public(r))
	} else {
		s.recent[s.next%maxRecent] = ledger.Public(r)
	}
	s.next++
	if s.armed || s.closed {
		return
	}
	s.armed = true
	if s.timer == nil {
		s.timer = time.AfterFunc(snapshotGap, s.shoot)
	} else {
		s.timer.Reset(snapshotGap)
	}
}

// shoot writes one. It is a view: when it fails, the next may succeed.
func (s *shooter) shoot() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.armed = false
	closed, shot := s.closed, s.take(true)
	s.mu.Unlock()
	if !closed {
		_ = s.write(shot)
	}
}

// close writes the last one, if anything changed at all.
func (s *shooter) close() error {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	shot := s.take(false)
	changed := s.next > 0 || s.shorn
	s.mu.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	if !changed {
		return nil
	}
	return s.write(shot)
}

func (s *shooter) take(open bool) ledger.Snapshot {
	shot := ledger.Snapshot{Time: time.Now().UTC(), Open: open, PID: os.Getpid(), Counts: maps.Clone(s.counts)}
	maps.DeleteFunc(shot.Counts, func(_ ledger.Phase, n int) bool { return n == 0 })
	seen := make(map[string]bool)
	for i := range s.recent {
		r := s.recent[(s.next-1-i)%len(s.recent)]
		if !seen[r.Key] {
			seen[r.Key] = true
			shot.Recent = append(shot.Recent, r)
		}
	}
	return shot
}

// write replaces the file as a whole, so that a reader never sees half of one.
func (s *shooter) write(shot ledger.Snapshot) error {
	data, err := json.Marshal(shot)
	if err != nil {
		return err
	}
	// One process has the ledger, and writing is locked: the name is free.
	tmp := s.path + ".tmp"
	if err = os.WriteFile(tmp, data, 0o600); err == nil {
		err = os.Rename(tmp, s.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("batch: snapshot: %w", err), os.Remove(tmp))
	}
	return nil
}
