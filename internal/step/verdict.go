package step

import (
	"time"
)

// Then is what a driver does once the record is stored.
type Then string

// The verdicts.
const (
	Advance   Then = "advance"   // ask Next about the record as it is stored
	Again     Then = "again"     // the same step again, After
	Reject    Then = "reject"    // it is over: no job was made, because of Err; a later run may try again
	Interrupt Then = "interrupt" // it stays open, and this process leaves it, because of Err
	Doubt     Then = "doubt"     // a job may exist, which this process cannot ask for, because of Err: see Resolve
	Deliver   Then = "deliver"   // the transcript is there: hand it over, then store ledger.Finished
	Stop      Then = "stop"      // the context ended; nothing is lost
)

// Verdict is what comes of a step.
type Verdict struct {
	Then  Then
	After time.Duration // of Again
	Halt  bool          // every other submit with this key would end the same way
	Err   error         // why; beside Advance: why the outcome of the upload is not known
}

// The waits between two tries of one upload, and how many tries there are. With
// their waits they last about a quarter of an hour, so that an outage stops a
// batch and does not fail it.
const (
	maxTries   = 10
	firstPause = 2 * time.Second
	maxPause   = 5 * time.Minute
	maxAsked   = 24 * time.Hour // no window of the service is longer
)

// pause is the wait after so many tries, and at least what the service asked for,
// up to a day.
func pause(try int, asked time.Duration) time.Duration {
	wait := maxPause
	if doublings := try - 1; doublings < 8 {
		wait = min(firstPause<<max(doublings, 0), maxPause)
	}
	return max(wait, min(asked, maxAsked))
}
