// Package watch follows transcription jobs until they end.
//
// One [Scheduler] serves every wait of a client. Each job has a record, and the
// records stand in a heap ordered by the time at which the job is next worth a
// request; a single timer waits for the first of them. When it fires, the
// scheduler asks the budget for room, sends one request for the most urgent job
// that is due, and puts the job back with a later time if it still runs. A
// callback ends a job at once, whatever its place in the heap.
//
// When a job is worth a request is decided in package due, from the jobs that
// have ended so far. A job is planned when somebody starts to wait for it, once
// more when its time has come, because others may have ended meanwhile, and once
// a minute while jobs end. So it is polled
//
//   - when most jobs like it have ended, by the model, and then at gaps of a tenth
//     of its age;
//   - sooner, where at most 200 jobs wait, no callbacks come and the budget's
//     windows have requests to spare: once one chance in eight says that it has
//     ended since it was last seen running, and after the pause that the last
//     question in vain is followed by, whichever job that was for. An end lets
//     those go at once that have probably ended too;
//   - later, while callbacks arrive and the jobs submitted around it run as well,
//     but only up to a bound;
//   - soon, once the service has finished later jobs;
//   - at once, when a callback reports that it failed, to confirm that, and again
//     after 5 seconds and more while the service has not caught up;
//   - when the sender of a callback that could not be stored has repeated it.
//
// Where everybody who waits for a job wants its transcript, a poll for a job that
// has probably ended asks for the result, which finds the end and fetches in one
// request. If that was not ready, the next poll asks for the status.
//
// Of the jobs that are due at once those go first whose failure is to be
// confirmed, then those for which somebody waits until a deadline (but every
// tenth poll is for another job), then those that were overtaken, and last those
// that only requests to spare are for. When three polls in a row bring no answer all polls pause,
// for up to a minute. Nothing runs while nobody waits: no goroutine, no timer.
package watch

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// Service is what a Scheduler asks about jobs. Its methods are called from
// several goroutines at once.
type Service interface {
	// Turn waits for room in the budget for one poll.
	Turn(ctx context.Context) (Turn, error)
	// Room returns what the budget's windows have left.
	Room() Room
	// Fault says what a failed poll means.
	Fault(err error) Fault
	// CallbacksMissing is called once when callbacks stop arriving.
	CallbacksMissing(share float64)
	// Outlasted is called once for each job that a poll found running though it
	// was expected to have ended.
	Outlasted(job Outlasted)
	// Ended is called once for each job that was followed or submitted, when its end
	// is learned.
	Ended(end End)
	// ResultsNotAsked is called once when results are no longer asked for before
	// the end of their jobs is known.
	ResultsNotAsked()
}

// Turn is room for one poll.
type Turn interface {
	// Poll asks how a job is. One of Poll and Fetch is called, at most once.
	Poll(ctx context.Context, id string) (Job, error)
	// Fetch asks for the result of a job that has probably ended. The error is
	// that of the call if the answer is Odd or none.
	Fetch(ctx context.Context, id string) (Job, Answer, error)
	// GiveBack returns the room if it was not used, else it does nothing.
	GiveBack()
}

// Answer is what a request for a result found.
type Answer uint8

// The answers.
const (
	NoAnswer    Answer = iota // none, or one about the key or its budget
	Ended                     // the job has ended well, and Job.Result is its result
	Unconfirmed               // Job.Result seems to be the result, but no status says that the job has ended
	NotReady                  // the job still runs, or has failed, or is not known
	Odd                       // anything else
)

// Room is what a budget's windows have left. The zero value says that nothing is
// known of it.
type Room struct {
	Known             bool // whether the budget says what it has left
	Minute, Hour, Day Window
	Submits           int  // that wait for a permit
	Blocked           bool // by a 429
}

// Window is one window of a budget.
type Window struct {
	Limit      int // 0: not limited
	Used, Left int
}

// Outlasted is a job that takes longer than expected.
type Outlasted struct {
	JobID         string
	Age, Expected time.Duration
	Next          time.Duration // from now to its next poll
}

// End is how a job ended.
type End struct {
	JobID      string
	Submitted  time.Time     // zero when it is not known
	Late       time.Duration // from the end to when it was learned; of a poll the most that it can be
	CalledBack bool
	Succeeded  bool
}

// Fault is what a failed poll means.
type Fault struct {
	Kind       FaultKind
	RetryAfter time.Duration // what the service asked for; 0 when it did not
}

// FaultKind is the kind of a [Fault].
type FaultKind uint8

// The kinds.
const (
	Unanswered FaultKind = iota // nothing is known of the job: it is polled again
	NotFound                    // the service does not know the job; the third in a row ends its waits
	NotAllowed                  // the key may not see the job
	KeyRefused                  // the key is refused: every wait ends
	NotSent                     // the id cannot be asked for
)

// State is how far a job is, in the rules' terms.
type State = due.State

// The states.
const (
	Running   = due.Running
	Succeeded = due.Succeeded
	Failed    = due.Failed
)

// Job is what is known of a job: the public one's fields, and its state.
type Job struct {
	ID, Status           string
	State                State
	Progress             int
	DocumentID, Language string
	Duration             time.Duration
	CreatedAt            time.Time
	Failure              string
	Source               string
	Raw                  json.RawMessage
	Result               any // what Turn.Fetch brought, until every follower has it
}

// Errors that end a watch, or a job's.
var (
	ErrNoID = errors.New("the job id is empty")
	ErrBusy = errors.New("the watcher is in another loop over All")
)

// InterruptedError says that a watch's context ended before its jobs did.
type InterruptedError struct {
	JobID, Last string   // one of the jobs and its last status
	Pending     []string // all of them
	Err         error    // of the job's last poll, or nil
}

func (e *InterruptedError) Error() string { return "interrupted" }
