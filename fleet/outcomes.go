package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

const (
	outcomePage = 200
	rereadEvery = 5 * time.Second // a notice may be lost
	afterError  = time.Second
)

// Outcomes yields what became of the account's recordings, in the order in
// which that was stored, from behind the cursor on, and waits for more until ctx
// ends. To resume where a loop stopped, hand in the Cursor of the last outcome
// that was dealt with: none is missed or comes twice, however many write and
// however late the reader is. A recording that was unknown and then done comes
// twice, each time with a Cursor of its own. Its Meta is what the record has by
// now, hence nothing once it is forgotten.
//
// When the database fails the error is yielded, and the next try follows a
// second later unless the loop is left. The end of ctx yields nothing.
func (f *Fleet) Outcomes(ctx context.Context, after Cursor) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		news := make(chan struct{}, 1)
		var stop func()
		defer func() {
			if stop != nil {
				stop()
			}
		}()
		for ctx.Err() == nil {
			var err error
			if stop == nil {
				// Whoever waits listens first and reads second.
				stop, err = f.store.notes.subscribe(ctx, func(n note) {
					if n.about == outcomeNote || n.about == "" {
						signal(news)
					}
				})
			}
			var page []Outcome
			if err == nil {
				page, err = f.outcomes(ctx, after)
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil && !yield(Outcome{}, fmt.Errorf("fleet: outcomes: %w", err)) {
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
				after = o.Cursor
			}
			wait := rereadEvery
			switch {
			case err != nil:
				wait = afterError
			case len(page) == outcomePage:
				continue
			}
			pause(ctx, wait, news)
		}
	}
}

// OutcomesSoFar is [Fleet.Outcomes] without the waiting: it ends with the last
// outcome that is there, or with an error.
func (f *Fleet) OutcomesSoFar(ctx context.Context, after Cursor) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		for {
			page, err := f.outcomes(ctx, after)
			if err != nil {
				yield(Outcome{}, fmt.Errorf("fleet: outcomes: %w", err))
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
				after = o.Cursor
			}
			if len(page) < outcomePage {
				return
			}
		}
	}
}

// outcomes reads the next page: of the latest outcomes, which stand in the
// records, and of those that were put aside. It is one statement, so that it
// sees an outcome in one of the two places even while it is moved.
func (f *Fleet) outcomes(ctx context.Context, after Cursor) ([]Outcome, error) {
	read := f.store.sql(`
		select n, key, phase, coalesce(job_id, ''), rec, meta from (
			(select outcome as n, key, phase, job_id, rec, meta from {s}.scriptix_record
				where account = $1 and outcome > $2 order by outcome limit $3)
			union all
			(select o.n, o.key, o.phase, o.job_id, o.rec, r.meta from {s}.scriptix_outcome o
				join {s}.scriptix_record r on r.account = o.account and r.key = o.key
				where o.account = $1 and o.n > $2 order by o.n limit $3)) as both_kinds
		order by n limit $3`)
	rows, err := f.store.pool.Query(ctx, read, f.store.account, int64(after), outcomePage)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanOutcome)
}

func scanOutcome(from pgx.CollectableRow) (Outcome, error) {
	var number int64
	var key, phase, jobID string
	var rest, meta []byte
	if err := from.Scan(&number, &key, &phase, &jobID, &rest, &meta); err != nil {
		return Outcome{}, err
	}
	r, err := decodeRest(rest)
	if err != nil {
		return Outcome{}, fmt.Errorf("the outcome of %q cannot be read: %w", key, err)
	}
	r.Key, r.Phase, r.JobID = key, ledger.Phase(phase), jobID
	o := outcomeOf(r, meta)
	o.Cursor = Cursor(number)
	return o, nil
}

// outcomeOf is what a record says of its recording.
func outcomeOf(r ledger.Record, meta []byte) Outcome {
	o := Outcome{
		Key: r.Key, JobID: r.JobID, State: batch.StateDone, Meta: compact(meta),
		Source: scriptix.Source(r.Source), Attempts: r.Attempts,
	}
	if err := foreignError(r.Failure); err != nil && r.Phase.Open() {
		o.State, o.Err = batch.StateInterrupted, err
		return o
	}
	switch r.Phase {
	case ledger.Claimed, ledger.Sent, ledger.Submitted:
		// Nothing else is told of these; the words went when it was forgotten.
		o.State, o.Err = batch.StateInterrupted, fmt.Errorf("%w: %s", ledger.ErrDialect, r.Failure)
	case ledger.Failed:
		o.State = batch.StateFailed
		o.Err = &scriptix.JobFailedError{Job: scriptix.Job{
			ID: r.JobID, Status: scriptix.StatusFailed, Failure: r.Failure, Duration: r.Duration, Source: o.Source,
		}}
	case ledger.Completed:
		if r.Failure != "" {
			o.State, o.Err = batch.StateInterrupted, fmt.Errorf("%w: %s", scriptix.ErrBadAnswer, r.Failure)
		}
	case ledger.Erasing:
		if r.Failure != "" {
			o.State, o.Err = batch.StateInterrupted, fmt.Errorf("%w: %s", batch.ErrErase, r.Failure)
		}
	case ledger.Rejected:
		o.State, o.Err = batch.StateRejected, errors.New(r.Failure)
	case ledger.Unknown:
		o.State, o.Err = batch.StateUnknown, unknownOutcome(r, r.Failure)
	case ledger.Abandoned:
		o.State, o.Err = batch.StateUnknown, unknownOutcome(r, "it was abandoned")
	}
	return o
}

// unknownOutcome is the error of an outcome that is not known, made again of
// what its record says of the first one.
func unknownOutcome(r ledger.Record, why string) error {
	if _, cause, found := strings.Cut(why, "so it is not sent again: "); found {
		why = strings.TrimPrefix(cause, "stt.submit: ")
	}
	return step.UnknownOutcome(r.Attempts, errors.New(why))
}

// compact is JSON without the spaces that PostgreSQL puts in.
func compact(data []byte) json.RawMessage {
	if data == nil {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return data
	}
	return b.Bytes()
}

// signal wakes whoever waits on the channel, now or later.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// pause waits for a time, for the end of ctx, or to be woken.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}
