package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// ErrInHand means that a worker is sending a recording, so it cannot be
// forgotten before that is over.
var ErrInHand = errors.New("fleet: a worker is sending it")

// ErrErasing means that a job is still to be erased at the service, as
// [Options.Erase] wants, for which its id is needed.
var ErrErasing = errors.New("fleet: its job is still to be erased at the service")

// ErrSourceErased means that a recording cannot be sent again by a worker,
// because its source was erased, by [Fleet.Forget] or by [Retention]: enqueue it
// under another key.
var ErrSourceErased = errors.New("fleet: its source was erased, so no worker can send it again: enqueue it under another key")

// errForgotten refuses a change by a process that began before the record was
// forgotten.
var errForgotten = fmt.Errorf("%w: it was forgotten", ledger.ErrMoved)

// noWords stands where a message was.
const noWords = "forgotten"

// wordless is an earlier outcome without what it tells of its recording. That
// something went wrong stays.
const wordless = `(case when rec ? 'failure' then jsonb_set(rec, '{failure}', '"` + noWords + `"') else rec end)
	- array['followed', 'follow_failure']`

// Forget erases what is kept of recordings: transcript, locator, parameters,
// Meta, name, job and messages. The key, the phase and the times stay, so that
// none of them is paid for again: to Enqueue it is known. Nothing more is done
// about one that was still open, whose transcript is then never fetched. What
// the service keeps is the service's to erase. A process that was not heard of
// for longer than its lease may still bring the answer to an upload: then the
// record stays as it is, the job's id is in that process's log alone, as an
// error, and with [Options.Erase] the job is erased at the service.
//
// One that a living worker is sending is left alone, and is [ErrInHand]; so is
// one whose job is still to be erased, [ErrErasing], until an outcome has said
// that it cannot be. A key without a record is ledger.ErrNoRecord. The others are
// forgotten all the same.
func (f *Fleet) Forget(ctx context.Context, keys ...string) error {
	var failed []error
	for _, key := range keys {
		if err := f.forget(ctx, key); err != nil {
			failed = append(failed, fmt.Errorf("fleet: forget %q: %w", key, err))
		}
	}
	return errors.Join(failed...)
}

func (f *Fleet) forget(ctx context.Context, key string) error {
	s := f.store
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		r, err := s.lock(ctx, tx, key)
		if err != nil {
			return err
		}
		if (r.Phase == ledger.Claimed || r.Phase == ledger.Sent) && r.Owner != "" {
			alive, err := s.isAlive(ctx, tx, r.Owner)
			if err != nil {
				return err
			}
			if alive {
				return ErrInHand
			}
		}
		if r.Phase == ledger.Erasing && r.Failure == "" {
			return ErrErasing
		}
		return s.erase(ctx, tx, r)
	})
	if err != nil {
		return err
	}
	return f.results.Delete(ctx, s.account, key)
}

// erasedParams stands where parameters were: the null of JSON, by which a record
// whose source was erased differs from that of a batch.Run, which never had one.
const erasedParams = "case when params is not null then 'null'::jsonb end"

// erase empties a record that tx has locked.
func (s *store) erase(ctx context.Context, tx pgx.Tx, r row) error {
	if r.JobID != "" {
		// In the order of every other change: the record, then the job.
		if err := s.lockJob(ctx, tx, r.JobID); err != nil {
			return err
		}
		parked := s.sql("delete from {s}.scriptix_parked where account = $1 and job_id = $2")
		if _, err := tx.Exec(ctx, parked, s.account, r.JobID); err != nil {
			return err
		}
	}
	// Together with the rest, as far as transcripts are here: a process that dies now must not leave one behind.
	transcript := s.sql("delete from {s}.scriptix_transcript where account = $1 and key = $2")
	if _, err := tx.Exec(ctx, transcript, s.account, r.Key); err != nil {
		return err
	}
	bare := ledger.Record{
		ClaimedAt: r.ClaimedAt, SentAt: r.SentAt, SubmittedAt: r.SubmittedAt, EndedAt: r.EndedAt,
		Duration: r.Duration, Attempts: r.Attempts, Dialect: r.Dialect,
	}
	if r.Failure != "" {
		bare.Failure = noWords // that something went wrong is its outcome
	}
	rest, err := encodeRest(bare)
	if err != nil {
		return err
	}
	erase := s.sql(`
		update {s}.scriptix_record set rev = rev + 1, token = $3, job_id = null, owner = '', due = null, rec = $4,
			source = '', params = ` + erasedParams + `, meta = null, stored = null, changed = clock_timestamp()
		where account = $1 and key = $2`)
	if _, err = tx.Exec(ctx, erase, s.account, r.Key, newToken(), rest); err != nil {
		return err
	}
	earlier := s.sql("update {s}.scriptix_outcome set job_id = null, rec = " + wordless + " where account = $1 and key = $2")
	_, err = tx.Exec(ctx, earlier, s.account, r.Key)
	return err
}

// isAlive reports whether a process holds its lease.
func (s *store) isAlive(ctx context.Context, tx pgx.Tx, process string) (alive bool, err error) {
	find := s.sql("select exists (select from {s}.scriptix_process where id = $1 and until > clock_timestamp())")
	err = tx.QueryRow(ctx, find, process).Scan(&alive)
	return alive, err
}
