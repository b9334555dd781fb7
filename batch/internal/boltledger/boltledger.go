package boltledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// The buckets of the file. Records stand under a number, so that they lie in
// the order they were claimed in and every index entry is short.
var (
	bucketMeta    = []byte("meta")         // format, budget
	bucketRecords = []byte("records")      // number: checksum and JSON
	bucketKeys    = []byte("keys")         // key: number
	bucketJobs    = []byte("jobs")         // job id: number
	bucketTokens  = []byte("tokens")       // token: number
	bucketDue     = []byte("due")          // time and number: nothing
	bucketParked  = []byte("parked")       // job id: checksum and JSON of its events
	bucketOrder   = []byte("parked_order") // number: job id

	buckets = [][]byte{bucketMeta, bucketRecords, bucketKeys, bucketJobs, bucketTokens, bucketDue, bucketParked, bucketOrder}

	keyFormat = []byte("format")
	keyBudget = []byte("budget")
)

// format is the version of what the buckets hold.
const format = "scriptix-ledger 1"

// lockPatience is how long Open waits for another process to let go.
const lockPatience = 500 * time.Millisecond

// Open opens the ledger in the file at path, as batch.Open promises.
func Open(path string) (*Ledger, error) {
	f := &Ledger{path: path, shot: newShooter(path)}
	if err := f.verify(); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return f, nil
}

// Ledger is the ledger in a bbolt file. It implements batch.Ledger.
type Ledger struct {
	path string
	db   *bbolt.DB
	hub  ledger.Hub
	shot *shooter

	mu         sync.Mutex
	queue      []*write
	committing bool
	idle       chan struct{} // closed when the committer has ended
	closed     bool
	broken     error // the mapped file cannot be trusted any more

	reading sync.RWMutex // held for reading by every read
}

// verify checks the file under a shared lock, without bbolt's trust in it.
func (f *Ledger) verify() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no regular file", ledger.ErrFormat)
	}
	if err := looksLikeBolt(f.path); err != nil {
		return err
	}
	db, err := guarded(func() (*bbolt.DB, error) {
		return bbolt.Open(f.path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockPatience, NoStatistics: true})
	})
	if err != nil {
		return openError(err)
	}
	checked := checkFile(f.path)
	if err := db.Close(); err != nil {
		return err
	}
	return checked
}

func (f *Ledger) open() error {
	db, err := guarded(func() (*bbolt.DB, error) {
		return bbolt.Open(f.path, 0o600, &bbolt.Options{Timeout: lockPatience, NoStatistics: true, FreelistType: bbolt.FreelistMapType})
	})
	if err != nil {
		return openError(err)
	}
	// Growing by 16 MiB at a time would make the file of a small batch large.
	db.AllocSize = 1 << 20
	f.db = db
	_, err = guarded(func() (struct{}, error) { return struct{}{}, f.prepare() })
	if err != nil {
		return errors.Join(storeError(err), db.Close())
	}
	return nil
}

// prepare makes the buckets of a new file and counts the records of an old one.
func (f *Ledger) prepare() error {
	fresh := false
	err := f.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			// The first commit of all is number 2. An empty file that has seen more has lost something.
			name, _ := tx.Cursor().First()
			switch fresh = name == nil && tx.ID() <= 1; {
			case name != nil:
				return fmt.Errorf("%w: it is a bbolt file of another program", ledger.ErrFormat)
			case !fresh:
				return fmt.Errorf("%w: everything is missing from it", ledger.ErrCorrupt)
			}
			return nil
		}
		if found := string(meta.Get(keyFormat)); found != format {
			return fmt.Errorf("%w: its format is %.64q, and this version reads %q", ledger.ErrFormat, found, format)
		}
		return f.index(tx)
	})
	if err != nil || !fresh {
		return err
	}
	syncDir(f.path)
	return f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyFormat, []byte(format))
	})
}

