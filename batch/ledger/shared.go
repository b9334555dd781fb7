package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Index is what a ledger looks a record up by.
type Index int

// The indexes.
const (
	ByKey Index = iota
	ByJob
	ByToken
)

// String returns the index in a word, for errors.
func (i Index) String() string {
	switch i {
	case ByKey:
		return "key"
	case ByJob:
		return "job"
	case ByToken:
		return "token"
	}
	return fmt.Sprintf("index %d", int(i))
}

// The errors of ledgers, for [errors.Is].
var (
	ErrStore      = errors.New("batch: the ledger failed") // what a caller puts in front of a ledger's own error
	ErrNoRecord   = errors.New("batch: no such record")
	ErrLocked     = errors.New("batch: the ledger is in use by another process")
	ErrCorrupt    = errors.New("batch: the ledger file is damaged")
	ErrFormat     = errors.New("batch: the file is no ledger that this version can read")
	ErrClosed     = errors.New("batch: the ledger is closed")
	ErrJobTaken   = errors.New("batch: the job is bound to another record")
	ErrTokenTaken = errors.New("batch: claim: another record has this token")
)

// What a ledger keeps at least of events that no record matches yet.
const (
	MaxParked = 10_000         // jobs with parked events
	ParkedFor = 72 * time.Hour // since the first of a job's events came
	MaxPerJob = 4              // events of one job
)

// MaxKey is the longest key, token or job id in bytes.
const MaxKey = 1024

// CheckClaim says what is wrong with claiming r. Every ledger calls it before it
// stores a new record.
func CheckClaim(r Record) error {
	switch {
	case r.Key == "":
		return errors.New("batch: claim: the key is empty")
	case r.Token == "":
		return errors.New("batch: claim: the token is empty")
	case r.Phase != Claimed || r.JobID != "":
		return fmt.Errorf("batch: claim: %w: a new record is claimed and has no job", ErrRule)
	}
	return CheckName(r.Key, r.Token)
}

// CheckName refuses the keys, tokens and job ids that no ledger can keep: a
// record is stored as JSON, which has no other text than UTF-8.
func CheckName(values ...string) error {
	for _, v := range values {
		switch {
		case len(v) > MaxKey:
			return fmt.Errorf("batch: a key, token or job id of %d bytes: at most %d are kept", len(v), MaxKey)
		case !utf8.ValidString(v):
			return fmt.Errorf("batch: the key, token or job id %q is not valid UTF-8; for a file's name use strconv.Quote", v)
		}
	}
	return nil
}

// Change runs a caller's change and checks what came of it, as every ledger
// does inside Apply. The result has the old revision. A panic of the change
// becomes an error, because it would end a goroutine that serves others too.
func Change(old Record, change func(Record) (Record, error)) (r Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = old, fmt.Errorf("batch: the change of a record panicked: %v", p)
		}
	}()
	if r, err = change(old); err != nil {
		return old, err
	}
	r.Revision = old.Revision
	r.Name, r.Failure, r.FollowFailure = text(r.Name), text(r.Failure), text(r.FollowFailure)
	if err := CheckName(r.JobID); err != nil {
		return old, err
	}
	return r, Check(old, r)
}

// text is s as every store can keep it: a database's text has no NUL, and JSON
// nothing but UTF-8. What a service says of a failure may hold either.
func text(s string) string {
	const replacement = "\uFFFD"
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

// Owners is what a ledger adds that several processes use at once: it knows
// which of its owners live.
type Owners interface {
	// Alive reports whether the owner of a record may still be at work.
	Alive(ctx context.Context, owner string) (bool, error)
}

// Wakes reports whether watchers are woken by a change.
func Wakes(old, r Record) bool {
	return r.Phase != old.Phase || r.JobID != old.JobID || !r.Due.IsZero() && (old.Due.IsZero() || r.Due.Before(old.Due))
}

// Leased is when a record is due again that was handed out now, as it is stored.
func Leased(now time.Time, lease time.Duration) time.Time { return stamp(now.Add(lease)) }

// Public is a record without the tokens that open a callback URL or an upload,
// which do not belong into logs.
func Public(r Record) Record {
	r.Token, r.Upload = "", ""
	return r
}
