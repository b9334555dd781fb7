package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

const (
	firstWait  = 5 * time.Second // the API may lag behind its own callback
	maxWait    = 10 * time.Minute
	maxFetches = 30 // of one result; with their waits about four hours
	askAfter   = 3  // fetches that were too early before the status is asked
	// maxUnread is how often a result is fetched that is whole and cannot be read. Over
	// about a minute a service may take its word back; after that it repeats it, and each
	// time costs a request. What was cut, or came from something in between, is another matter.
	maxUnread = 6
)

// errKept is what is to be known of a result that nobody could read.
var errKept = errors.New("the job is paid for and stays in the ledger, from where a later run asks again; its answer as it came is in RawBody of this error, and in STT.RawResult")

// Fetched is what came of a request for a result.
type Fetched struct {
	Transcript *scriptix.Transcript
	Failed     *scriptix.JobFailedError // the job that was announced as done has failed
	Err        error
	Needs      int64 // the room to ask for before the same is tried again: see [Held.Fetch]

	stopped bool
	tries   int
}

// Fetch asks for the result of a job that has ended well, after so many tries
// that were too early. It costs one request, and a second one for the status
// once the service has said often enough that the job still runs: a callback
// said that it is done, so somebody should know.
func Fetch(ctx context.Context, c *scriptix.Client, jobID string, tries int) Fetched {
	f := Fetched{tries: tries}
	f.Transcript, f.Err = c.STT.Result(ctx, jobID)
	if f.Err == nil {
		return f
	}
	if f.stopped = ctx.Err() != nil; f.stopped {
		return f
	}
	f.Failed, _ = errors.AsType[*scriptix.JobFailedError](f.Err)
	if f.Failed == nil && errors.Is(f.Err, scriptix.ErrNotReady) && tries >= askAfter {
		if job, err := c.STT.Status(ctx, jobID); err == nil {
			f.Failed, _ = errors.AsType[*scriptix.JobFailedError](job.Err())
		}
	}
	return f
}

// Settle says what the record becomes, and what is to be done then.
func (f Fetched) Settle(r ledger.Record, now time.Time) (ledger.Record, Verdict) {
	switch {
	case f.Err == nil:
		return r, Verdict{Then: Deliver}
	case f.stopped:
		return r, Verdict{Then: Stop, Err: f.Err}
	case f.Failed != nil:
		return ledger.Disproved(r, withoutToken(f.Failed.Job.Failure, r.Token), now), Verdict{Then: Advance}
	case errors.Is(f.Err, scriptix.ErrUnauthorized):
		return r, Verdict{Then: Interrupt, Halt: true, Err: f.Err}
	case errors.Is(f.Err, scriptix.ErrBadAnswer) && (f.whole() && f.tries+1 >= maxUnread || f.tries+1 >= maxFetches):
		return r, Verdict{Then: Interrupt, Err: fmt.Errorf("%w; %w", f.Err, errKept)}
	case errors.Is(f.Err, scriptix.ErrForbidden), errors.Is(f.Err, scriptix.ErrQuota), f.tries+1 >= maxFetches:
		return r, Verdict{Then: Interrupt, Err: f.Err}
	}
	return r, Verdict{Then: Again, After: waitAfter(f.tries)}
}

// whole reports whether an answer that could not be read is JSON from its start to
// its end, so that asking again brings the same.
func (f Fetched) whole() bool {
	e, ok := errors.AsType[*scriptix.Error](f.Err)
	return ok && json.Valid(e.RawBody())
}

// waitAfter is the wait after so many tries. It grows by half with each.
func waitAfter(tries int) time.Duration {
	wait := firstWait
	for range min(tries, 20) {
		wait = min(wait*3/2, maxWait)
	}
	return wait
}
