package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Ledger is the memory of a batch: a record for each recording, authentic
// callbacks that no record matches yet, and the windows of the key's request
// budget. [Open] keeps it in one file and [Memory] in memory; a database shared
// by many machines can implement it too. Package ledgertest checks an
// implementation.
//
// All methods may be called concurrently. What one of them has stored when it
// returns is durable: it outlives the process. A method that fails has stored
// nothing, or its error says that this is not known. After Close they return
// [ErrClosed]. Changes to one record are linearizable; that is all the order
// there is.
type Ledger interface {
	// Claim stores r unless its key is taken, and returns what is stored under
	// the key now. Of any number of calls for one key exactly one gets claimed.
	// The new record has Revision 1. A token that another record has is an error.
	Claim(ctx context.Context, r Record) (stored Record, claimed bool, err error)

	// Get returns one record by its key, job id or token, or [ErrNoRecord].
	Get(ctx context.Context, by Index, value string) (Record, error)

	// Apply loads the record, has change make another of it, and stores that if
	// the record is still the one that was loaded; else it starts again. So
	// change is pure, quick, and may be called several times. It returns the
	// record as it is then, with a Revision one higher; a change that changes
	// nothing stores nothing. An error of change is returned as it is.
	//
	// Where the change sets another Token, the record is found by that one from
	// then on, and by the old one no more.
	//
	// What [CheckChange] refuses is refused, and a JobID that is bound to
	// another record is [ErrJobTaken]. Where the change sets the JobID, the
	// events parked for that id are taken out and fed to [Heard] in the same
	// step, the oldest first: an event is neither lost nor counted twice.
	//
	// Watchers are woken when the phase changed, the job became known, or Due
	// moved to an earlier time.
	Apply(ctx context.Context, key string, change func(Record) (Record, error)) (Record, error)

	// Park keeps an authentic event for a job that no record is bound to. If one
	// is by now, it keeps nothing and returns that record's key: apply the event
	// there. No order of this call and of an Apply that sets the JobID loses the
	// event. At least 10,000 jobs' events are kept for 72 hours; beyond that the
	// oldest go.
	Park(ctx context.Context, e Event) (key string, err error)

	// Due returns up to limit records whose Due has come, the most overdue
	// first, and moves the Due of each by lease from now, so that nobody else
	// gets them meanwhile. Time is the ledger's own clock.
	Due(ctx context.Context, limit int, lease time.Duration) ([]Record, error)

	// Watch returns a channel of keys whose records changed, until ctx ends or
	// the ledger is closed, which closes it. It is a hint: the record is the
	// truth. Changes after Watch has returned are not missed, but several of one
	// record may be told once, and "" stands for any number of them.
	Watch(ctx context.Context) (<-chan string, error)

	// Records walks over all records, in any order. What changes meanwhile may
	// be seen as it was or as it is. An error ends it.
	Records(ctx context.Context) iter.Seq2[Record, error]

	// LoadBudget returns what StoreBudget stored last, nil if nothing. It is a
	// few kilobytes that the ledger does not look into.
	LoadBudget(ctx context.Context) ([]byte, error)
	StoreBudget(ctx context.Context, state []byte) error

	// Close ends all watches and lets go of what the ledger holds.
	Close() error
}

// Record is what a ledger keeps of one recording: its Key, Revision, Name,
// Token, Phase, JobID and the rest of what a later run needs to go on. Its
// fields are exported and documented at their declaration.
//
// It holds the token of the callback URL and of a resumable upload, which do
// not belong into logs; [Export] leaves them out.
type Record = ledger.Record

// Phase is how far a record is; [State] is what a run reports.
type Phase = ledger.Phase

// The phases of a record.
const (
	Claimed   = ledger.Claimed   // the key is taken, and no job can exist
	Sent      = ledger.Sent      // the last byte may have gone out: a job may exist
	Unknown   = ledger.Unknown   // the answer was lost, or its process died: a job may exist
	Submitted = ledger.Submitted // the job is known and runs
	Completed = ledger.Completed // the job has ended well; its transcript is still to be handed over
	Failed    = ledger.Failed    // the job has ended without a transcript
	Erasing   = ledger.Erasing   // the transcript was handed over; the job is still to be erased at the service
	Done      = ledger.Done      // the transcript was handed over
	Rejected  = ledger.Rejected  // no job was made; a later run tries again
	Abandoned = ledger.Abandoned // an unknown outcome that was given up with [Abandon]
)

// Event is an authentic callback about the end of a job, as a ledger parks it.
type Event = ledger.Event

// Index is what [Ledger.Get] looks a record up by.
type Index = ledger.Index

// The indexes.
const (
	ByKey   = ledger.ByKey
	ByJob   = ledger.ByJob
	ByToken = ledger.ByToken
)

// The errors of ledgers, for [errors.Is].
var (
	ErrNoRecord = ledger.ErrNoRecord // there is no such record
	ErrLocked   = ledger.ErrLocked   // another process has the file open
	ErrCorrupt  = ledger.ErrCorrupt  // the file is damaged
	ErrFormat   = ledger.ErrFormat   // the file is no ledger that this version can read
	ErrClosed   = ledger.ErrClosed   // the ledger was closed
	ErrJobTaken = ledger.ErrJobTaken // the job is bound to another record
	ErrRule     = ledger.ErrRule     // a change that no record may make
	ErrMoved    = ledger.ErrMoved    // a change that came too late
	ErrDialect  = ledger.ErrDialect  // the job was made in another dialect of the API
)

// MaxKey is the longest key, token or job id in bytes.
const MaxKey = ledger.MaxKey

// CheckChange says what is wrong with storing r in place of old, an [ErrRule].
// Each ledger calls it before it stores, so that an end is never overwritten.
func CheckChange(old, r Record) error { return ledger.Check(old, r) }

// Heard is the record after the event, as [Ledger.Apply] needs it where it
// takes parked events out. Duplicates and contradictions are counted and change
// nothing else.
func Heard(r Record, e Event) Record { return ledger.Heard(r, e) }

// Export writes all records of a ledger as JSON lines, one each, without the
// tokens that open a callback URL or an upload. A job that a run of this process
// could not store, because the ledger was away, is named all the same.
func Export(ctx context.Context, l Ledger, w io.Writer) error {
	enc := json.NewEncoder(w)
	for r, err := range l.Records(ctx) {
		if err != nil {
			return err
		}
		if job, ok := unstored.get(r.Token); ok && r.JobID == "" {
			r.JobID = job.ID
		}
		if err := enc.Encode(ledger.Public(r)); err != nil {
			return fmt.Errorf("batch: export: %w", err)
		}
	}
	return nil
}

// Resubmit has the next [Run] send a recording again whose outcome is unknown,
// which may be billed a second time, or that was abandoned or rejected. The
// error is [ErrMoved] in any other phase.
func Resubmit(ctx context.Context, l Ledger, key string) error {
	_, err := l.Apply(ctx, key, func(r Record) (Record, error) { return ledger.Reclaimed(r, "") })
	return err
}

// Abandon gives an unknown outcome up: [Run] reports it as unknown without
// waiting for a callback, and never sends it again, unless [Resubmit] says so. A
// callback that comes after all still brings its transcript to the next run.
func Abandon(ctx context.Context, l Ledger, key string) error {
	_, err := l.Apply(ctx, key, ledger.GivenUp)
	return err
}
