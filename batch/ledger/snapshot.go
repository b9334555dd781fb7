package ledger

import "time"

// Snapshot is a look at a ledger in a file from another process.
type Snapshot struct {
	Time   time.Time     `json:"time"`   // when it was taken
	Open   bool          `json:"open"`   // a process had the ledger open then; false once it was closed
	PID    int           `json:"pid"`    // of that process
	Counts map[Phase]int `json:"counts"` // records by phase
	Recent []Record      `json:"recent"` // the ones that changed last, the latest first; 200 at most, without tokens
}

// Total is the number of records.
func (s Snapshot) Total() (n int) {
	for _, count := range s.Counts {
		n += count
	}
	return n
}
