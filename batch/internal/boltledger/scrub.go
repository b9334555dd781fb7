package boltledger

import (
	"context"
	"errors"
	"os"

	"go.etcd.io/bbolt"
)

// Scrub overwrites the pages of the file that hold nothing any more, and the
// snapshot. bbolt never writes over a page in use, so what a record held before
// its last changes stays readable in the file until its page is used again.
func (f *Ledger) Scrub(ctx context.Context) error {
	// A page is free once no transaction can see it, and the file keeps two heads:
	// after two more commits both are of what the records hold now.
	for range 2 {
		touch := func(tx *bbolt.Tx) error { return partial(tx.Bucket(bucketMeta).Put(keyFormat, []byte(format))) }
		if err := f.update(ctx, touch, nil); err != nil {
			return err
		}
	}
	f.reading.Lock() // a reader may still look at a page that was let go
	defer f.reading.Unlock()
	err := f.update(ctx, func(tx *bbolt.Tx) error {
		if err := f.zero(tx); err != nil {
			return err
		}
		return errNothing
	}, nil)
	return errors.Join(err, f.shot.forget())
}

// zero overwrites every free page, while no other transaction runs.
func (f *Ledger) zero(tx *bbolt.Tx) error {
	file, err := os.OpenFile(f.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	size := int64(f.db.Info().PageSize)
	empty := make([]byte, size)
	for id := int64(0); (id+1)*size <= tx.Size(); {
		page, err := tx.Page(int(id))
		if err != nil || page == nil {
			break // beyond the last page that was ever used
		}
		if page.Type != "free" {
			id += 1 + int64(page.OverflowCount)
			continue
		}
		if _, err := file.WriteAt(empty, id*size); err != nil {
			return errors.Join(err, file.Close())
		}
		id++
	}
	return errors.Join(file.Sync(), file.Close())
}

// forget writes the snapshot without the latest changes, some of which may tell
// what a record held.
func (s *shooter) forget() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.recent, s.next, s.shorn = nil, 0, true
	closed, shot := s.closed, s.take(true)
	s.mu.Unlock()
	if closed {
		return nil
	}
	return s.write(shot)
}
