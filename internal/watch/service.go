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
//   - earlier, where callbacks do not come and requests are to spare;
//   - later, while callbacks arrive and the jobs submitted around it run as well,
//     but only up to a bound;
//   - soon, once the service has finished later jobs;
//   - at once, when a callback reports that it failed, to confirm that, and again
//     after 5 seconds and more while the service has not caught up;
//   - when the sender of a callback that could not be stored has repeated it;
//   - at once, at most every 30 seconds, when an unsigned message hints at it.
//
// Of the jobs that are due at once those go first whose failure is to be
// confirmed, then those for which somebody waits until a deadline, then those
// that were overtaken. When three polls in a row bring no answer all polls pause,
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
	// Spare returns the requests of a minute, and whether some of them are to
	// spare for early polls.
	Spare() (perMinute int, ok bool)
	// Fault says what a failed poll means.
	Fault(err error) Fault
	// CallbacksMissing is called once when callbacks stop arriving.
	CallbacksMissing(share float64)
}

// Turn is room for one poll.
type Turn interface {
	// Poll asks how a job is. It is called at most once.
	Poll(ctx context.Context, id string) (Job, error)
	// GiveBack returns the room if Poll was not called, else it does nothing.
	GiveBack()
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
