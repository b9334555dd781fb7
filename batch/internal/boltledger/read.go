package boltledger

import (
	"bytes"
	"fmt"
	"iter"
	"os"

	"go.etcd.io/bbolt"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Read walks over the records of a file that no process has open, as
// batch.ReadRecords promises. What is slow, their decoding, happens once the
// lock is given back.
func Read(path string) iter.Seq2[ledger.Record, error] {
	return func(yield func(ledger.Record, error) bool) {
		values, err := readValues(path)
		if err != nil {
			yield(ledger.Record{}, fmt.Errorf("ledger %s: %w", path, err))
			return
		}
		for _, value := range values {
			record, err := decodeRecord(value)
			if err != nil {
				err = fmt.Errorf("ledger %s: %w", path, err)
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// readValues copies the records as they are stored.
func readValues(path string) (values [][]byte, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	if err := looksLikeBolt(path); err != nil {
		return nil, err
	}
	return guarded(func() (values [][]byte, err error) {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockPatience, NoStatistics: true})
		if err != nil {
			return nil, openError(err)
		}
		defer func() { _ = db.Close() }() // nothing was changed
		err = db.View(func(tx *bbolt.Tx) error {
			records, meta := tx.Bucket(bucketRecords), tx.Bucket(bucketMeta)
			if records == nil || meta == nil || string(meta.Get(keyFormat)) != format {
				return fmt.Errorf("%w: it holds no records in the format that this version reads", ledger.ErrFormat)
			}
			return records.ForEach(func(_, value []byte) error {
				values = append(values, bytes.Clone(value))
				return nil
			})
		})
		return values, err
	})
}
