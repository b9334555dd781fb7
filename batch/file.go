package batch

import (
	"errors"
	"iter"

	"github.com/scriptix-io/scriptix-go/batch/internal/boltledger"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Open opens the ledger in the file at path, and makes it if there is none. It
// belongs to one process at a time: the error is [ErrLocked], within a second,
// while another has it. Beside the file lies a small one for [ReadSnapshot].
//
// The whole file is checked first, so that damage is an [ErrCorrupt] before
// anything is written; a file of something else, or of a later version, is
// [ErrFormat]. When a write fails, for example on a full disk, nothing of it is
// stored, what was stored before stays, and later writes may succeed. A write
// takes the time of one sync of the disk, which writes at the same time share.
func Open(path string) (Ledger, error) {
	l, err := boltledger.Open(path)
	if err != nil {
		return nil, err
	}
	return &file{Ledger: l}, nil
}

// file is the ledger in a file, with the budget that is kept in it.
type file struct {
	budgets
	*boltledger.Ledger
}

// Close stores the budget's last state, and waits for the writes under way.
func (f *file) Close() error { return errors.Join(f.stopBudget(), f.Ledger.Close()) }

// Snapshot is a look at a file ledger from another process.
type Snapshot = ledger.Snapshot

// ReadSnapshot reads how far the batch on the ledger at path is. It needs no
// lock, so it works while the batch runs, and is about a second old then. A
// ledger that was never changed has none: the error is [os.ErrNotExist].
func ReadSnapshot(path string) (Snapshot, error) { return boltledger.ReadSnapshot(path) }

// ReadRecords walks over the records of the ledger at path, which it leaves as
// it is, in the order in which they were claimed. The error is [ErrLocked] while
// a process has the ledger, where [ReadSnapshot] tells more. It reads without
// the check that [Open] makes, and holds the file only while its bytes are
// copied, so that no other process is locked out: 100,000 records take about 60
// MB of memory.
func ReadRecords(path string) iter.Seq2[Record, error] { return boltledger.Read(path) }
