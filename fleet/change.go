package fleet

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// changing is a change of a record, and what belongs to it.
type changing struct {
	change func(ledger.Record) (ledger.Record, error)

	// token is the record's when its process began: the record has another one
	// once it was forgotten, and nothing is to be written into it again. Empty: it
	// does not matter.
	token string

	// The others may be nil.
	before func(tx pgx.Tx, old row) error             // sees the record before it is changed; an error ends it
	after  func(tx pgx.Tx, r ledger.Record) error     // if it was changed, before it is stored
	adjust func(old row, r ledger.Record, f *follows) // what the change calls for beyond what every change does
}

// apply changes a record in a transaction, together with all that follows from
// the change: events that were parked for its job, a job in River's queue, the
// number of its outcome, and a notice. So it makes no difference whether a
// callback, a poll, a worker or an operator changed it.
func (s *store) apply(ctx context.Context, key string, c changing) (ledger.Record, error) {
	var stored ledger.Record
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		old, err := s.lock(ctx, tx, key)
		if err != nil {
			return err
		}
		stored, err = s.changeLocked(ctx, tx, old, c)
		return err
	})
	if isCode(err, "23505") { // unique violation
		err = ledger.ErrJobTaken
	}
	return stored, err
}

// changeLocked is apply on a record that tx has locked.
func (s *store) changeLocked(ctx context.Context, tx pgx.Tx, old row, c changing) (ledger.Record, error) {
	if c.token != "" && c.token != old.Token {
		return old.Record, errForgotten
	}
	if c.before != nil {
		if err := c.before(tx, old); err != nil {
			return old.Record, err
		}
	}
	r, err := ledger.Change(old.Record, c.change)
	if err != nil {
		return old.Record, err
	}
	f := s.followsFrom(old, r)
	if c.adjust != nil {
		c.adjust(old, r, &f)
	}
	if r == old.Record && !f.stores() {
		return old.Record, nil
	}
	if r.JobID != old.JobID {
		if r, err = s.bind(ctx, tx, r); err != nil {
			return old.Record, err
		}
		f.add(s.followsFrom(old, r)) // of the events that were parked
	}
	if c.after != nil && r != old.Record {
		if err := c.after(tx, r); err != nil {
			return old.Record, err
		}
	}
	return s.put(ctx, tx, old, r, f)
}

// bind takes out the events that were parked for the job that r is now bound to.
func (s *store) bind(ctx context.Context, tx pgx.Tx, r ledger.Record) (ledger.Record, error) {
	if err := s.lockJob(ctx, tx, r.JobID); err != nil {
		return r, err
	}
	var taken bool
	find := s.sql("select exists (select from {s}.scriptix_record where account = $1 and job_id = $2)")
	if err := tx.QueryRow(ctx, find, s.account, r.JobID).Scan(&taken); err != nil {
		return r, err
	}
	if taken {
		return r, ledger.ErrJobTaken
	}
	take := s.sql(`
		with taken as (delete from {s}.scriptix_parked where account = $1 and job_id = $2 returning id, event)
		select event from taken order by id`)
	rows, err := tx.Query(ctx, take, s.account, r.JobID)
	if err != nil {
		return r, err
	}
	events, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return r, err
	}
	for _, data := range events {
		var e ledger.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return r, err
		}
		r = ledger.Heard(r, e)
	}
	return r, nil
}

// follows is what a change calls for.
type follows struct {
	finish  bool          // somebody is to confirm the end, or to fetch the transcript
	submit  bool          // somebody is to upload it
	number  bool          // an outcome is there
	forget  bool          // the outcome that was there is no longer the record's latest word
	release bool          // no process has it in hand any more
	stored  bool          // its transcript is there
	due     time.Duration // from now, in the database's clock; keepDue or never
	tries   int           // of the step that it is at
}

const (
	keepDue time.Duration = -1 // as the record says
	never   time.Duration = -2
)

// stores reports whether there is something to store though the record stays.
func (f follows) stores() bool {
	return f.submit || f.finish || f.number || f.release || f.due != keepDue
}

// dueSeconds is due as the statement takes it.
func (f follows) dueSeconds() float64 {
	if f.due < 0 {
		return float64(f.due) // keepDue or never
	}
	return f.due.Seconds()
}

// add takes in what another change calls for, which overrules what is said of
// the due time.
func (f *follows) add(other follows) {
	f.finish, f.number, f.forget = f.finish || other.finish, f.number || other.number, f.forget || other.forget
	f.release = f.release || other.release
	if other.due != keepDue {
		f.due = other.due
	}
}

