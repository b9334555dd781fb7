package step

import (
	"context"
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// notKnown is what a record says of a job that the service did not know when it
// was to be erased.
const notKnown = "erased: the service does not know the job, so it is gone, or another key made it"

// Erasure is what came of one try to erase a job at the service.
type Erasure struct {
	Err error

	unknown bool // the service does not know the job
	stopped bool
	tries   int
}

// EraseJob asks the service to erase a job, after so many tries before.
func EraseJob(ctx context.Context, c *scriptix.Client, jobID string, tries int) Erasure {
	e := Erasure{Err: c.STT.Delete(ctx, jobID), tries: tries}
	if errors.Is(e.Err, scriptix.ErrNotFound) {
		e.Err, e.unknown = nil, true
	}
	e.stopped = e.Err != nil && ctx.Err() != nil
	return e
}

// Settle is the record afterwards, and what the driver does then. Only what no
// other try can change is not tried again.
func (e Erasure) Settle(r ledger.Record, now time.Time) (ledger.Record, Verdict) {
	switch {
	case e.Err == nil && e.unknown:
		return ledger.Erased(r, notKnown, now), Verdict{Then: Advance}
	case e.Err == nil:
		return ledger.Erased(r, "", now), Verdict{Then: Advance}
	case e.stopped:
		return r, Verdict{Then: Stop, Err: e.Err}
	case errors.Is(e.Err, scriptix.ErrUnauthorized):
		return r, Verdict{Then: Interrupt, Halt: true, Err: e.Err}
	}
	for _, kind := range []error{scriptix.ErrUnsupported, scriptix.ErrForbidden, scriptix.ErrQuota, scriptix.ErrInvalid} {
		if errors.Is(e.Err, kind) {
			return r, Verdict{Then: Interrupt, Err: e.Err}
		}
	}
	if e.tries+1 >= maxFetches {
		return r, Verdict{Then: Interrupt, Err: e.Err}
	}
	return r, Verdict{Then: Again, After: waitAfter(e.tries)}
}
