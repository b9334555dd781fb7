package fleet

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

const (
	confirmAfter = 5 * time.Second // where the API lags behind its own callback
	longestPause = 10 * time.Minute
	readAgain    = time.Hour // after it was reported that a result cannot be read
	mostFetches  = 20        // after which the pauses grow no further
)

// errResults marks a failure of Results.Put, which is not the database's.
var errResults = errors.New("fleet: the transcript was not stored")

// finish confirms the end of a record's job or brings its transcript home, if
// that still is to be done and nobody else is at it.
func (w *work) finish(ctx context.Context, key string) {
	if !w.process.take(key) {
		return
	}
	defer w.process.release(key)
	r, in, err := w.beginFinish(ctx, key)
	if err != nil {
		w.skipped(ctx, key, err)
		return
	}
	switch r.Phase {
	case ledger.Submitted:
		w.confirm(ctx, r)
		return
	case ledger.Erasing:
		w.erase(ctx, r)
		return
	}
	fetched, held := w.room.Fetch(ctx, w.client, r.JobID, min(r.tries, mostFetches))
	defer held.Release()
	if fetched.Transcript == nil {
		w.notFetched(ctx, r, fetched)
		return
	}
	w.deliver(ctx, r, in, fetched.Transcript)
}

// beginFinish makes a record whose job has ended this process's own.
func (w *work) beginFinish(ctx context.Context, key string) (row, input, error) {
	return w.begin(ctx, key, func(r ledger.Record, _ ledger.Alive) (ledger.Record, error) {
		if r.Phase != ledger.Completed && r.Phase != ledger.Erasing && (r.Phase != ledger.Submitted || !r.Confirm) {
			return r, ledger.ErrMoved
		}
		r.Owner = w.process.id
		return r, nil
	})
}

// confirm asks the service once whether a job has failed, as a callback said.
func (w *work) confirm(ctx context.Context, r row) {
	job, err := w.client.STT.Status(ctx, r.JobID)
	if err != nil || !job.Status.Terminal() {
		if errors.Is(err, scriptix.ErrUnauthorized) {
			w.halt(ctx, err)
		}
		w.putBack(ctx, r, backoff(confirmAfter, r.tries), r.tries+1)
		return
	}
	w.insistObserve(ctx, r, job)
}

// insistObserve stores what the service says of a job that has ended.
func (w *work) insistObserve(ctx context.Context, r row, job *scriptix.Job) {
	_ = w.insist(ctx, r.Key, changing{token: r.Token, change: func(r ledger.Record) (ledger.Record, error) {
		observed, _ := step.Observe(r, job, nil, time.Now())
		return observed, nil
	}})
}

// notFetched stores what a request without a transcript means.
func (w *work) notFetched(ctx context.Context, r row, fetched step.Fetched) {
	var verdict step.Verdict
	_ = w.insist(ctx, r.Key, changing{
		token: r.Token,
		change: func(r ledger.Record) (ledger.Record, error) {
			var settled ledger.Record
			settled, verdict = fetched.Settle(r, time.Now())
			if settled.Phase == ledger.Completed && unreadable(verdict) && r.Owner == w.process.id {
				settled.Failure = verdict.Err.Error()
			}
			return settled, nil
		},
		adjust: func(old row, r ledger.Record, f *follows) {
			if r.Phase != ledger.Completed || old.Owner != w.process.id {
				return
			}
			f.release, f.tries = true, old.tries+1
			switch verdict.Then {
			case step.Again:
				f.due = verdict.After
			case step.Stop:
				f.due, f.tries = 0, old.tries
			case step.Interrupt, step.Advance, step.Reject, step.Doubt, step.Deliver:
				f.due = longestPause
				if unreadable(verdict) {
					f.due, f.number = readAgain, old.Failure == ""
				}
			}
		},
	})
	if verdict.Halt {
		w.halt(ctx, fetched.Err)
	}
	if verdict.Err != nil && verdict.Then != step.Stop {
		w.fleet.store.log.WarnContext(ctx, "fleet: a transcript could not be fetched", "key", r.Key, "job_id", r.JobID, "error", verdict.Err)
	}
}

// unreadable reports whether a result came that nobody could read, which is said
// once. It is asked for again all the same, because a program or a service of a
// later version may do better.
func unreadable(v step.Verdict) bool {
	return v.Then == step.Interrupt && errors.Is(v.Err, scriptix.ErrBadAnswer)
}

// deliver hands the transcript to the sink, and then stores it together with the
// record's end and the number of its outcome.
func (w *work) deliver(ctx context.Context, r row, in input, t *scriptix.Transcript) {
	if w.fleet.options.Sink != nil {
		ended := r.Record
		ended.Failure = "" // of what was reported before
		o := outcomeOf(ended, nil)
		o.Meta, o.Transcript = in.meta, t
		if err := w.sink(ctx, o); err != nil {
			w.fleet.store.log.WarnContext(ctx, "fleet: the sink failed, and is called again", "key", r.Key, "error", err)
			w.putBack(ctx, r, backoff(w.fleet.store.lease, r.tries), r.tries+1)
			return
		}
	}
	s := w.fleet.store
	var handed ledger.Record
	err := w.insist(ctx, r.Key, changing{
		token:  r.Token,
		change: w.afterwards,
		after: func(tx pgx.Tx, stored ledger.Record) error {
			err := w.fleet.results.Put(ctx, tx, s.account, stored.Key, t)
			if err != nil && w.fleet.options.Results != nil {
				err = fmt.Errorf("%w: %w", errResults, err)
			}
			return err
		},
		adjust: func(_ row, r ledger.Record, f *follows) {
			handed = r
			f.stored = r.Phase == ledger.Done || r.Phase == ledger.Erasing
			if r.Phase == ledger.Erasing {
				f.due = s.lease // this process goes on with it
			}
		},
	})
	if errors.Is(err, errResults) {
		w.putBack(ctx, r, backoff(s.lease, r.tries), r.tries+1)
	}
	if err == nil && handed.Phase == ledger.Erasing && handed.Owner == w.process.id {
		w.erase(ctx, row{Record: handed})
	}
}

// sink calls the caller's function, and lets no panic of it end the process.
func (w *work) sink(ctx context.Context, o Outcome) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return w.fleet.options.Sink(ctx, o)
}

// backoff doubles a pause with each try.
func backoff(first time.Duration, tries int) time.Duration {
	for range min(tries, 20) {
		first = min(2*first, longestPause)
	}
	return first
}
