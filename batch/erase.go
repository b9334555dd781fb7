package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// ErrErase is the reason of an outcome whose transcript was handed over, and whose
// job could not be erased at the service. A later run on the ledger tries again.
var ErrErase = errors.New("batch: the job is not erased at the service")

// eraser is an item whose transcript was handed over, on its way to be erased.
type eraser struct {
	item       *item
	inputs     []Input // that are still to be yielded; none where the consumer has had them
	transcript *scriptix.Transcript
	state      State // of those inputs, once it is erased
}

// afterwards is the change that a handed over transcript means for its record.
func (r *run) afterwards(rec Record) Record {
	if r.o.Erase {
		return ledger.Handed(rec, time.Now())
	}
	return ledger.Finished(rec)
}

// erase erases the job of an item at the service, and tries until the service
// says that it is gone.
func (r *run) erase(e *eraser, tries int) {
	r.mu.Lock()
	r.erasing[e] = true
	r.mu.Unlock()
	erased := step.EraseJob(r.ctx, r.c, e.item.jobID, tries)
	var verdict step.Verdict
	_, err := r.try(e.item.key, func(rec Record) Record {
		rec, verdict = erased.Settle(rec, time.Now())
		return rec
	})
	switch {
	case err != nil:
		r.erased(e, fmt.Errorf("%w: %w", ErrLedger, err))
	case verdict.Then == step.Advance:
		r.erased(e, nil)
	case verdict.Then == step.Again:
		timer := time.AfterFunc(verdict.After, func() { r.tasks.push(func() { r.erase(e, tries+1) }) })
		context.AfterFunc(r.ctx, func() { timer.Stop() })
	case verdict.Then == step.Stop:
		// It is yielded as interrupted.
	default:
		if verdict.Halt {
			r.halt(verdict.Err)
		}
		r.erased(e, fmt.Errorf("%w: %w", ErrErase, verdict.Err))
	}
}

// erased yields what waited for the erasing, which failed with err if that is
// not nil.
func (r *run) erased(e *eraser, err error) {
	r.mu.Lock()
	waited := r.erasing[e]
	delete(r.erasing, e)
	r.mu.Unlock()
	if !waited {
		return
	}
	if len(e.inputs) == 0 {
		r.release(1) // the run was held for it
	}
	r.handOver(e.item, e.inputs, e.state, e.transcript, err, nil)
}

// eraseOnceSeen stores that the consumer has the transcript, and then erases the
// job. The run was held for that.
func (r *run) eraseOnceSeen(it *item) {
	rec, err := r.try(it.key, r.afterwards)
	if err != nil || rec.Phase != Erasing {
		r.release(1) // the next run brings the transcript again
		return
	}
	e := &eraser{item: it}
	r.tasks.push(func() { r.erase(e, 0) })
}

// eraseLate takes up an item that an earlier run has handed over and not erased.
// It reports whether there is something to do.
func (r *run) eraseLate(it *item) bool {
	rec, err := r.try(it.key, func(rec Record) Record { return ledger.Handed(rec, time.Now()) })
	if err != nil || rec.Phase != Erasing {
		return false
	}
	r.advance(it, rec)
	return true
}

// hold keeps the run going for what no input stands for any more.
func (r *run) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending++
}

// notErased yields the erasings that the run's end has cut short.
func (r *run) notErased() {
	r.mu.Lock()
	var open []*eraser
	for e := range r.erasing {
		open = append(open, e)
	}
	r.mu.Unlock()
	for _, e := range open {
		r.erased(e, fmt.Errorf("%w: %w", ErrErase, r.stopped()))
	}
}
