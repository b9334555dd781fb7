package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

const (
	// grace is how long an upload that is all out may wait for its answer after
	// the run was stopped: without the answer its outcome is unknown.
	grace = 5 * time.Second

	maxSubmits = 10 // of one item that made no job; with their waits about a quarter of an hour
	firstPause = 2 * time.Second
	maxPause   = 5 * time.Minute
	maxWrites  = 5 // tries to store what must not be forgotten
)

// submit sends an item until a job is made, or may have been, or is refused.
// The worker waits out what may pass, so that an outage stops the intake too.
func (r *run) submit(it *item) {
	for try := 1; ; try++ {
		rec, err := r.l.Get(r.always, ByKey, it.key)
		if err != nil {
			r.finish(it, StateInterrupted, fmt.Errorf("%w, so nothing was sent: %w", ErrLedger, err))
			return
		}
		it.token = rec.Token
		goesOn := rec.Upload != "" && (rec.Phase == Sent || rec.Phase == Unknown)
		if rec.Phase != Claimed && !goesOn {
			r.advance(it, rec) // somebody else was faster, a callback say
			return
		}
		if halted := r.halting(); halted != nil && !goesOn {
			r.finish(it, r.refusal(halted), fmt.Errorf("batch: not submitted: %w", halted))
			return
		}
		job, err := r.send(it, rec)
		if err == nil {
			r.accepted(it, job)
			return
		}
		err = concealed(err, it.token)
		pause := min(firstPause<<(try-1), maxPause)
		if !r.failed(it, err, try, &pause) {
			return
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return // it is yielded as interrupted
		}
	}
}

// send makes one submit of an item.
func (r *run) send(it *item, rec Record) (*scriptix.Job, error) {
	input := r.first(it)
	params := input.Params
	if u := r.callbackURL(it); u != "" {
		var err error
		if params.WebhookURL, err = withToken(u, rec.Token); err != nil {
			return nil, &scriptix.Error{Op: "stt.submit", Err: fmt.Errorf("%w: %w", scriptix.ErrInvalid, err)}
		}
	}
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

	// From here on a job may exist: that has to be known before the last byte goes.
	mark := func() error {
		if err := r.change(it.key, func(rec Record) (Record, error) { return ledger.Sending(rec, r.id, time.Now()) }); err != nil {
			return err
		}
		whole.Store(true)
		return nil
	}
	audio, done, err := marked(ctx, input.Audio, mark)
	if err != nil {
		return nil, err
	}
	defer done()
	opts := []scriptix.SubmitOption{scriptix.OnUploadCreated(func(ctx context.Context, token string) error {
		sum := ""
		if input.Key != "" {
			// This key says nothing of the bytes that the upload is to be continued with.
			var err error
			if sum, err = checksum(ctx, input.Audio); err != nil {
				return err
			}
		}
		return r.change(it.key, func(rec Record) (Record, error) { return ledger.Uploading(rec, token, sum, r.id) })
	})}
	if r.o.OnProgress != nil {
		opts = append(opts, scriptix.OnProgress(func(sent, total int64) { r.o.OnProgress(input, sent, total) }))
	}
	if rec.Upload != "" {
		if rec, err = r.resumed(ctx, input.Audio, rec); err != nil {
			return nil, err
		}
	}
	if rec.Upload != "" {
		opts = append(opts, scriptix.ResumeUpload(rec.Upload))
	}
	return r.c.STT.Submit(ctx, audio, params, opts...)
}

// resumed makes an interrupted upload this run's own. One that began with other
// audio is let go, unless all of it may have gone out.
func (r *run) resumed(ctx context.Context, a scriptix.Audio, rec Record) (Record, error) {
	const changed = "the recording is not what its upload began with"
	differs := false
	if rec.Sum != "" {
		sum, err := checksum(ctx, a)
		if err != nil {
			return rec, err
		}
		differs = sum != rec.Sum
	}
	if differs && rec.Phase != Claimed {
		return rec, fmt.Errorf("%w: %q: %s", scriptix.ErrAudio, a.Name(), changed)
	}
	rec, err := r.l.Apply(r.always, rec.Key, func(rec Record) (Record, error) { //nolint:contextcheck // stored though ctx ended
		if differs {
			return ledger.UploadGone(rec, changed, time.Now()), nil
		}
		return ledger.Uploading(rec, rec.Upload, rec.Sum, r.id)
	})
	if err != nil {
		return rec, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	return rec, nil
}

// accepted stores a job's id. Until that is durable nothing else happens to it.
func (r *run) accepted(it *item, job *scriptix.Job) {
	it.jobID = job.ID
	now := time.Now()
	due := now.Add(job.Duration/5 + 3*time.Minute) // the priors of the waiting, and its grace
	rec, err := r.insist(it.key, func(rec Record) Record { return ledger.Accepted(rec, job.ID, job.Duration, due, now) })
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: the job was made, and its id is not stored: %w", ErrLedger, err))
		return
	}
	r.advance(it, rec)
}

