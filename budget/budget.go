// Package budget decides when a request of one API key may be sent, so that the
// limits of its plan are never exceeded, however many callers share the key.
//
// A caller asks [Key.Acquire] for a [Permit] before each request and gives it back
// with what the answer taught. A permit is granted at once if nobody waits, a
// concurrency slot is free, and the request fits into the minute, the hour and the
// day. Otherwise the caller waits in the queue of its [Class]. Results go before
// submits and submits before polls, but a class that was passed over nine times
// goes next. Whoever cannot be served before its deadline is refused at once, with
// the time at which it could be. A single timer waits for the next moment at which
// something fits; nothing runs while nobody waits.
//
// The windows are sliding ones, and a request counts in each of them from its grant
// until one window after its answer, because nobody knows when in between the
// service counts it. The service's headers only ever lower what is left. A 429
// stops every class for as long as it asks, 15 minutes at most, and halves the
// minute; each quiet minute then gives a tenth back. [Key.Keep] stores the windows
// ahead of the requests they count, so that a process that is killed at any moment
// does not forget the day. A [Breaker] spares a budget that fails by itself. How all
// this is computed is in internal/rate, which knows no callers and no clock.
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// Limits are what one API key may send: requests per sliding minute, hour and
// day, and requests at once. A zero field is not limited; a negative one is
// refused.
type Limits struct{ PerMinute, PerHour, PerDay, Concurrent int }

// The published plans, and the limits of a client that was given none. They are
// per key: two processes on one key share a [Budget], or take half a plan each.
var (
	PlanFree   = Limits{PerMinute: 10, PerHour: 100, PerDay: 1_000, Concurrent: 2}
	PlanBronze = Limits{PerMinute: 30, PerHour: 500, PerDay: 5_000, Concurrent: 5}
	PlanSilver = Limits{PerMinute: 60, PerHour: 2_000, PerDay: 20_000, Concurrent: 10}
	PlanGold   = Limits{PerMinute: 120, PerHour: 5_000, PerDay: 50_000, Concurrent: 20}

	DefaultLimits = Limits{PerMinute: 60, Concurrent: 10}
)

// Validate returns an error if a field is negative.
func (l Limits) Validate() error {
	if min(l.PerMinute, l.PerHour, l.PerDay, l.Concurrent) < 0 {
		return errors.New("limits: negative; zero means not limited")
	}
	return nil
}

// Class ranks a request. Where several wait, results go before submits and
// submits before polls, but a class that waits gets at least every tenth grant.
type Class int

// The classes, the most urgent first.
const (
	ClassResult Class = iota // fetches a transcript that is paid for
	ClassSubmit              // starts a job; leaves one of two or more concurrency slots free
	ClassPoll                // asks how a job is
)

// String returns the class in a word, for logs and errors.
func (c Class) String() string {
	switch c {
	case ClassResult:
		return "result"
	case ClassSubmit:
		return "submit"
	case ClassPoll:
		return "poll"
	}
	return fmt.Sprintf("class %d", int(c))
}

func (c Class) known() bool { return c >= 0 && rate.Class(c) < rate.Classes }

// Budget decides when a request may be sent. Every attempt passes it, retries
// included. [New] makes the in-process one; an implementation must be safe for
// concurrent use.
type Budget interface {
	// Acquire waits until one request of the class may be sent. It ends with
	// ctx, and at once when that cannot be before ctx's deadline.
	Acquire(ctx context.Context, class Class) (Permit, error)
}

// Permit allows one request.
type Permit interface {
	// Done gives the permit back when the answer has come or the attempt has
	// failed. The first call counts, later ones do nothing.
	Done(info RateInfo)
}

// ErrNoRoom is found in the error of a request that cannot be sent before its
// deadline. It is the ErrBudget of the client's package.
var ErrNoRoom = errors.New("scriptix: request budget")

// Error says why a request cannot be sent before its context's deadline.
// [errors.Is] finds [ErrNoRoom] in it, and [context.DeadlineExceeded] only if the
// deadline passed while it waited.
type Error struct {
	Class  Class
	At     time.Time // the earliest it could be sent, as far as is known
	Reason string    // what is in the way, such as "the hour window is full"
	Err    error     // the context's error if it waited until the deadline
}

// Error says when the request could be sent and what is in the way.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("request budget: the deadline passed while a %s waited: %s: %v", e.Class, e.Reason, e.Err)
	}
	return fmt.Sprintf("request budget: a %s can be sent at %s at the earliest, after the deadline: %s",
		e.Class, e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap returns [ErrNoRoom] and the context's error, if any.
func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{ErrNoRoom, e.Err}
	}
	return []error{ErrNoRoom}
}
