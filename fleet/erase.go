package fleet

import (
	"context"
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// eraseAgain is the pause after it was reported that a job cannot be erased.
const eraseAgain = time.Hour

// afterwards is the change that a stored transcript means for its record.
func (w *work) afterwards(r ledger.Record) (ledger.Record, error) {
	if r.Phase == ledger.Completed {
		r.Failure = "" // of what was reported before
	}
	if w.fleet.options.Erase {
		return ledger.Handed(r, time.Now()), nil
	}
	return ledger.Finished(r), nil
}

// erase asks the service once to erase the job of a record that this process has
// in hand. The outcome is numbered when the service says that the job is gone, or
// when it has to be reported for the first time that the job cannot be erased.
func (w *work) erase(ctx context.Context, r row) {
	erased := step.EraseJob(ctx, w.client, r.JobID, r.tries)
	var verdict step.Verdict
	_ = w.insist(ctx, r.Key, changing{
		token: r.Token,
		change: func(r ledger.Record) (ledger.Record, error) {
			var settled ledger.Record
			settled, verdict = erased.Settle(r, time.Now())
			if settled.Phase == ledger.Erasing && verdict.Then == step.Interrupt && r.Owner == w.process.id {
				settled.Failure = verdict.Err.Error()
			}
			return settled, nil
		},
		adjust: func(old row, r ledger.Record, f *follows) {
			if r.Phase != ledger.Erasing || old.Owner != w.process.id {
				return
			}
			f.release, f.tries = true, old.tries+1
			switch {
			case verdict.Then == step.Again:
				f.due = verdict.After
			case verdict.Then == step.Stop:
				f.due, f.tries = 0, old.tries
			case verdict.Halt:
				f.due, f.number = haltFor, old.Failure == ""
			default:
				f.due, f.number = eraseAgain, old.Failure == ""
			}
		},
	})
	if verdict.Halt {
		w.halt(ctx, verdict.Err)
	}
	if verdict.Err != nil && verdict.Then != step.Stop {
		w.fleet.store.log.WarnContext(ctx, "fleet: a job could not be erased", "key", r.Key, "job_id", r.JobID, "error", verdict.Err)
	}
}