// failed deals with a submit that brought no job, and says whether to try again
// after the pause.
func (r *run) failed(it *item, err error, try int, pause *time.Duration) (again bool) {
	interrupted, resumable := errors.AsType[*scriptix.UploadInterruptedError](err)
	e, _ := errors.AsType[*scriptix.Error](err)
	unsent := func(rec Record) Record { return ledger.Unsent(rec, r.id) }
	switch {
	case errors.Is(err, ErrMoved):
		return true // somebody else was faster: the record tells
	case errors.Is(err, ErrLedger):
		r.finish(it, StateInterrupted, err)
		return false
	case errors.Is(err, scriptix.ErrUnknownOutcome):
		it.lost = err
		return r.after(it, err, false, func(rec Record) Record { return ledger.Lost(rec, err.Error(), time.Now()) })
	case e != nil && errors.Is(err, scriptix.ErrNotFound) && e.Op != "stt.submit" && (!resumable || e.Op == "files.head"):
		// The upload is gone at the service.
		if !r.after(it, err, true, func(rec Record) Record { return ledger.UploadGone(rec, err.Error(), time.Now()) }) {
			return false
		}
	case resumable:
		token := interrupted.Token
		if !r.after(it, err, true, func(rec Record) Record {
			if kept, err := ledger.Uploading(rec, token, rec.Sum, r.id); err == nil {
				return kept
			}
			return rec
		}) {
			return false
		}
		if lasting(err) {
			r.haltFor(err)
			r.finish(it, StateInterrupted, err)
			return false
		}
	case r.ctx.Err() != nil:
		r.after(it, err, true, unsent)
		return false
	case !temporary(err):
		r.haltFor(err)
		r.reject(it, err)
		return false
	case !r.after(it, err, true, unsent):
		return false
	}
	if try >= maxSubmits {
		if !resumable {
			r.reject(it, err)
			return false
		}
		r.finish(it, StateInterrupted, err)
		return false
	}
	if e != nil {
		*pause = max(*pause, e.RetryAfter)
	}
	return r.ctx.Err() == nil
}

// after stores what a failed submit means. It goes on from the record, or
// reports whether the caller may.
func (r *run) after(it *item, cause error, mayGoOn bool, change func(Record) Record) bool {
	rec, err := r.insist(it.key, change)
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w; before that: %w", ErrLedger, err, cause))
		return false
	}
	if mayGoOn {
		return true
	}
	r.advance(it, rec)
	return false
}

// haltFor stops the submitting when the error is one that every other would get.
func (r *run) haltFor(err error) {
	if errors.Is(err, scriptix.ErrUnauthorized) || errors.Is(err, scriptix.ErrQuota) {
		r.halt(err)
	}
}

func (r *run) reject(it *item, err error) {
	rec, ledgerErr := r.insist(it.key, func(rec Record) Record { return ledger.Refused(rec, err.Error(), r.id) })
	switch {
	case ledgerErr != nil:
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w; before that: %w", ErrLedger, ledgerErr, err))
	case rec.Phase == Rejected:
		r.finish(it, StateRejected, err)
	case rec.Upload != "" && (rec.Phase == Sent || rec.Phase == Unknown):
		// All of an earlier upload may be at the service, and this run cannot ask for its job.
		it.lost = r.unknown(it, err)
		r.resolve(it, rec)
	default:
		r.advance(it, rec) // a callback was faster
	}
}

// change makes a change durable, and names the ledger when that fails.
func (r *run) change(key string, change func(Record) (Record, error)) error {
	if _, err := r.l.Apply(r.always, key, change); err != nil {
		return fmt.Errorf("%w: %w", ErrLedger, err)
	}
	return nil
}

// insist makes a change durable that must not be forgotten, in several tries.
func (r *run) insist(key string, change func(Record) Record) (rec Record, err error) {
	for try := range maxWrites {
		if try > 0 {
			time.Sleep(100 * time.Millisecond << try)
		}
		rec, err = r.l.Apply(r.always, key, func(rec Record) (Record, error) { return change(rec), nil })
		if err == nil || errors.Is(err, ErrJobTaken) || errors.Is(err, ErrRule) || errors.Is(err, ErrClosed) {
			return rec, err
		}
	}
	return rec, err
}

// lasting reports whether a resumable upload that was interrupted is not worth
// another try in this run.
func lasting(err error) bool {
	for _, kind := range []error{scriptix.ErrAudio, scriptix.ErrInvalid, scriptix.ErrUnauthorized, scriptix.ErrQuota, scriptix.ErrForbidden, scriptix.ErrTooLarge} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// concealed takes the token out of what the service quotes of the callback URL.
func concealed(err error, token string) error {
	if e, ok := errors.AsType[*scriptix.Error](err); ok && strings.Contains(err.Error(), token) {
		e.Message = hideToken(e.Message, token)
		for field, issue := range e.Fields {
			e.Fields[field] = hideToken(issue, token)
		}
	}
	return err
}

func hideToken(text, token string) string { return strings.ReplaceAll(text, token, "[token]") }

// temporary reports whether a submit that made no job may go well later.
func temporary(err error) bool {
	if errors.Is(err, scriptix.ErrAudio) || errors.Is(err, scriptix.ErrInvalid) {
		return false
	}
	if errors.Is(err, scriptix.ErrBudget) || errors.Is(err, scriptix.ErrServer) || errors.Is(err, scriptix.ErrRateLimited) || errors.Is(err, scriptix.ErrBadAnswer) {
		return true
	}
	e, ok := errors.AsType[*scriptix.Error](err)
	return ok && e.StatusCode == 0
}
