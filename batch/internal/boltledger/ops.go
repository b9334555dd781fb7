package boltledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/bbolt"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Claim stores a record unless its key is taken.
func (f *Ledger) Claim(ctx context.Context, r ledger.Record) (stored ledger.Record, claimed bool, err error) {
	if err := ledger.CheckClaim(r); err != nil {
		return ledger.Record{}, false, err
	}
	// Most claims of a batch that is run again find their record: no write for those.
	switch stored, err := f.Get(ctx, ledger.ByKey, r.Key); {
	case err == nil:
		return stored, false, nil
	case !errors.Is(err, ledger.ErrNoRecord):
		return ledger.Record{}, false, err
	}
	r.Revision = 1
	err = f.update(ctx, func(tx *bbolt.Tx) error {
		stored, claimed = r, false
		switch found, err := find(tx, bucketKeys, r.Key); {
		case err == nil:
			stored = found
			return errNothing
		case !errors.Is(err, ledger.ErrNoRecord):
			return err
		}
		if tx.Bucket(bucketTokens).Get([]byte(r.Token)) != nil {
			return ledger.ErrTokenTaken
		}
		claimed = true
		id := following(tx.Bucket(bucketRecords))
		return partial(errors.Join(
			tx.Bucket(bucketKeys).Put([]byte(r.Key), id),
			tx.Bucket(bucketTokens).Put([]byte(r.Token), id),
			save(tx, id, ledger.Record{}, r)))
	}, func() { f.shot.change(ledger.Record{}, r) })
	if err != nil {
		return ledger.Record{}, false, err
	}
	return stored, claimed, nil
}

// Get returns one record by its key, job id or token.
func (f *Ledger) Get(ctx context.Context, by ledger.Index, value string) (r ledger.Record, err error) {
	index := bucketKeys
	switch by {
	case ledger.ByJob:
		index = bucketJobs
	case ledger.ByToken:
		index = bucketTokens
	}
	err = f.view(ctx, func(tx *bbolt.Tx) (err error) {
		r, err = find(tx, index, value)
		return err
	})
	return r, err
}

// Apply changes a record, and feeds it what was parked for its job.
func (f *Ledger) Apply(ctx context.Context, key string, change func(ledger.Record) (ledger.Record, error)) (ledger.Record, error) {
	var old, r ledger.Record
	err := f.update(ctx, func(tx *bbolt.Tx) (err error) {
		if old, err = find(tx, bucketKeys, key); err != nil {
			return err
		}
		id := bytes.Clone(tx.Bucket(bucketKeys).Get([]byte(key)))
		if r, err = ledger.Change(old, change); err != nil {
			return err
		}
		if r == old {
			return errNothing
		}
		learned := r.JobID != old.JobID
		if learned {
			if tx.Bucket(bucketJobs).Get([]byte(r.JobID)) != nil {
				return ledger.ErrJobTaken
			}
			parked, err := loadParked(tx, r.JobID)
			if err != nil {
				return err
			}
			for _, e := range parked.Events {
				r = ledger.Heard(r, e)
			}
		}
		tokens := tx.Bucket(bucketTokens)
		if r.Token != old.Token && tokens.Get([]byte(r.Token)) != nil {
			return ledger.ErrTokenTaken
		}
		r.Revision = old.Revision + 1
		if r.Token != old.Token {
			if err := errors.Join(tokens.Delete([]byte(old.Token)), tokens.Put([]byte(r.Token), id)); err != nil {
				return partial(err)
			}
		}
		if learned {
			if err := errors.Join(unpark(tx, r.JobID), tx.Bucket(bucketJobs).Put([]byte(r.JobID), id)); err != nil {
				return partial(err)
			}
		}
		return partial(save(tx, id, old, r))
	}, func() {
		f.shot.change(old, r)
		if ledger.Wakes(old, r) {
			f.hub.Tell(key)
		}
	})
	if err != nil {
		return old, err
	}
	return r, nil
}

// Park keeps an event for a job that no record is bound to.
func (f *Ledger) Park(ctx context.Context, e ledger.Event) (key string, err error) {
	if err := ledger.CheckName(e.JobID); err != nil {
		return "", err
	}
	err = f.update(ctx, func(tx *bbolt.Tx) error {
		key = ""
		switch r, err := find(tx, bucketJobs, e.JobID); {
		case err == nil:
			key = r.Key
			return errNothing
		case !errors.Is(err, ledger.ErrNoRecord):
			return err
		}
		parked, err := loadParked(tx, e.JobID)
		if err != nil {
			return err
		}
		if len(parked.Events) >= ledger.MaxPerJob {
			return errNothing
		}
		if len(parked.Events) == 0 {
			if err := evict(tx); err != nil {
				return partial(err)
			}
			order := tx.Bucket(bucketOrder)
			at := following(order)
			parked.Order = binary.BigEndian.Uint64(at)
			if err := order.Put(at, []byte(e.JobID)); err != nil {
				return partial(err)
			}
		}
		parked.Events = append(parked.Events, e)
		value, err := encode(parked)
		if err != nil {
			return partial(err)
		}
		return partial(tx.Bucket(bucketParked).Put([]byte(e.JobID), value))
	}, nil)
	return key, err
}

