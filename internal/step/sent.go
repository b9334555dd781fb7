package step

import (
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Kind is what came of one upload.
type Kind string

// The kinds.
const (
	JobMade        Kind = "job made"        // the service's answer names the job
	Overtaken      Kind = "overtaken"       // the record has moved on: a callback or another owner was faster
	StoreFailed    Kind = "store failed"    // the ledger could not store what had to be known, so nothing went out
	OutcomeUnknown Kind = "outcome unknown" // all of it went out, and nothing proves or excludes a job
	UploadVanished Kind = "upload vanished" // the service does not know the resumable upload any more
	UploadCut      Kind = "upload cut"      // a resumable upload that can go on
	UploadStuck    Kind = "upload stuck"    // one that cannot, as things are
	Refused        Kind = "refused"         // no job was made, and another try would bring none
	Deferred       Kind = "deferred"        // no job was made, and another try may bring one
	Interrupted    Kind = "interrupted"     // the context ended before all of it was out
)

// Sent is what came of one upload.
type Sent struct {
	Kind Kind
	Job  *scriptix.Job // of JobMade
	Err  error         // of all others, without the record's token

	Owner string // who sent it
}

// Classify says what the error of an upload means; stopped tells that its
// context has ended.
func Classify(err error, stopped bool) Kind {
	e, _ := errors.AsType[*scriptix.Error](err)
	_, resumable := errors.AsType[*scriptix.UploadInterruptedError](err)
	switch {
	case err == nil:
		return JobMade
	case errors.Is(err, ledger.ErrMoved):
		return Overtaken
	case errors.Is(err, ledger.ErrStore):
		return StoreFailed
	case errors.Is(err, scriptix.ErrUnknownOutcome):
		return OutcomeUnknown
	case e != nil && errors.Is(err, scriptix.ErrNotFound) && e.Op != "stt.submit" && (!resumable || e.Op == "files.head"):
		return UploadVanished
	case resumable && lasting(err):
		return UploadStuck
	case resumable:
		return UploadCut
	case stopped:
		return Interrupted
	case temporary(err):
		return Deferred
	}
	return Refused
}

// Settle says what the record becomes after so many tries, 1 and more, and what
// is to be done then.
func (s Sent) Settle(r ledger.Record, try int, now time.Time) (ledger.Record, Verdict) {
	again := Verdict{Then: Again, After: pause(try, retryAfter(s.Err)), Err: s.Err}
	last := try >= maxTries
	switch s.Kind {
	case JobMade:
		return s.accepted(r, now), Verdict{Then: Advance}
	case Overtaken:
		return r, Verdict{Then: Advance}
	case StoreFailed:
		return r, Verdict{Then: Interrupt, Err: s.Err}
	case OutcomeUnknown:
		return s.lost(r, again, now)
	case UploadVanished:
		r = ledger.UploadGone(r, s.Err.Error(), now)
		if last {
			return s.refused(r)
		}
		return r, again
	case UploadCut, UploadStuck:
		r = s.kept(r)
		if s.Kind == UploadStuck || last {
			return r, Verdict{Then: Interrupt, Halt: refusesAll(s.Err), Err: s.Err}
		}
		return r, again
	case Interrupted:
		return ledger.Unsent(r, s.Owner), Verdict{Then: Stop, Err: s.Err}
	case Deferred:
		if last {
			return s.refused(r)
		}
		return ledger.Unsent(r, s.Owner), again
	case Refused:
	}
	return s.refused(r)
}

// accepted looks at the job again when by the priors of the waiting, with its
// grace, it has ended.
func (s Sent) accepted(r ledger.Record, now time.Time) ledger.Record {
	due := now.Add(s.Job.Duration/5 + 3*time.Minute)
	return ledger.Accepted(r, s.Job.ID, s.Job.Duration, due, now)
}

// lost notes that a job may exist. Of a resumable upload that is gone, the
// record may prove that the last byte never left: then it begins anew.
func (s Sent) lost(r ledger.Record, again Verdict, now time.Time) (ledger.Record, Verdict) {
	if r.Upload != "" {
		r = ledger.UploadGone(r, s.Err.Error(), now)
		if r.Phase == ledger.Claimed {
			return r, again
		}
	}
	return ledger.Lost(r, s.Owner, nil, s.Err.Error(), now), Verdict{Then: Advance, Err: s.Err}
}

// kept keeps the token with which an interrupted upload goes on.
func (s Sent) kept(r ledger.Record) ledger.Record {
	interrupted, ok := errors.AsType[*scriptix.UploadInterruptedError](s.Err)
	if !ok {
		return r
	}
	if kept, err := ledger.Uploading(r, interrupted.Token, r.Sum, s.Owner); err == nil {
		return kept
	}
	return r
}

// refused ends the record, unless somebody was faster or all of an earlier
// upload may be at the service.
func (s Sent) refused(r ledger.Record) (ledger.Record, Verdict) {
	r = ledger.Refused(r, s.Err.Error(), s.Owner)
	v := Verdict{Then: Advance, Halt: refusesAll(s.Err)}
	switch {
	case r.Phase == ledger.Rejected:
		v.Then, v.Err = Reject, s.Err
	case r.Upload != "" && (r.Phase == ledger.Sent || r.Phase == ledger.Unknown):
		v.Then, v.Err = Doubt, UnknownOutcome(r.Attempts, s.Err)
	}
	return r, v
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*scriptix.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// lasting reports whether a resumable upload that was interrupted is not worth
// another try in this run.
func lasting(err error) bool {
	for _, kind := range []error{
		scriptix.ErrAudio, scriptix.ErrInvalid, scriptix.ErrUnauthorized, scriptix.ErrQuota, scriptix.ErrForbidden, scriptix.ErrTooLarge,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// temporary reports whether a submit that made no job may go well later.
func temporary(err error) bool {
	if errors.Is(err, scriptix.ErrAudio) || errors.Is(err, scriptix.ErrInvalid) {
		return false
	}
	for _, kind := range []error{scriptix.ErrBudget, scriptix.ErrServer, scriptix.ErrRateLimited, scriptix.ErrBadAnswer} {
		if errors.Is(err, kind) {
			return true
		}
	}
	e, ok := errors.AsType[*scriptix.Error](err)
	return ok && e.StatusCode == 0
}
