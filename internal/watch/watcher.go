package watch

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"
)

// Options hold for each job of a watcher that does not know better.
type Options struct {
	Submitted time.Time
	Duration  time.Duration // of the audio
	Single    bool          // it follows one job, which is urgent when its context has a deadline
	Results   bool          // ends are wanted with their results
	Seed      uint64        // not 0: the scheduler's jitter is repeatable from now on, for tests and simulations
}

// Watcher follows a set of jobs that grows. Add and Remove may be called at any
// time, also within the loop over All; All by one goroutine at a time.
type Watcher struct {
	waits   *Scheduler
	options Options
	wake    chan struct{} // something is ready, or the set changed

	// Guarded by the scheduler's lock.
	subs    []*subscription
	ready   []*subscription
	refused map[*subscription]error // those that ended with an error
	hurry   bool                    // whose ctx has a deadline: its job is polled before others
	used    bool                    // a job was added since the last All ended
	active  bool                    // an All is running: its jobs are polled
}

// NewWatcher returns a watcher of no jobs.
func (s *Scheduler) NewWatcher(o Options) *Watcher {
	if o.Seed != 0 {
		s.mu.Lock()
		s.jitter = rand.New(rand.NewPCG(o.Seed, 0))
		s.mu.Unlock()
	}
	return &Watcher{waits: s, options: o, wake: make(chan struct{}, 1)}
}

// Add adds jobs. Of each only the ID is needed; a Duration and a CreatedAt help
// to tell when it is worth a poll. A job that is followed already stays as it is.
func (w *Watcher) Add(jobs ...Job) {
	w.waits.subscribe(w, jobs)
	w.signal()
}

// Remove stops following jobs; they go on at the service.
func (w *Watcher) Remove(ids ...string) {
	w.waits.unsubscribe(w, ids)
	w.signal()
}

// All yields each change of each job until every job added has ended or was
// removed; while none was added it waits for the first. An error about one job
// comes with its ID and ends the watch of it alone. The last error, with no ID,
// is an [*InterruptedError] when ctx has ended, or [ErrBusy].
func (w *Watcher) All(ctx context.Context) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
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
func (w *Watcher) follow(ctx context.Context, yield func(Job, error) bool) (last []change) {
	if !w.waits.activate(ctx, w) {
		return []change{{err: ErrBusy}}
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
	return w.waits.conclude(w)
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
