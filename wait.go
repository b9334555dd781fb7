package scriptix

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/watch"
)

// WaitOption tells what a wait should know of its jobs.
type WaitOption func(*watch.Options) error

// SubmittedAt says when the job was submitted, if that was not done by this
// client: otherwise it counts as submitted now, and is polled later than it
// should be.
func SubmittedAt(t time.Time) WaitOption {
	return func(o *watch.Options) error {
		o.Submitted = t
		return nil
	}
}

// ExpectDuration says how long the audio is, from which follows when the job is
// likely to end.
func ExpectDuration(d time.Duration) WaitOption {
	return func(o *watch.Options) error {
		if d < 0 {
			return fmt.Errorf("expected duration %v is negative", d)
		}
		o.Duration = d
		return nil
	}
}

// WantTranscript says that the transcript is wanted with the end. A poll may then
// ask for the result, which finds the end and fetches in one request, as long as
// all who wait for the job want it: [Job.Transcript] holds it, or is nil where the
// end was learned otherwise; fetch it with [STTService.Result] then.
func WantTranscript() WaitOption {
	return func(o *watch.Options) error {
		o.Results = true
		return nil
	}
}

// Wait waits for a job to end and returns it; whether it ended well is for
// [Job.Err] or [Status.Succeeded] to say. It hears of the end from a callback or
// from a poll, whichever comes first.
//
// It costs no request while callbacks arrive, and a poll now and then when they
// do not. Failed polls do not end it, but 403 and the third 404 in a row do,
// and a 401 ends every wait of the client, for its key is refused. When ctx ends
// the error is [ErrWaitEnded]: the job goes on, nothing is lost, and a later Wait
// for the id resumes. Any number of Waits and Watches may follow one job.
//
// API: GET /api/v3/stt/{id}/status
func (s *STTService) Wait(ctx context.Context, jobID string, opts ...WaitOption) (*Job, error) {
	if err := s.ready(ctx, "stt.wait"); err != nil {
		return nil, err
	}
	w := s.newWatcher(watch.Options{Single: true}, opts)
	w.Add(Job{ID: jobID})
	for job, err := range w.All(ctx) {
		if err != nil {
			return nil, err
		}
		if job.Status.Terminal() {
			return job, nil
		}
	}
	// All ends early only after an error, which was returned above.
	return nil, &WaitError{JobID: jobID, Pending: []string{jobID}, Err: ctxError(ctx)}
}

// Watch yields each change of each job, until all of them have ended. An error
// about one job comes with a [Job] that holds its ID, and ends the watch of that
// job alone. When ctx ends, one last (nil, [ErrWaitEnded]) is yielded. Changes
// that come faster than they are taken are merged, but an end is never lost.
//
// It is cheap: one Watch of 100,000 jobs takes no goroutine of its own.
func (s *STTService) Watch(ctx context.Context, jobIDs ...string) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		if len(jobIDs) == 0 {
			return
		}
		w := s.NewWatcher()
		for _, id := range jobIDs {
			w.Add(Job{ID: id})
		}
		w.All(ctx)(yield)
	}
}

// NewWatcher returns a [Watcher], which is [STTService.Watch] for a set of jobs
// that grows. The options hold for each job that does not know better.
func (s *STTService) NewWatcher(opts ...WaitOption) *Watcher {
	return s.newWatcher(watch.Options{}, opts)
}

func (s *STTService) newWatcher(options watch.Options, opts []WaitOption) *Watcher {
	w := new(Watcher)
	if w.err = s.made("stt.wait"); w.err != nil {
		return w
	}
	for i, opt := range opts {
		if opt == nil {
			w.err = invalid("stt.wait", "options", fmt.Sprintf("option %d is nil", i))
		} else if err := opt(&options); err != nil {
			w.err = invalid("stt.wait", "options", err.Error())
		}
	}
	w.core, w.inner = s.core, s.core.waits.NewWatcher(options)
	return w
}

// Watcher follows a set of jobs that grows. Add and Remove may be called at any
// time, also within the loop over All; All by one goroutine at a time.
type Watcher struct {
	core  *core
	inner *watch.Watcher
	err   error // of the options: it follows nothing
}

// Add adds jobs. Of each only the ID is needed; a Duration and a CreatedAt help
// to tell when it is worth a poll. A job that is followed already stays as it is.
func (w *Watcher) Add(jobs ...Job) {
	if w.err != nil {
		return
	}
	entries := make([]watch.Job, len(jobs))
	for i := range jobs {
		entries[i] = toWatch(jobs[i])
	}
	w.inner.Add(entries...)
}

// Remove stops following jobs; they go on at the service.
func (w *Watcher) Remove(ids ...string) {
	if w.err == nil {
		w.inner.Remove(ids...)
	}
}

// Observe reports an end that was learned elsewhere, by a process that receives
// the callbacks for example: All yields it, and the estimates learn from it. The
// job's ID and Status are needed, and when it ended (zero: now); a Source of
// [SourceWebhook] says that callbacks arrive. A job that has not ended, or that
// nobody added, does nothing. It costs no request.
func (w *Watcher) Observe(job Job, ended time.Time) {
	if w.err == nil {
		w.core.waits.Observe(toWatch(job), ended, job.Source == SourceWebhook)
	}
}

// Hint has jobs asked for now instead of later, as [Client.HintHandler] does: within
// the budget, and each of them at most every 30 seconds.
func (w *Watcher) Hint(ids ...string) {
	for _, id := range ids {
		if w.err == nil {
			w.core.waits.Hint(id)
		}
	}
}

// JobTime is how long a job took from its submission to its end, and how long its
// audio is (0: not known).
type JobTime struct{ Took, Duration time.Duration }

