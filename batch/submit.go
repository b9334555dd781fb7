package batch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

const (
	// grace is how long an upload that is all out may wait for its answer after
	// the run was stopped: without the answer its outcome is unknown.
	grace = 5 * time.Second

	firstWriteWait = 100 * time.Millisecond // between tries to store what must not be forgotten
	maxWriteWait   = 30 * time.Second
	maxWrites      = 5 // tries to store what can be found out again
)

// submit sends an item until a job is made, or may have been, or is refused.
// The worker waits out what may pass, so that an outage stops the intake too.
func (r *run) submit(it *item) {
	for try := 1; ; try++ {
		rec, ok := r.beginUpload(it)
		if !ok {
			return
		}
		verdict := r.send(it, rec, try)
		if verdict.Then != step.Again {
			return
		}
		select {
		case <-time.After(verdict.After):
		case <-r.ctx.Done():
			return // it is yielded as interrupted
		}
	}
}

// beginUpload makes the item's record this run's to upload. It is false when
// there is nothing to be sent, and the item was dealt with.
func (r *run) beginUpload(it *item) (Record, bool) {
	rec, err := r.l.Get(r.always, ByKey, it.key)
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w, so nothing was sent: %w", ErrLedger, err))
		return rec, false
	}
	if next, err := r.next(it, rec); err != nil || next.Do != step.Send {
		r.advance(it, rec) // somebody else was faster, for example a callback
		return rec, false
	}
	if halted := r.halting(); halted != nil && rec.Phase == Claimed {
		r.finish(it, r.refusal(halted), fmt.Errorf("batch: not submitted: %w", halted))
		return rec, false
	}
	if rec.Owner == r.id {
		return rec, true
	}
	dead := rec.Owner
	begun, err := r.l.Apply(r.always, it.key, func(rec Record) (Record, error) {
		rec, err := ledger.Begin(rec, r.id, allBut(dead))
		return ledger.Speaking(rec, r.dialect), err
	})
	switch {
	case errors.Is(err, ErrMoved):
		r.claim(it)
		return rec, false
	case err != nil:
		r.finish(it, StateInterrupted, fmt.Errorf("%w, so nothing was sent: %w", ErrLedger, err))
		return rec, false
	}
	return begun, true
}

// send makes one submit of an item, stores what came of it, and goes on from
// there unless it is to be sent again.
func (r *run) send(it *item, rec Record, try int) step.Verdict {
	sent := r.upload(it, rec)
	if sent.Kind == step.StoreFailed {
		r.finish(it, StateInterrupted, sent.Err)
		return step.Verdict{Then: step.Interrupt}
	}
	if sent.Job != nil {
		it.jobID, it.digest = sent.Job.ID, nil
	}
	var verdict step.Verdict
	stored, err := r.insist(it.key, func(rec Record) Record {
		rec, verdict = sent.Settle(rec, try, time.Now())
		return rec
	})
	if err != nil {
		if !lastingStoreError(err) || errors.Is(err, ErrClosed) {
			unstored.add(rec.Token, sent.Job)
		}
		r.finish(it, StateInterrupted, notStored(sent, err))
		return step.Verdict{Then: step.Interrupt}
	}
	if verdict.Halt {
		r.halt(sent.Err)
	}
	switch verdict.Then {
	case step.Advance:
		if verdict.Err != nil {
			it.lost = verdict.Err
		}
		r.advance(it, stored)
	case step.Doubt:
		it.lost = verdict.Err
		r.resolve(it, stored)
	case step.Reject:
		r.finish(it, StateRejected, verdict.Err)
	case step.Interrupt:
		r.finish(it, StateInterrupted, verdict.Err)
	case step.Again:
		if r.o.OnRetry != nil {
			r.o.OnRetry(r.first(it), sent.Err, verdict.After)
		}
	case step.Stop, step.Deliver:
		// What was stopped is yielded as interrupted.
	}
	return verdict
}

// notStored is the error of an upload whose outcome the ledger does not know.
func notStored(sent step.Sent, err error) error {
	if sent.Job != nil {
		return fmt.Errorf("%w: job %s was made, and its id is not stored: %w", ErrLedger, sent.Job.ID, err)
	}
	return fmt.Errorf("%w: %w; before that: %w", ErrLedger, err, sent.Err)
}

// upload sends an item's audio once.
func (r *run) upload(it *item, rec Record) step.Sent {
	var whole atomic.Bool
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.ctx))
	defer cancel(nil)
	stop := context.AfterFunc(r.ctx, func() {
		if !whole.Load() {
			cancel(r.stopped())
			return
		}
		timer := time.AfterFunc(grace, func() { cancel(r.stopped()) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	defer stop()

	input := r.first(it)
	up := step.Upload{
		Client: r.c, Store: r.l.Apply, Owner: r.id, Audio: input.Audio, Params: input.Params, Digest: it.digest,
		Whole: whole.Store,
	}
	up.Params.WebhookURL = r.callbackURL(it)
	if r.o.OnProgress != nil {
		up.Options = append(up.Options, scriptix.OnProgress(func(sent, total int64) { r.o.OnProgress(input, sent, total) }))
	}
	sent := up.Send(ctx, rec)
	if sent.Job != nil && sent.Job.Duration == 0 {
		job := *sent.Job
		job.Duration = max(input.Duration, 0)
		sent.Job = &job
	}
	return sent
}

func (r *run) callbackURL(it *item) string {
	if u := r.first(it).Params.WebhookURL; u != "" {
		return u
	}
	return r.c.CallbackURL()
}

// insist makes a change durable that cannot be found out again, and tries for as
// long as the run lasts.
func (r *run) insist(key string, change func(Record) Record) (Record, error) {
	return r.store(key, change, func() bool { return r.ctx.Err() != nil })
}

// try makes a change durable that another run can find out again, and gives up
// after a few tries.
func (r *run) try(key string, change func(Record) Record) (Record, error) {
	return r.store(key, change, func() bool { return true })
}

// store makes a change durable. Only the tries for which bounded is true are
// counted, and there are maxWrites of those.
func (r *run) store(key string, change func(Record) Record, bounded func() bool) (rec Record, err error) {
	wait, counted := firstWriteWait, 0
	for {
		rec, err = r.l.Apply(r.always, key, func(rec Record) (Record, error) { return change(rec), nil })
		if err == nil || lastingStoreError(err) {
			return rec, err
		}
		if bounded() {
			if counted++; counted >= maxWrites {
				return rec, err
			}
			wait = min(wait, firstWriteWait<<counted)
		}
		wait = min(2*wait, maxWriteWait)
		r.pause(wait)
	}
}

// pause waits, and less if the run stops meanwhile.
func (r *run) pause(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if r.ctx.Err() != nil {
		<-timer.C
		return
	}
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// lastingStoreError reports whether a ledger will not store a change, however
// often it is tried.
func lastingStoreError(err error) bool {
	for _, kind := range []error{ErrJobTaken, ErrRule, ErrClosed, ErrNoRecord, ErrCorrupt} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
