package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The states of an upload.
const (
	stateWaiting = "waiting" // for its turn, or for its transcript
	stateDone    = "done"
	stateFailed  = "failed"  // Reason says why; nothing more happens to it
	stateUnknown = "unknown" // it went out and nobody knows whether a job exists: for the operator
)

// upload is one recording of one user.
type upload struct {
	ID       string    `json:"id"`
	User     string    `json:"user"`
	Name     string    `json:"name"` // as the user's browser said it, for showing
	File     string    `json:"file"` // what it is called here
	Language string    `json:"language"`
	Size     int64     `json:"size"`
	Created  time.Time `json:"created"`
	State    string    `json:"state"`
	Reason   string    `json:"reason,omitempty"`
	JobID    string    `json:"job_id,omitempty"`

	taken bool // by the batch that runs
}

// store keeps uploads in a directory: for each a recording until it is transcribed, a file of what is known of it, and the
// transcript. No name in it is a user's: they are made of the upload's id.
type store struct {
	dir  string
	wake chan struct{} // has an element when there may be something to take

	mu      sync.Mutex
	uploads map[string]*upload
	coming  map[string]int // of each user, how many are arriving
}

// open reads what an earlier process has left. What arrived in part is removed: its user had no answer.
func open(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &store{dir: dir, wake: make(chan struct{}, 1), uploads: make(map[string]*upload), coming: make(map[string]int)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case strings.HasSuffix(path, ".part"):
			err = os.Remove(path)
		case strings.HasSuffix(path, ".upload.json"):
			err = s.load(path)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *store) load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	u := new(upload)
	if err := json.Unmarshal(data, u); err != nil {
		return err
	}
	s.uploads[u.ID] = u
	return nil
}

// identify makes the id of an upload: the same user's same key is the same upload, and is paid for once.
func identify(user, key string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", user, key))
	return hex.EncodeToString(sum[:16])
}

func (s *store) path(u *upload) string           { return filepath.Join(s.dir, u.File) }
func (s *store) transcriptPath(id string) string { return filepath.Join(s.dir, id+".transcript.json") }

// get returns a copy of a user's upload.
func (s *store) get(user, id string) (upload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.uploads[id]; u != nil && u.User == user {
		return *u, true
	}
	return upload{}, false
}

// list returns copies of a user's uploads, the newest first.
func (s *store) list(user string) []upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []upload{}
	for _, u := range s.uploads {
		if u.User == user {
			list = append(list, *u)
		}
	}
	slices.SortFunc(list, func(a, b upload) int { return b.Created.Compare(a.Created) })
	return list
}

// reserve makes room for one more upload of a user, unless so many of theirs are open or arriving. free gives it back.
func (s *store) reserve(user string, most int) (free func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.coming[user]
	for _, u := range s.uploads {
		if u.User == user && u.State == stateWaiting {
			open++
		}
	}
	if open >= most {
		return nil, false
	}
	s.coming[user]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.coming[user]--; s.coming[user] == 0 {
			delete(s.coming, user)
		}
	}, true
}

// add makes an upload of a file that has arrived, unless the user has it already; the file is then not needed. It is on
// disk when add returns.
func (s *store) add(u upload, arrived string) (upload, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.uploads[u.ID]; known != nil {
		return *known, false, os.Remove(arrived)
	}
	if err := os.Rename(arrived, s.path(&u)); err != nil {
		return u, false, err
	}
	if err := s.save(&u); err != nil {
		return u, false, errors.Join(err, os.Remove(s.path(&u)))
	}
	s.uploads[u.ID] = &u
	s.signal()
	return u, true, nil
}

// take returns the upload that has waited longest and is not in the batch yet.
func (s *store) take() *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *upload
	for _, u := range s.uploads {
		if u.State == stateWaiting && !u.taken && (oldest == nil || u.Created.Before(oldest.Created)) {
			oldest = u
		}
	}
	if oldest == nil {
		return nil
	}
	oldest.taken = true
	taken := *oldest
	return &taken
}

// release lets the next batch take what the one before has not ended.
func (s *store) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		u.taken = false
	}
	s.signal()
}

// end says what became of an upload. Its recording is not needed any more, unless the operator has to look.
func (s *store) end(id, state, reason, jobID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return fs.ErrNotExist
	}
	ended := *u
	ended.State, ended.Reason, ended.JobID = state, reason, jobID
	if err := s.save(&ended); err != nil {
		return err
	}
	*u = ended
	if state == stateUnknown {
		return nil
	}
	if err := os.Remove(s.path(u)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *store) save(u *upload) error {
	data, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.dir, u.ID+".upload.json"), data)
}

// replace writes a file whole, or leaves what was there.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "*.part")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
