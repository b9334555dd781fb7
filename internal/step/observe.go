package step

import (
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Observe takes in what the client says of a job that a record waits for: how it
// ended, or err, the end of the watch of it.
func Observe(r ledger.Record, job *scriptix.Job, err error, now time.Time) (ledger.Record, Verdict) {
	switch {
	case err != nil:
		return r, Verdict{Then: Interrupt, Err: err, Halt: errors.Is(err, scriptix.ErrUnauthorized)}
	case job.Source == scriptix.SourceWebhook && r.Phase.Ended():
		// The same callback, which was stored before the client was told of it.
		return r, Verdict{Then: Advance}
	}
	failure := withoutToken(job.Failure, r.Token)
	return ledger.Polled(r, job.Status.Succeeded(), failure, string(job.Source), job.Duration, now), Verdict{Then: Advance}
}
