// Package observe is how a client tells what it does, for traces and metrics. An
// [Observer] is given to scriptix.Client.Observe; module otelscriptix has one that
// speaks OpenTelemetry. The package stands on the standard library alone.
package observe

import (
	"context"
	"time"
)

// Observer is told what a client does. Its methods are called where the work is
// done, from several goroutines at once, and should return quickly. No value that
// it gets holds a key, a secret or a URL's query.
type Observer interface {
	// Call is told that a call begins, and returns the context that the call goes
	// on with and what is to be told of its end, which comes once.
	Call(ctx context.Context, c Call) (context.Context, func(Answer))
	// Submitted is told that the service has accepted a recording. Its ctx is that
	// of the submit.
	Submitted(ctx context.Context, s Submitted)
	// Ended is told that a job has ended, once for each job that this client
	// submitted or waits for, when it learns of it.
	Ended(e Ended)
	// Callback is told what became of a request that reached the client's webhook
	// handler.
	Callback(ctx context.Context, c Callback)
}

// Call is a call of the API that begins. All attempts of a request are one call.
type Call struct {
	Op     string // as in scriptix.Error, for example "stt.submit"
	Method string
	Route  string // the path with {id} in place of ids, for example "/api/v3/stt/{id}/status"
	Scheme string
	Host   string // with the port, if the URL names one
	JobID  string // empty where the call is about no job, or none yet
}

// Answer is how a call ended.
type Answer struct {
	StatusCode int // of the last attempt; 0 when no answer came
	Attempts   int // requests that were sent
	RequestID  string
	Err        error // nil when it succeeded
	Unknown    bool  // a job may exist: the error is scriptix.ErrUnknownOutcome
}

// Submitted is a job that the service has accepted.
type Submitted struct {
	JobID string
	At    time.Time
}

// Source is how an end was learned.
type Source string

// The sources of an end.
const (
	ByCallback Source = "callback"
	ByPoll     Source = "poll"
)

// Ended is the end of a job.
type Ended struct {
	JobID     string
	Submitted time.Time // zero when it is not known
	At        time.Time // when this client learned of the end
	Source    Source
	Succeeded bool
	// Late is how long after the end that was: by the callback's own time, or since
	// a poll last found the job running, which is the most that it can be.
	Late time.Duration
}

// Verdict is what became of a callback.
type Verdict string

// The verdicts.
const (
	Accepted Verdict = "accepted" // authentic, and taken in
	Refused  Verdict = "refused"  // not authentic, or malformed: it changed nothing
	Failed   Verdict = "failed"   // authentic, but it could not be stored: the sender was asked to repeat it
)

// Callback is a request that reached the webhook handler.
type Callback struct {
	Verdict Verdict
	Event   string // the event's type; empty where it was refused, found no place or made the program panic
	JobID   string // the same
	Err     error  // why it was refused or failed
}