// followsFrom decides what a change from old to r calls for.
func (s *store) followsFrom(old row, r ledger.Record) follows {
	f := follows{due: keepDue, tries: old.tries}
	moved := r.Phase != old.Phase
	if moved {
		f.tries = 0
	}
	switch r.Phase {
	case ledger.Claimed:
		f.forget = moved && old.outcome
		if moved && old.enqueued && r.Due.IsZero() && r.Owner == "" {
			f.due = 0
		}
	case ledger.Unknown:
		f.release = moved
		if moved && old.enqueued {
			f.due = 0
			if next := step.Resolve(r, time.Now(), s.patienceWith(r)); next.Do == step.Await && r.Upload == "" {
				f.due = next.After
			}
		}
	case ledger.Submitted:
		f.release, f.forget = moved, moved && old.outcome
		f.finish = r.Confirm && !old.Confirm
	case ledger.Completed:
		f.release, f.forget = moved, moved && old.outcome
		f.finish = moved
	case ledger.Erasing:
		f.forget = moved && old.Phase == ledger.Completed && old.outcome // that its result could not be read
	case ledger.Done:
		// What was done before its erasing was wanted is no news when it is done again.
		f.release, f.number = moved, moved && (old.Phase != ledger.Erasing || !old.outcome || old.Failure != "")
	case ledger.Failed, ledger.Rejected:
		f.release, f.number = moved, moved
	case ledger.Abandoned:
		// An unknown outcome that was reported is no news when it is given up.
		f.release, f.number = moved, moved && !old.outcome
	}
	if f.finish {
		f.due = s.lease
	}
	return f
}

// put stores r in place of old, with all that follows.
func (s *store) put(ctx context.Context, tx pgx.Tx, old row, r ledger.Record, f follows) (ledger.Record, error) {
	r.Revision = old.Revision + 1
	if f.release {
		r.Owner = ""
	}
	if err := s.insertJobs(ctx, tx, r, f); err != nil {
		return old.Record, err
	}
	if old.outcome && (f.forget || f.number) {
		if err := s.keepOutcome(ctx, tx, old.Key); err != nil {
			return old.Record, err
		}
	}
	if r.Token != old.Token { // only what is forgotten gets another
		said := s.sql("update {s}.scriptix_outcome set rec = " + wordless + " where account = $1 and key = $2")
		if _, err := tx.Exec(ctx, said, s.account, r.Key); err != nil {
			return old.Record, err
		}
	}
	rest, err := encodeRest(r)
	if err != nil {
		return old.Record, err
	}
	notice := ""
	switch {
	case f.number:
		notice = note{outcomeNote, r.Key}.payload(s.account)
	case f.due >= 0 && f.due < pumpEvery:
		notice = note{dueNote, r.Key}.payload(s.account)
	case ledger.Wakes(old.Record, r) || f.due > 0 && (old.Due.IsZero() || time.Now().Add(f.due).Before(old.Due)):
		notice = note{recordNote, r.Key}.payload(s.account)
	}
	// The counter's row comes last and stays locked until the commit: so numbers become visible in their order, which a sequence does not promise.
	count := ""
	if f.number {
		count = `with counted as (
			insert into {s}.scriptix_counter as c (account, n) values ($1, 1)
			on conflict (account) do update set n = c.n + 1 returning n)`
	}
	outcome := map[bool]string{true: "(select n from counted)", false: "outcome"}[f.number]
	if f.forget {
		outcome = "null"
	}
	statement := s.sql(count + `
		update {s}.scriptix_record set rev = $3, phase = $4, job_id = nullif($5, ''), owner = $6, rec = $7,
			token = $14, due = case when $9::float8 >= 0 then clock_timestamp() + make_interval(secs => $9) when $9 = -2 then null else $8 end,
			tries = $12, stored = case when $13 then clock_timestamp() else stored end,
			outcome = ` + outcome + `, changed = clock_timestamp()
		where account = $1 and key = $2
		returning due, case when $10 <> '' then pg_notify($11, $10)::text end`)
	var due *time.Time
	var told *string
	err = tx.QueryRow(ctx, statement, s.account, r.Key, r.Revision, string(r.Phase), r.JobID, storable(r.Owner), rest,
		dueColumn(r.Due), f.dueSeconds(), notice, channel(s.schema), f.tries, f.stored, r.Token).Scan(&due, &told)
	if err != nil {
		return old.Record, err
	}
	return reread(r, rest, due)
}

// keepOutcome puts a record's outcome aside before the record says something
// else, because a reader may not have come to it yet.
func (s *store) keepOutcome(ctx context.Context, tx pgx.Tx, key string) error {
	keep := s.sql(`
		insert into {s}.scriptix_outcome (account, n, key, phase, job_id, rec)
		select account, outcome, key, phase, job_id, rec - array['name', 'upload', 'sum'] from {s}.scriptix_record
		where account = $1 and key = $2 and outcome is not null`)
	_, err := tx.Exec(ctx, keep, s.account, key)
	return err
}

// dueColumn is a due time as its column holds it.
func dueColumn(due time.Time) *time.Time {
	if due.IsZero() {
		return nil
	}
	return &due
}

// reread is a record as the next reader will find it.
func reread(r ledger.Record, rest []byte, due *time.Time) (ledger.Record, error) {
	stored, err := decodeRest(rest)
	if err != nil {
		return r, err
	}
	stored.Key, stored.Revision, stored.Phase, stored.Token, stored.JobID, stored.Owner = r.Key, r.Revision, r.Phase, r.Token, r.JobID, storable(r.Owner)
	if due != nil {
		stored.Due = due.UTC()
	}
	return stored, nil
}
