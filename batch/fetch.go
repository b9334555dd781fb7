package batch

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

const (
	firstWait  = 5 * time.Second // the API may lag behind its own callback
	maxWait    = 10 * time.Minute
	maxFetches = 30 // of one result; with their waits about four hours
	askAfter   = 3  // fetches that were too early before the status is asked
	maxSinks   = 5
)

// fetch gets the transcript of a job that has ended well, after so many tries.
func (r *run) fetch(it *item, tries int) {
	t, err := r.c.STT.Result(r.ctx, it.jobID)
	if err == nil {
		r.deliver(it, t, 0, 0)
		return
	}
	if r.ctx.Err() != nil {
		return // it is yielded as interrupted
	}
	failed, ok := errors.AsType[*scriptix.JobFailedError](err)
	if !ok && errors.Is(err, scriptix.ErrNotReady) && tries >= askAfter {
		// A callback said that it is done. If the service goes on saying
		// otherwise, it should know.
		if job, askErr := r.c.STT.Status(r.ctx, it.jobID); askErr == nil {
			failed, ok = errors.AsType[*scriptix.JobFailedError](job.Err())
		}
	}
	switch {
	case ok:
		r.disproved(it, failed)
		return
	case errors.Is(err, scriptix.ErrUnauthorized):
		r.halt(err)
		r.finish(it, StateInterrupted, err)
		return
	case errors.Is(err, scriptix.ErrForbidden), errors.Is(err, scriptix.ErrQuota), tries+1 >= maxFetches:
		r.finish(it, StateInterrupted, err)
		return
	}
	wait := firstWait
	for range min(tries, 20) {
		wait = min(wait*3/2, maxWait)
	}
	it.timer = time.AfterFunc(wait, func() {
		r.tasks.push(func() { r.fetch(it, tries+1) })
	})
}

// disproved ends an item whose job was announced as done and was not.
func (r *run) disproved(it *item, failed *scriptix.JobFailedError) {
	rec, err := r.insist(it.key, func(rec Record) Record {
		return ledger.Disproved(rec, hideToken(failed.Job.Failure, it.token), time.Now())
	})
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w: %w", ErrLedger, err, failed))
		return
	}
	r.advance(it, rec)
}

// deliver hands the transcript to the sink for each input of the item, of which
// so many have it already, and then marks it as done.
func (r *run) deliver(it *item, t *scriptix.Transcript, sunk, tries int) {
	for r.o.Sink != nil {
		r.mu.Lock()
		all := sunk == len(it.inputs)
		var input Input
		if all {
			delete(r.items, it.key) // an input of the key that comes now has its own way
		} else {
			input = it.inputs[sunk]
		}
		r.mu.Unlock()
		if all {
			break
		}
		o := r.outcome(it, input, StateDone)
		o.Transcript = t
		if err := r.sink(o); err != nil {
			r.notTaken(it, t, sunk, tries+1, err)
			return
		}
		sunk++
	}
	if r.o.Sink == nil {
		r.hand(it, t)
		return
	}
	_, err := r.insist(it.key, ledger.Finished)
	for _, input := range r.end(it) {
		o := r.outcome(it, input, StateDone)
		o.Transcript = t
		if err != nil {
			o.State, o.Err = StateInterrupted, fmt.Errorf("%w: the sink has the transcript, and that is not stored: %w", ErrLedger, err)
		}
		r.emit(o, nil)
	}
}

// hand gives the transcript to the consumer alone. It is marked as done once the
// last of them was seen.
func (r *run) hand(it *item, t *scriptix.Transcript) {
	inputs := r.end(it)
	for i, input := range inputs {
		o := r.outcome(it, input, StateDone)
		o.Transcript = t
		var after func()
		if i == len(inputs)-1 {
			// If it cannot be stored, the next run brings the transcript again.
			after = func() { _, _ = r.insist(it.key, ledger.Finished) }
		}
		r.emit(o, after)
	}
}

// notTaken tries the sink again later, or reports it.
func (r *run) notTaken(it *item, t *scriptix.Transcript, sunk, tries int, err error) {
	if tries < maxSinks && r.ctx.Err() == nil {
		it.timer = time.AfterFunc(time.Second<<(tries-1), func() {
			r.tasks.push(func() { r.deliver(it, t, sunk, tries) })
		})
		return
	}
	for _, input := range r.end(it) {
		o := r.outcome(it, input, StateInterrupted)
		o.Transcript, o.Err = t, fmt.Errorf("%w %d times: %w", ErrSink, tries, err)
		r.emit(o, nil)
	}
}

// sink calls the caller's function, on a goroutine of its own: a test's FailNow
// in it ends that one, and not a worker.
func (r *run) sink(o Outcome) error {
	done := make(chan error, 1)
	go func() {
		err, returned := error(nil), false
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
			} else if !returned {
				err = errors.New("it ended its goroutine, as FailNow does")
			}
			done <- err
		}()
		err = r.o.Sink(r.ctx, o)
		returned = true
	}()
	return <-done
}