// Learn teaches the client's estimates how long earlier jobs took, the oldest
// first; the last 200 count. Without it a new process knows nothing of the
// service's queue until 20 jobs have ended. It costs no request.
func (w *Watcher) Learn(jobs ...JobTime) {
	if w.err != nil {
		return
	}
	ends := make([]watch.Took, len(jobs))
	for i, job := range jobs {
		ends[i] = watch.Took(job)
	}
	w.core.waits.Learn(ends)
}

// All yields each change of each job until every job added has ended or was
// removed; while none was added it waits for the first. After that it can be
// called again. A loop that is left early, or whose ctx ends, forgets the jobs:
// add them again to go on.
func (w *Watcher) All(ctx context.Context) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		switch {
		case w.err != nil:
			yield(nil, w.err)
			return
		case ctx == nil:
			yield(nil, invalid("stt.wait", "context", "is nil; use context.Background"))
			return
		}
		for told, err := range w.inner.All(ctx) {
			var job *Job
			if interrupted, ok := errors.AsType[*watch.InterruptedError](err); ok {
				err = waitError(ctx, interrupted)
			} else if errors.Is(err, watch.ErrBusy) {
				err = invalid("stt.wait", "watcher", "is in another loop over All")
			} else {
				letOut(err)
				job = fromWatch(told)
				err = about(job.ID, err)
			}
			if !yield(job, err) {
				return
			}
		}
	}
}

// letOut panics where a poll did, because of code of the caller's: it belongs in a
// call of the caller's.
func letOut(err error) {
	if panicked, ok := errors.AsType[*watch.PanicError](err); ok {
		if value, ok := panicked.Take(); ok {
			panic(value) //nolint:forbidigo // the caller's own
		}
	}
}

// waitError is the error of a watch whose ctx ended.
func waitError(ctx context.Context, interrupted *watch.InterruptedError) *WaitError {
	e := &WaitError{JobID: interrupted.JobID, Last: Status(interrupted.Last), Pending: interrupted.Pending, Err: ctxError(ctx)}
	if interrupted.Err != nil {
		e.Err = fmt.Errorf("%w (the last poll: %w)", e.Err, interrupted.Err)
	}
	return e
}

// about names the job in an error that ended the waits for many.
func about(id string, err error) error {
	if errors.Is(err, watch.ErrNoID) {
		return invalid("stt.wait", "job id", "is empty")
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.JobID == id || id == "" {
		return err
	}
	own := *e
	own.JobID = id
	return &own
}

// toWatch copies a job for the engine that waits.
func toWatch(j Job) watch.Job {
	job := watch.Job{
		ID: j.ID, Status: string(j.Status), Progress: j.Progress, DocumentID: j.DocumentID, Language: j.Language,
		Duration: j.Duration, CreatedAt: j.CreatedAt, Failure: j.Failure, Source: string(j.Source), Raw: j.Raw,
	}
	switch {
	case j.Status.Succeeded():
		job.State = watch.Succeeded
	case j.Status.Terminal():
		job.State = watch.Failed
	}
	return job
}

// fromWatch copies a job that the engine hands out.
func fromWatch(j watch.Job) *Job {
	transcript, _ := j.Result.(*Transcript)
	if transcript != nil {
		own := *transcript
		transcript = &own
	}
	return &Job{
		ID: j.ID, Status: Status(j.Status), Progress: j.Progress, DocumentID: j.DocumentID, Language: j.Language,
		Duration: j.Duration, CreatedAt: j.CreatedAt, Failure: j.Failure, Source: Source(j.Source), Raw: j.Raw, Transcript: transcript,
	}
}

// Stats is what a client's waits have come to since [New].
type Stats struct {
	Waiting         int // jobs somebody waits for now
	EndedByCallback int // jobs whose end a callback reported
	EndedByPoll     int // jobs whose end a poll found
	Duplicates      int // callbacks for jobs that had ended, saying the same
	Contradictions  int // callbacks and polls that contradicted an end, which stayed
	Parked          int // authentic callbacks now kept for jobs that are not known yet
	ParkedDropped   int // those that were dropped: over 10,000 or 8 MiB, or older than 72 hours
	PollsSent       int
	PollsWasted     int // of these, those that found the job running, failed, or were cut short because nobody waited any more

	QueueTime  time.Duration // learned: 80th-percentile queue time, without processing; 1 minute until 20 jobs ended
	Ratio      float64       // learned: processing by duration; 0.2 until it is known
	HookHealth float64       // share of ends learned by callback, a moving average over 50; 1 where none are expected
}

// Stats returns the figures of now. It costs no request and is safe for
// concurrent use.
func (c *Client) Stats() Stats { return Stats(c.core.waits.Stats()) }

// WaitState is a job that somebody waits for.
type WaitState struct {
	JobID     string
	Since     time.Time // when it was submitted, or when the wait began if that is not known
	LastAsked time.Time // the last request about it; zero: there was none
	Next      time.Time // the next one, unless something ends the job or another one before
	Reason    string    // what Next waits for: WaitsForEnd, WaitsForBudget or WaitsForService
	Err       error     // why the last request about it failed, or nil
}

// The reasons of a [WaitState].
const (
	WaitsForEnd     = "expected end" // until then the job has probably not ended
	WaitsForBudget  = "window full"  // it is due, and the key's request budget has no room
	WaitsForService = "service down" // three requests in a row brought no answer, so that all pause
)

// Waiting yields the jobs that calls of this client wait for now, those that are
// asked about next first. It costs no request.
func (c *Client) Waiting() iter.Seq[WaitState] {
	return func(yield func(WaitState) bool) {
		for _, w := range c.core.waits.Waiting(c.Budget().NextPoll) {
			if !yield(WaitState(w)) {
				return
			}
		}
	}
}
