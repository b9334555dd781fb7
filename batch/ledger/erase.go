package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrDialect says that a record's job, or its upload, was made in another
// dialect of the API than the client speaks.
var ErrDialect = errors.New("batch: the job was made in another dialect of the API")

// firstDialect is the one of records that name none, because they were made
// before there were others.
const firstDialect = "stt"

// CheckDialect refuses a record whose job may exist in another dialect than the
// one given: nothing can be asked about that job, and sending the recording again
// would be a second job.
func CheckDialect(r Record, dialect string) error {
	spoken := r.Dialect
	if spoken == "" {
		spoken = firstDialect
	}
	if spoken == dialect || !bound(r) || !r.Phase.Open() {
		return nil
	}
	return fmt.Errorf("%w: in %s, and the client speaks %s", ErrDialect, spoken, dialect)
}

// bound reports whether something of the record exists at the service, or may.
func bound(r Record) bool {
	return r.JobID != "" || r.Upload != "" || r.Phase == Sent || r.Phase == Unknown
}

// Speaking notes in which dialect the record is sent from now on.
func Speaking(r Record, dialect string) Record {
	if !bound(r) {
		r.Dialect = dialect
	}
	return r
}

// Handed notes that the transcript was handed over and is durable elsewhere, and
// that the job is now to be erased at the service. What is done already is taken
// up again, unless it was erased.
func Handed(r Record, now time.Time) Record {
	if r.Phase == Completed || r.Phase == Done && r.ErasedAt.IsZero() {
		r.Phase, r.Due = Erasing, stamp(now)
	}
	return r
}

// Erased notes that the service says that the job is gone; why is what has to be
// known about that, "" when nothing.
func Erased(r Record, why string, now time.Time) Record {
	if r.Phase == Erasing {
		r.Phase, r.Due, r.ErasedAt, r.Failure = Done, time.Time{}, stamp(now), why
	}
	return r
}

// Forgotten is the record without what tells of the recording: its name, its
// tokens and what the service said. Its key, phase, job id and times stay, so
// that the recording is not paid for again. token is a new one in the place of
// the old. Only what is over can be forgotten; the error is [ErrMoved].
func Forgotten(r Record, token string) (Record, error) {
	if r.Phase.Open() {
		return r, fmt.Errorf("%w: it is %s, and only what is over can be forgotten", ErrMoved, r.Phase)
	}
	r.Name, r.Failure, r.Upload, r.Sum, r.Owner, r.Token = "", "", "", "", "", token
	r.Followed, r.FollowFailure = "", ""
	return r, nil
}

// forgets reports whether a change only forgets, which is when a token may go.
func forgets(old, r Record) bool {
	return r.Phase == old.Phase && !r.Phase.Open() && r.Name == "" && r.Failure == "" && r.Upload == "" && r.Sum == "" && r.Followed == "" && r.FollowFailure == "" && r.Token != ""
}

// Scrubber is a ledger that keeps what was overwritten until it is scrubbed, as
// a file does.
type Scrubber interface {
	// Scrub takes out whatever records do not hold any more.
	Scrub(ctx context.Context) error
}
