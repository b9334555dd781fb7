package scriptix

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// WaitOption tells what a wait should know of its jobs.
type WaitOption func(*waitOptions) error

type waitOptions struct {
	submitted time.Time
	duration  time.Duration
}

// SubmittedAt says when the job was submitted, if that was not done by this
// client: otherwise it counts as submitted now, and is polled later than it
// should be.
func SubmittedAt(t time.Time) WaitOption {
	return func(o *waitOptions) error {
		o.submitted = t
		return nil
	}
}

// ExpectDuration says how long the audio is, from which follows when the job is
// likely to end.
func ExpectDuration(d time.Duration) WaitOption {
	return func(o *waitOptions) error {
		if d < 0 {
			return fmt.Errorf("expected duration %v is negative", d)
		}
		o.duration = d
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
	w := s.NewWatcher(opts...)
	w.single = true
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
	w := &Watcher{wake: make(chan struct{}, 1)}
	if w.err = s.made("stt.wait"); w.err != nil {
		return w
	}
	w.waits = s.core.waits
	for i, opt := range opts {
		if opt == nil {
			w.err = invalid("stt.wait", "options", fmt.Sprintf("option %d is nil", i))
		} else if err := opt(&w.options); err != nil {
			w.err = invalid("stt.wait", "options", err.Error())
		}
	}
	return w
}

// Watcher follows a set of jobs that grows. Add and Remove may be called at any
// time, also within the loop over All; All by one goroutine at a time.
type Watcher struct {
	waits   *scheduler
	options waitOptions
	err     error         // of the options: it follows nothing
	wake    chan struct{} // something is ready, or the set changed

	// Guarded by the scheduler's lock.
	subs    []*subscription
	ready   []*subscription
	refused map[*subscription]error // those that ended with an error
	single  bool                    // the watcher of a Wait
	hurry   bool                    // whose ctx has a deadline: its job is polled before others
	used    bool                    // a job was added since the last All ended
	active  bool                    // an All is running: its jobs are polled
}

// Add adds jobs. Of each only the ID is needed; a Duration and a CreatedAt help
// to tell when it is worth a poll. A job that is followed already stays as it is.
func (w *Watcher) Add(jobs ...Job) {
	if w.err == nil {
		w.waits.subscribe(w, jobs)
		w.signal()
	}
}

// Remove stops following jobs; they go on at the service.
func (w *Watcher) Remove(ids ...string) {
	if w.err == nil {
		w.waits.unsubscribe(w, ids)
		w.signal()
	}
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
		// Polls have stopped by the time that the last changes are handed out.
		for _, c := range w.follow(ctx, yield) {
			if !yield(c.job, c.err) {
				return
			}
		}
	}
}

// follow yields changes until all jobs have ended, ctx ends or the loop is left.
// It returns what is to be said at the end.
func (w *Watcher) follow(ctx context.Context, yield func(*Job, error) bool) (last []change) {
	if !w.waits.activate(ctx, w) {
		return []change{{err: invalid("stt.wait", "watcher", "is in another loop over All")}}
	}
	defer w.waits.deactivate(w)
	for ctx.Err() == nil {
		c, state := w.waits.next(w)
		switch state {
		case haveChange:
			if !yield(c.job, c.err) {
				return nil
			}
			continue
		case allEnded:
			return nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
	}
	return w.waits.conclude(ctx, w)
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
