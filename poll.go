package scriptix

import (
	"context"
	"errors"
	"log/slog"

	"github.com/scriptix-io/scriptix-go/internal/watch"
)

// poller is the service as the engine that waits sees it: watch.Service.
type poller struct{ core *core }

// Turn waits for a permit of the budget.
func (p poller) Turn(ctx context.Context) (watch.Turn, error) {
	permit, err := p.core.breaker.Acquire(ctx, ClassPoll)
	if err != nil {
		return nil, err
	}
	return turn{p.core, permit}, nil
}

// turn is a permit for one poll.
type turn struct {
	core   *core
	permit Permit
}

func (t turn) Poll(ctx context.Context, id string) (watch.Job, error) {
	job, err := t.core.status(ctx, call{jobID: id, class: ClassPoll, single: true, permit: t.permit, total: pollTotal})
	if err != nil {
		return watch.Job{}, err
	}
	return toWatch(*job), nil
}

// Fetch asks for the result of a job that has probably ended. A failed job and an
// unknown one look as if they were not ready; the status tells.
func (t turn) Fetch(ctx context.Context, id string) (watch.Job, watch.Answer, error) {
	transcript, status, err := (&STTService{t.core}).result(ctx, call{jobID: id, class: ClassPoll, single: true, permit: t.permit, total: pollTotal})
	if err == nil {
		job := toWatch(Job{
			ID: id, Status: status, Progress: 100, DocumentID: transcript.DocumentID, Language: transcript.Language,
			Duration: transcript.Duration, Source: SourcePoll,
		})
		job.Result = transcript
		if status.Succeeded() {
			return job, watch.Ended, nil
		}
		return job, watch.Unconfirmed, nil
	}
	e, _ := errors.AsType[*Error](err)
	switch {
	case errors.Is(err, ErrJobFailed), errors.Is(err, ErrNotReady):
		return watch.Job{}, watch.NotReady, nil
	case e == nil || e.StatusCode == 0, errors.Is(err, ErrUnauthorized), errors.Is(err, ErrRateLimited), ctx.Err() != nil:
		return watch.Job{}, watch.NoAnswer, err
	}
	return watch.Job{}, watch.Odd, err
}

func (t turn) GiveBack() { t.permit.Done(RateInfo{}) }

// Room returns what the budget's windows have left, as far as it says.
func (p poller) Room() watch.Room {
	snap := (&Client{core: p.core}).Budget()
	return watch.Room{
		Known:  true,
		Minute: watch.Window(snap.Minute), Hour: watch.Window(snap.Hour), Day: watch.Window(snap.Day),
		Submits: snap.Submits, Blocked: !snap.BlockedUntil.IsZero(),
	}
}

// Outlasted tells the log that a job takes longer than expected.
func (p poller) Outlasted(job watch.Outlasted) {
	p.core.cfg.logger.Info("scriptix: a job takes longer than expected",
		slog.String("job_id", job.JobID), slog.Duration("age", job.Age), slog.Duration("expected", job.Expected), slog.Duration("next_poll", job.Next))
}

// Fault says what a failed poll means for the waits.
func (p poller) Fault(err error) watch.Fault {
	var fault watch.Fault
	e, ok := errors.AsType[*Error](err)
	if ok {
		fault.RetryAfter = e.RetryAfter
	}
	switch {
	case errors.Is(err, ErrUnauthorized):
		fault.Kind = watch.KeyRefused
	case errors.Is(err, ErrForbidden):
		fault.Kind = watch.NotAllowed
	case errors.Is(err, ErrNotFound):
		fault.Kind = watch.NotFound
	case ok && e.StatusCode == 0 && errors.Is(err, ErrInvalid):
		fault.Kind = watch.NotSent
	}
	return fault
}

// CallbacksMissing tells the log that callbacks stopped arriving.
func (p poller) CallbacksMissing(share float64) {
	p.core.cfg.logger.Warn(
		"scriptix: callbacks do not arrive, jobs are polled instead; check that the callback URL is reached from outside",
		slog.Float64("share_by_callback", share))
}

// ResultsNotAsked tells the log that only statuses are asked for from now on.
func (p poller) ResultsNotAsked() {
	p.core.cfg.logger.Debug("scriptix: results asked for early are answered oddly; only statuses are asked for until jobs have ended")
}
