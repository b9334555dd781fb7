package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Phase is how far a recording is.
type Phase string

// The phases, and what each of them means.
const (
	Claimed   Phase = "claimed"   // the key is taken, and no job can exist
	Sent      Phase = "sent"      // the last byte may have gone out: a job may exist
	Unknown   Phase = "unknown"   // the answer was lost, or its process died: a job may exist
	Submitted Phase = "submitted" // the job is known and runs
	Completed Phase = "completed" // the job has ended well; its transcript is still to be handed over
	Failed    Phase = "failed"    // the job has ended without a transcript
	Erasing   Phase = "erasing"   // the transcript was handed over; the job is still to be erased at the service
	Done      Phase = "done"      // the transcript was handed over, and the job erased where that was wanted
	Rejected  Phase = "rejected"  // no job was made; a later run may try again
	Abandoned Phase = "abandoned" // an unknown outcome that the caller gave up
)

// Ended reports whether the job has ended. The way it ended never changes.
func (p Phase) Ended() bool { return p == Completed || p == Failed || p == Erasing || p == Done }

// Open reports whether a run still has something to do about it.
func (p Phase) Open() bool { return p != Failed && p != Done && p != Rejected && p != Abandoned }

// Record is what a ledger keeps of one recording.
type Record struct {
	Key      string `json:"key"`                // names the recording; never changes
	Revision int64  `json:"revision"`           // 1, then one more with each change; the ledger's
	Name     string `json:"name,omitempty"`     // of the audio, for people
	Token    string `json:"token,omitempty"`    // stands in the callback URL; never changes
	Owner    string `json:"owner,omitempty"`    // the run that sends it
	Phase    Phase  `json:"phase"`              //
	JobID    string `json:"job_id,omitempty"`   // once known it never changes
	Upload   string `json:"upload,omitempty"`   // of a resumable upload, to go on with it
	Sum      string `json:"sum,omitempty"`      // SHA-256 of the audio that Upload began with, where an earlier version kept one
	Attempts int    `json:"attempts,omitempty"` // uploads whose last byte may have gone out
	Source   string `json:"source,omitempty"`   // how the end was learned: "webhook" or "poll"
	Failure  string `json:"failure,omitempty"`  // why it failed, was rejected or is unknown
	Dialect  string `json:"dialect,omitempty"`  // of the API that the job is made in; "" stands for stt
	Confirm  bool   `json:"confirm,omitempty"`  // a callback said that it failed; a status request is to confirm it

	Followed      string `json:"followed,omitempty"`       // places for which what follows the handing over has succeeded, see [Followed]
	FollowFailure string `json:"follow_failure,omitempty"` // why that has failed the last time; "" once it succeeds

	Duration    time.Duration `json:"duration_ns,omitempty"` // of the audio; 0 when the service did not say
	ClaimedAt   time.Time     `json:"claimed_at,omitzero"`
	SentAt      time.Time     `json:"sent_at,omitzero"`      // when the last byte of the latest upload may have gone out
	SubmittedAt time.Time     `json:"submitted_at,omitzero"` // when the job's id was learned
	EndedAt     time.Time     `json:"ended_at,omitzero"`
	ErasedAt    time.Time     `json:"erased_at,omitzero"` // when the service said that the job is gone
	Due         time.Time     `json:"due,omitzero"`       // when somebody should look at it; zero: never

	Duplicates     int `json:"duplicates,omitempty"`     // ends that were reported again
	Contradictions int `json:"contradictions,omitempty"` // ends that were reported otherwise, or with another job
}