// syncDir makes a new file's name outlive a power cut, where the system can.
func syncDir(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// index counts the records, and checks that each is found by every index and
// that no index has more: one that is missing would be claimed, and paid for, again.
func (f *Ledger) index(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: bucket %s is missing", ledger.ErrCorrupt, name)
		}
	}
	keys, tokens, jobs, due := tx.Bucket(bucketKeys), tx.Bucket(bucketTokens), tx.Bucket(bucketJobs), tx.Bucket(bucketDue)
	var all, bound, timed int
	err := tx.Bucket(bucketRecords).ForEach(func(id, v []byte) error {
		r, err := decodeRecord(v)
		if err != nil {
			return err
		}
		all++
		if r.JobID != "" {
			bound++
		}
		if !r.Due.IsZero() {
			timed++
		}
		f.shot.count("", r.Phase)
		if !bytes.Equal(keys.Get([]byte(r.Key)), id) || !bytes.Equal(tokens.Get([]byte(r.Token)), id) ||
			r.JobID != "" && !bytes.Equal(jobs.Get([]byte(r.JobID)), id) || !r.Due.IsZero() && due.Get(dueKey(r.Due, id)) == nil {
			return fmt.Errorf("%w: record %d is missing from an index", ledger.ErrCorrupt, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	order, parked := tx.Bucket(bucketOrder), tx.Bucket(bucketParked)
	if count(keys) != all || count(tokens) != all || count(jobs) != bound || count(due) != timed || count(order) != count(parked) {
		return fmt.Errorf("%w: an index names a record that is not there", ledger.ErrCorrupt)
	}
	return parked.ForEach(func(jobID, _ []byte) error {
		p, err := loadParked(tx, string(jobID))
		if err != nil {
			return err
		}
		if len(p.Events) == 0 || p.Events[0].JobID != string(jobID) || !bytes.Equal(order.Get(number(p.Order)), jobID) {
			return fmt.Errorf("%w: a parked event is missing from its index", ledger.ErrCorrupt)
		}
		return nil
	})
}

// Close waits for the writes under way. The last snapshot is written.
func (f *Ledger) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	idle := f.idle
	committing := f.committing
	broken := f.broken
	f.mu.Unlock()
	if committing {
		<-idle
	}
	f.hub.Close()
	snapErr := f.shot.close()
	if broken != nil {
		// A lock inside may be held by what panicked: the process's end frees it.
		go func() { _ = f.db.Close() }()
		return snapErr
	}
	return errors.Join(snapErr, f.db.Close())
}

// Watch returns a channel of the keys whose records changed.
func (f *Ledger) Watch(ctx context.Context) (<-chan string, error) { return f.hub.Watch(ctx) }

// looksLikeBolt tells a foreign file from a damaged ledger: bbolt's mark stands
// in its first or second page.
func looksLikeBolt(path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	head := make([]byte, 64<<10+64)
	n, _ := r.ReadAt(head, 0)
	for at := 0; at+20 <= n; at += 512 {
		if binary.NativeEndian.Uint32(head[at+16:]) == boltMagic {
			return nil
		}
	}
	return fmt.Errorf("%w: it is something else", ledger.ErrFormat)
}

// guarded turns a panic of bbolt, and a fault in the mapped file, into an error.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
	}()
	return f()
}

// panicError is a panic of bbolt, which trusts its file.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("%v: %v", ledger.ErrCorrupt, e.value) }

// Unwrap returns [ledger.ErrCorrupt].
func (e *panicError) Unwrap() error { return ledger.ErrCorrupt }

func openError(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ledger.ErrLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), strings.HasPrefix(err.Error(), "file size too small"):
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", ledger.ErrFormat, err)
	}
	return storeError(err)
}

// storeError says what a failed write means.
func storeError(err error) error {
	text := err.Error()
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT)
	for _, e := range []error{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT} {
		// bbolt keeps no more than the text of some.
		full = full || strings.Contains(text, e.Error())
	}
	if full {
		return fmt.Errorf("batch: the disk is full: nothing was stored, and what was there is intact: %w", err)
	}
	return err
}
