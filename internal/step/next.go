package step

import (
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Do is what a record needs next.
type Do string

// The actions.
const (
	Leave    Do = "leave"     // its owner is at it: look again when the record moves or the owner dies
	Send     Do = "send"      // ledger.Begin, then an Upload: from the start, or on with the upload that the record holds
	TakeOver Do = "take over" // what a dead owner has left: store TakenOver, then ask again
	Await    Do = "await"     // nobody knows whether a job exists, and a callback may still tell: look again After
	Resend   Do = "resend"    // a job may exist, and the caller wants it sent again: store Resent, then ask again
	Report   Do = "report"    // nobody knows whether a job exists: say so; the record stays open
	Follow   Do = "follow"    // its job runs: a callback or a poll ends it, see Observe
	Confirm  Do = "confirm"   // a callback said that its job failed: one status request, see Observe
	Collect  Do = "collect"   // its job has ended well: a Fetch
	Erase    Do = "erase"     // its transcript was handed over, and its job is to be erased: an EraseJob
	End      Do = "end"       // it is done, failed, rejected or abandoned
)

// Action is an answer of Next.
type Action struct {
	Do    Do
	After time.Duration // of Await: until its patience is over
}

// Patience is how long an unknown outcome is waited for.
type Patience struct {
	UnknownAfter  time.Duration // since the upload: until it is reported
	ResubmitAfter time.Duration // since the upload: until it is sent again, which may be billed twice; zero: never
	Since         time.Time     // when this process began to wait; zero: not known
}

// Next says what a record needs next. Whether its owner lives, and is somebody
// else than the caller, is the caller's to find out.
func Next(r ledger.Record, now time.Time, ownerAlive bool, p Patience) Action {
	switch r.Phase {
	case ledger.Claimed:
		if ownerAlive {
			return Action{Do: Leave}
		}
		return Action{Do: Send}
	case ledger.Sent, ledger.Unknown:
		switch {
		case ownerAlive && (r.Phase == ledger.Sent || r.Upload != ""):
			return Action{Do: Leave}
		case r.Upload != "":
			return Action{Do: Send} // a resumable upload finds its job by itself
		case r.Phase == ledger.Sent:
			return Action{Do: TakeOver}
		}
		return Resolve(r, now, p)
	case ledger.Submitted:
		if r.Confirm {
			return Action{Do: Confirm}
		}
		return Action{Do: Follow}
	case ledger.Completed:
		return Action{Do: Collect}
	case ledger.Erasing:
		return Action{Do: Erase}
	case ledger.Done, ledger.Failed, ledger.Rejected, ledger.Abandoned:
		return Action{Do: End}
	}
	return Action{Do: End} // a phase of a later version
}

// Resolve says what an outcome that nobody knows needs next: time for the
// callback, a report, or another upload where the caller has asked for one.
func Resolve(r ledger.Record, now time.Time, p Patience) Action {
	age := now.Sub(r.SentAt)
	if !p.Since.IsZero() {
		// The stored time may be of a clock that was ahead: it must not be waited for without end.
		age = max(age, now.Sub(p.Since))
	}
	switch {
	case p.ResubmitAfter > 0 && age >= p.ResubmitAfter:
		return Action{Do: Resend}
	case age >= p.UnknownAfter:
		return Action{Do: Report}
	}
	left := p.UnknownAfter - age
	if p.ResubmitAfter > 0 {
		left = min(left, p.ResubmitAfter-age)
	}
	return Action{Do: Await, After: left}
}

// TakenOver is what a new owner makes of a record that a dead one has left: an
// upload without an answer is an unknown outcome, and what was rejected begins
// anew. Any other record stays as it is.
func TakenOver(r ledger.Record, owner string, alive ledger.Alive, now time.Time) (ledger.Record, error) {
	switch {
	case r.Phase == ledger.Rejected:
		return ledger.Reclaimed(r, owner)
	case r.Phase == ledger.Sent && r.Upload == "":
		return ledger.Lost(r, owner, alive, "the process ended before the service's answer was stored", now), nil
	}
	return r, nil
}

// Resent is the record of an unknown outcome that is to be sent again after all.
// The error is [ledger.ErrMoved] when its job was reported meanwhile.
func Resent(r ledger.Record, owner string, now time.Time) (ledger.Record, error) {
	return ledger.Reclaimed(ledger.Lost(r, owner, nil, r.Failure, now), owner)
}
