// Package step decides what a recording needs next, and what its record becomes
// by it. It has no goroutine and no timer, so that a batch in one process, which
// has timers, and a fleet on a database, which has due times, take the same steps.
//
// Next looks at a record and names one action: leave it to the owner who is at
// it, send it, wait for a callback, follow its job, fetch its result, report it.
// Whoever drives the record does that, once:
//
//   - Upload.Send sends the audio. The record is marked as sent before the last
//     bytes are let go, so that what was killed before is simply sent again. What
//     came of it is classified first, into a Kind, and only then acted upon.
//   - Fetch asks for a result.
//   - Observe takes in what a callback or a poll says of a job.
//
// Each of them yields a function from a record to the record that is to be
// stored and a Verdict. The driver runs it inside Ledger.Apply, so that it sees
// the record as it is by then, and does what the verdict says once the record is
// stored: ask Next again, try again after a while, or end with an error.
package step