// Due hands out the records whose time has come.
func (f *Ledger) Due(ctx context.Context, limit int, lease time.Duration) ([]ledger.Record, error) {
	now := time.Now()
	var old, due []ledger.Record
	err := f.update(ctx, func(tx *bbolt.Tx) error {
		old, due = nil, nil
		var ids [][]byte
		c := tx.Bucket(bucketDue).Cursor()
		for k, _ := c.First(); k != nil && len(due) < limit && !dueTime(k).After(now); k, _ = c.Next() {
			id := bytes.Clone(k[8:])
			r, err := load(tx, id)
			if err != nil {
				return err
			}
			old = append(old, r)
			r.Due = ledger.Leased(now, lease)
			r.Revision++
			ids, due = append(ids, id), append(due, r)
		}
		if len(due) == 0 {
			return errNothing
		}
		for i := range due {
			if err := save(tx, ids[i], old[i], due[i]); err != nil {
				return partial(err)
			}
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return due, nil
}

// Records walks over all records in the order in which they were claimed.
func (f *Ledger) Records(ctx context.Context) iter.Seq2[ledger.Record, error] {
	const page = 500
	return func(yield func(ledger.Record, error) bool) {
		from := number(0)
		for {
			// Page by page: a long read would keep the file from being reused.
			var records []ledger.Record
			err := f.view(ctx, func(tx *bbolt.Tx) error {
				c := tx.Bucket(bucketRecords).Cursor()
				for k, v := c.Seek(from); k != nil && len(records) < page; k, v = c.Next() {
					r, err := decodeRecord(v)
					if err != nil {
						return err
					}
					records = append(records, r)
					from = number(binary.BigEndian.Uint64(k) + 1)
				}
				return nil
			})
			if err != nil {
				yield(ledger.Record{}, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			if len(records) < page {
				return
			}
		}
	}
}

// LoadBudget returns what StoreBudget stored last.
func (f *Ledger) LoadBudget(ctx context.Context) (state []byte, err error) {
	err = f.view(ctx, func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketMeta).Get(keyBudget); v != nil {
			state, err = decodeSum(v)
			state = bytes.Clone(state)
		}
		return err
	})
	return state, err
}

// StoreBudget stores the budget, which the ledger does not look into.
func (f *Ledger) StoreBudget(ctx context.Context, state []byte) error {
	return f.update(ctx, func(tx *bbolt.Tx) error {
		return partial(tx.Bucket(bucketMeta).Put(keyBudget, encodeSum(state)))
	}, nil)
}

func find(tx *bbolt.Tx, index []byte, value string) (ledger.Record, error) {
	id := tx.Bucket(index).Get([]byte(value))
	if id == nil {
		return ledger.Record{}, ledger.ErrNoRecord
	}
	r, err := load(tx, id)
	if err == nil && value != r.Key && value != r.JobID && value != r.Token {
		err = fmt.Errorf("%w: an index names another record", ledger.ErrCorrupt)
	}
	return r, err
}

func load(tx *bbolt.Tx, id []byte) (ledger.Record, error) {
	v := tx.Bucket(bucketRecords).Get(id)
	if v == nil {
		return ledger.Record{}, fmt.Errorf("%w: an index names a record that is not there", ledger.ErrCorrupt)
	}
	return decodeRecord(v)
}

// save stores a record and what the index of due times says of it.
func save(tx *bbolt.Tx, id []byte, old, r ledger.Record) error {
	value, err := encode(r)
	if err != nil {
		return err
	}
	if !old.Due.Equal(r.Due) {
		due := tx.Bucket(bucketDue)
		if !old.Due.IsZero() {
			if err := due.Delete(dueKey(old.Due, id)); err != nil {
				return err
			}
		}
		if !r.Due.IsZero() {
			if err := due.Put(dueKey(r.Due, id), nil); err != nil {
				return err
			}
		}
	}
	return tx.Bucket(bucketRecords).Put(id, value)
}

// parkedEvents are the events of one job.
type parkedEvents struct {
	Order  uint64         `json:"order"`
	Events []ledger.Event `json:"events"`
}

func loadParked(tx *bbolt.Tx, jobID string) (p parkedEvents, err error) {
	v := tx.Bucket(bucketParked).Get([]byte(jobID))
	if v == nil {
		return p, nil
	}
	err = decode(v, &p)
	return p, err
}

func unpark(tx *bbolt.Tx, jobID string) error {
	p, err := loadParked(tx, jobID)
	if err != nil || len(p.Events) == 0 {
		return err
	}
	return errors.Join(tx.Bucket(bucketOrder).Delete(number(p.Order)), tx.Bucket(bucketParked).Delete([]byte(jobID)))
}

// evict makes room for one more job's events.
func evict(tx *bbolt.Tx) error {
	order := tx.Bucket(bucketOrder)
	last, _ := order.Cursor().Last()
	for {
		k, v := order.Cursor().First()
		if k == nil {
			return nil
		}
		p, err := loadParked(tx, string(v))
		if err != nil {
			return err
		}
		// To count takes a while: only when there can be too many.
		over := binary.BigEndian.Uint64(last)-binary.BigEndian.Uint64(k)+1 >= ledger.MaxParked && count(order) >= ledger.MaxParked
		if !over && len(p.Events) > 0 && time.Since(p.Events[0].At) <= ledger.ParkedFor {
			return nil
		}
		if err := errors.Join(order.Delete(k), tx.Bucket(bucketParked).Delete(bytes.Clone(v))); err != nil {
			return err
		}
	}
}

func count(b *bbolt.Bucket) (n int) {
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n
}

// following is the number after the last one in a bucket. A counter of its own
// could be damaged, and then a record would be written over.
func following(b *bbolt.Bucket) []byte {
	last, _ := b.Cursor().Last()
	if last == nil {
		return number(1)
	}
	return number(binary.BigEndian.Uint64(last) + 1)
}