// Event is an authentic callback about the end of a job.
type Event struct {
	JobID    string        `json:"job_id"`
	Token    string        `json:"token,omitempty"` // from the query it was posted to; "" when there was none
	Failed   bool          `json:"failed,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	At       time.Time     `json:"at"` // when it was received
}

// The errors of a change that is refused.
var (
	ErrMoved = errors.New("the record has moved on")
	ErrRule  = errors.New("the change breaks the record's rules")
)

// next holds which phase may follow which; each may stay as it is.
var next = map[Phase][]Phase{
	Claimed:   {Sent, Submitted, Completed, Rejected, Abandoned},
	Sent:      {Claimed, Unknown, Submitted, Completed, Rejected},
	Unknown:   {Claimed, Submitted, Completed, Abandoned},
	Submitted: {Completed, Failed},
	Completed: {Erasing, Done, Failed}, // Failed only when the result itself disproves the end that was announced
	Failed:    nil,
	Erasing:   {Done},
	Done:      {Erasing}, // when it is only later that it is wanted
	Rejected:  {Claimed, Submitted, Completed},
	Abandoned: {Claimed, Submitted, Completed},
}

// Check says what is wrong with storing r in place of old. Every ledger
// calls it before it stores, so that no caller can take a record back.
func Check(old, r Record) error {
	switch {
	case r.Key != old.Key:
		return fmt.Errorf("%w: the key changed", ErrRule)
	case r.Token != old.Token && !forgets(old, r):
		return fmt.Errorf("%w: the token changed", ErrRule)
	case old.JobID != "" && r.Dialect != old.Dialect:
		return fmt.Errorf("%w: the dialect changed", ErrRule)
	case old.JobID != "" && r.JobID != old.JobID:
		return fmt.Errorf("%w: it is bound to job %q", ErrRule, old.JobID)
	case r.Followed != "" && r.Followed != old.Followed && !r.Phase.handedOver():
		return fmt.Errorf("%w: followed up while it is %s", ErrRule, r.Phase)
	case r.JobID == "" && (r.Phase == Submitted || r.Phase.Ended()):
		return fmt.Errorf("%w: %s without a job", ErrRule, r.Phase)
	case r.JobID != "" && old.JobID == "" && r.Phase != Submitted && !r.Phase.Ended():
		return fmt.Errorf("%w: %s with a job", ErrRule, r.Phase)
	}
	if r.Phase == old.Phase {
		return nil
	}
	if slices.Contains(next[old.Phase], r.Phase) {
		return nil
	}
	return fmt.Errorf("%w: %s cannot become %q", ErrRule, old.Phase, string(r.Phase))
}

// New is the record of a recording that is claimed now.
func New(key, name, token, owner string, now time.Time) Record {
	return Record{Key: key, Name: text(name), Token: token, Owner: owner, Phase: Claimed, ClaimedAt: stamp(now)}
}

// Alive reports whether an owner lives, which is to say whether it may still be
// at the records that it owns. A nil Alive takes every owner for dead.
type Alive func(owner string) bool

// holds reports whether somebody else, who lives, has the record in hand.
func (alive Alive) holds(r Record, owner string) bool {
	return r.Owner != "" && r.Owner != owner && alive != nil && alive(r.Owner)
}

// Begin makes owner the one who uploads the record, before anything is opened.
// The record must be claimed, or hold a resumable upload to go on with, and
// belong to nobody else who lives. The error is [ErrMoved].
func Begin(r Record, owner string, alive Alive) (Record, error) {
	goesOn := r.Upload != "" && (r.Phase == Sent || r.Phase == Unknown)
	switch {
	case r.Phase != Claimed && !goesOn:
		return r, fmt.Errorf("%w: it is %s", ErrMoved, r.Phase)
	case alive.holds(r, owner):
		return r, fmt.Errorf("%w: another run uploads it", ErrMoved)
	}
	r.Owner = owner
	return r, nil
}

// Sending is the mark: it is stored before the last byte goes out, because from
// then on a job may exist. It refuses a record that another owner has begun, so
// of several that hold the record only one can store it.
func Sending(r Record, owner string, now time.Time) (Record, error) {
	if r.Owner != "" && r.Owner != owner {
		return r, fmt.Errorf("%w: it is %s, by another run", ErrMoved, r.Phase)
	}
	switch {
	case r.Phase == Claimed:
	case (r.Phase == Sent || r.Phase == Unknown) && r.Upload != "":
		return r, nil // a resumed upload: all of it may have gone out before
	case r.Phase == Sent && r.Owner == owner:
		// Another attempt of the same upload: the service refused the one before.
	default:
		return r, fmt.Errorf("%w: it is %s", ErrMoved, r.Phase)
	}
	r.Phase, r.Owner, r.SentAt, r.Failure = Sent, owner, stamp(now), ""
	r.Attempts++
	return r, nil
}

// Unsent notes that the owner's upload made no job after all.
func Unsent(r Record, owner string) Record {
	if r.Phase == Sent && r.Upload == "" && r.Owner == owner {
		r.Phase = Claimed
	}
	return r
}

// Uploading keeps the token of a resumable upload, before its first byte, and
// the checksum of its audio if there is one.
func Uploading(r Record, token, sum, owner string) (Record, error) {
	if r.Phase != Claimed && r.Phase != Sent && r.Phase != Unknown {
		return r, fmt.Errorf("%w: it is %s", ErrMoved, r.Phase)
	}
	if r.Upload != "" && r.Upload != token && r.Owner != owner {
		// Two uploads of one recording could both become a job, and one of them would be forgotten here.
		return r, fmt.Errorf("%w: another run uploads it", ErrMoved)
	}
	r.Upload, r.Sum, r.Owner = token, sum, owner
	return r, nil
}

// UploadGone notes that a resumable upload is not there any more. If all of it
// may have gone out, its job may exist.
func UploadGone(r Record, why string, now time.Time) Record {
	switch r.Phase {
	case Claimed:
		r.Upload, r.Sum = "", ""
	case Sent:
		r.Upload, r.Sum = "", ""
		r = lost(r, why, now)
	case Unknown:
		r.Upload, r.Sum = "", ""
	}
	return r
}

// Lost notes that the outcome of an upload is not known: the owner says so of
// its own, or anybody of one whose owner is dead. A record whose owner lives and
// is somebody else stays as it is.
func Lost(r Record, owner string, alive Alive, why string, now time.Time) Record {
	if alive.holds(r, owner) {
		return r
	}
	return lost(r, why, now)
}

func lost(r Record, why string, now time.Time) Record {
	if r.Phase == Sent {
		r.Phase, r.Failure, r.Due = Unknown, why, stamp(now)
	}
	return r
}

// Accepted notes the job's id from the submit's own answer. A callback may have
// been faster; what it said stays.
func Accepted(r Record, jobID string, duration time.Duration, due, now time.Time) Record {
	if r.JobID != "" {
		if r.JobID != jobID {
			r.Contradictions++
		}
		return r
	}
	r.Phase, r.JobID, r.SubmittedAt, r.Due = Submitted, jobID, stamp(now), stamp(due)
	r.Upload, r.Sum, r.Failure = "", "", ""
	if duration > 0 {
		r.Duration = duration
	}
	return r
}

// Heard is the record after a callback, however late and however often that comes. That a
// job has failed is not believed before a status request confirms it.
func Heard(r Record, e Event) Record {
	switch {
	case r.JobID != "" && r.JobID != e.JobID:
		r.Contradictions++
		return r
	case r.Phase.Ended():
		return again(r, !e.Failed)
	case r.JobID == "":
		r.JobID, r.SubmittedAt, r.Upload, r.Sum, r.Failure = e.JobID, stamp(e.At), "", "", ""
	}
	if e.Duration > 0 {
		r.Duration = e.Duration
	}
	r.Due = stamp(e.At)
	if e.Failed {
		r.Phase, r.Confirm = Submitted, true
		return r
	}
	return end(r, Completed, "", "webhook", e.At)
}

// Polled takes in what the service said of a job that has ended.
func Polled(r Record, succeeded bool, failure, source string, duration time.Duration, now time.Time) Record {
	if r.Phase.Ended() {
		return again(r, succeeded)
	}
	if r.JobID == "" {
		return r
	}
	if duration > 0 {
		r.Duration = duration
	}
	if succeeded {
		return end(r, Completed, "", source, now)
	}
	return end(r, Failed, failure, source, now)
}

// Disproved notes that there is no transcript, though an end with one was
// announced.
func Disproved(r Record, failure string, now time.Time) Record {
	if r.Phase == Completed {
		return end(r, Failed, failure, "poll", now)
	}
	return r
}

// Finished notes that the transcript was handed over.
func Finished(r Record) Record {
	if r.Phase == Completed {
		r.Phase, r.Due = Done, time.Time{}
	}
	return r
}

// Refused notes why the owner's upload made no job. A resumable one of which the
// last byte may have gone out stays as it is: the refusal was of something
// later, as of a question, and its job may exist.
func Refused(r Record, why, owner string) Record {
	own := r.Owner == "" || r.Owner == owner
	if own && (r.Phase == Claimed || r.Phase == Sent && r.Upload == "") {
		r.Phase, r.Failure, r.Upload, r.Sum, r.Due = Rejected, why, "", "", time.Time{}
	}
	return r
}

// Reclaimed starts again: what was rejected, or an unknown outcome when the
// caller has decided so. The token stays, so that a late callback about the
// first upload still finds its record.
func Reclaimed(r Record, owner string) (Record, error) {
	switch r.Phase {
	case Rejected, Unknown, Abandoned:
		r.Phase, r.Owner, r.Failure, r.Upload, r.Sum, r.Due = Claimed, owner, "", "", "", time.Time{}
		return r, nil
	}
	return r, fmt.Errorf("%w: it is %s", ErrMoved, r.Phase)
}

// GivenUp is an unknown outcome that the caller does not wait for any more.
func GivenUp(r Record) (Record, error) {
	switch r.Phase {
	case Unknown, Abandoned, Claimed:
		r.Phase, r.Due = Abandoned, time.Time{}
		return r, nil
	}
	return r, fmt.Errorf("%w: it is %s", ErrMoved, r.Phase)
}

func end(r Record, p Phase, failure, source string, now time.Time) Record {
	r.Phase, r.Failure, r.Source, r.Confirm = p, failure, source, false
	if r.EndedAt.IsZero() {
		r.EndedAt = stamp(now)
	}
	r.Due = time.Time{}
	if p == Completed {
		r.Due = stamp(now) // the transcript is to be fetched
	}
	return r
}

// again counts an end that is no news.
func again(r Record, succeeded bool) Record {
	if succeeded == (r.Phase != Failed) {
		r.Duplicates++
	} else {
		r.Contradictions++
	}
	return r
}

// stamp is a time as it is stored: in UTC, to the millisecond.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}
