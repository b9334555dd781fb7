package watch

import (
	"context"
	"errors"
	"slices"
	"time"
)

// subscribe adds jobs to a watcher.
func (s *Scheduler) subscribe(w *Watcher, jobs []Job) {
	s.mu.Lock()
	defer s.unlock()
	w.used = true
	now := s.now()
	for _, job := range jobs {
		submitted, known := now, false
		if at := firstTime(job.CreatedAt, w.options.Submitted); !at.IsZero() {
			submitted, known = min(max(s.since(at), now-maxJobAge), now), true
		}
		r := s.record(job.ID, submitted)
		if r.followerOf(w) != nil {
			continue
		}
		if known && !r.dated && !r.ended() {
			s.date(r, submitted, max(job.Duration, w.options.Duration))
			if r.reason != fixed {
				r.reason = unscheduled
				s.withdraw(r)
			}
		}
		if r.duration == 0 {
			r.duration = max(job.Duration, w.options.Duration)
		}
		sub := &subscription{watcher: w, index: int32(len(w.subs))} //nolint:gosec // memory ends long before
		r.join(sub)
		w.subs = append(w.subs, sub)
		switch {
		case job.ID == "":
			w.refuse(sub, ErrNoID)
		case r.ended():
			sub.notify()
		case r.wanted():
			s.follow(r)
		}
	}
	s.arm()
}

// maxJobAge caps how long ago a job can claim to have been submitted.
const maxJobAge = 10 * 365 * 24 * time.Hour

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// unsubscribe removes jobs from a watcher.
func (s *Scheduler) unsubscribe(w *Watcher, ids []string) {
	s.mu.Lock()
	defer s.unlock()
	for _, id := range ids {
		if r := s.records[id]; r != nil {
			if sub := r.followerOf(w); sub != nil {
				s.drop(sub)
			}
		}
	}
	s.arm()
}

// rank decides anew whether a record is urgent.
func (s *Scheduler) rank(r *record) {
	hurried := r.hurried()
	if r.urgent == hurried {
		return
	}
	r.urgent = hurried
	switch {
	case r.place == inReady:
		s.ready.fix(r)
	case r.place == inFuture && hurried && r.reason != fixed:
		planned, reason := s.plan(r, s.now())
		r.due, r.reason = min(r.due, planned), reason
		s.future.fix(r)
	}
}

// drop ends a subscription.
func (s *Scheduler) drop(sub *subscription) {
	w, r := sub.watcher, sub.record
	last := len(w.subs) - 1
	w.subs[sub.index] = w.subs[last]
	w.subs[sub.index].index = sub.index
	w.subs[last] = nil
	w.subs = w.subs[:last]
	delete(w.refused, sub)
	r.leave(sub)
	if sub.pending { // it is still in the ready list
		sub.pending = false
		if len(w.ready) > 2*len(w.subs)+16 {
			w.ready = slices.DeleteFunc(w.ready, func(sub *subscription) bool { return sub.record == nil })
		}
	}
	r.trim()
	s.rank(r)
	if !r.wanted() {
		s.withdraw(r)
	}
	if !r.followed() {
		s.retire(r)
	}
}

// activate starts polling for a watcher's jobs; false: another loop has.
func (s *Scheduler) activate(ctx context.Context, w *Watcher) bool {
	s.mu.Lock()
	defer s.unlock()
	if w.active {
		return false
	}
	_, deadline := ctx.Deadline()
	w.active, w.hurry = true, w.options.Single && deadline
	if s.active++; s.active == 1 {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	for _, sub := range w.subs {
		sub.record.recount(sub)
	}
	if ctx.Err() == nil {
		for _, sub := range w.subs {
			s.follow(sub.record)
		}
		s.arm()
	}
	return true
}

// deactivate stops it; when nobody waits any more, everything stops.
func (s *Scheduler) deactivate(w *Watcher) {
	s.mu.Lock()
	defer s.unlock()
	w.active, w.used, w.hurry = false, false, false
	for len(w.subs) > 0 {
		s.drop(w.subs[len(w.subs)-1])
	}
	w.subs, w.ready, w.refused = nil, nil, nil
	if s.active--; s.active > 0 {
		s.arm()
		return
	}
	s.cancel()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

type watchState int

const (
	nothingYet watchState = iota
	haveChange
	allEnded
)

// change is what a watcher hands out: a job, with an error that ended its watch
// or without, or the error alone that ended all.
type change struct {
	job Job
	err error
}

// next returns a watcher's next change.
func (s *Scheduler) next(w *Watcher) (change, watchState) {
	s.mu.Lock()
	defer s.unlock()
	return s.take(w)
}

func (s *Scheduler) take(w *Watcher) (change, watchState) {
	for len(w.ready) > 0 {
		sub := w.ready[0]
		w.ready[0] = nil
		w.ready = w.ready[1:]
		r := sub.record
		if r == nil {
			continue
		}
		r.setPending(sub, false)
		job, err := r.job(), w.refused[sub]
		if _, panicked := errors.AsType[*PanicError](err); r.ended() && !panicked {
			err = nil // a poll was refused, and an end is never lost
		}
		if err != nil || r.ended() {
			s.drop(sub)
		} else {
			r.trim()
		}
		return change{job, err}, haveChange
	}
	w.ready = nil
	if w.used && len(w.subs) == 0 {
		return change{}, allEnded
	}
	return change{}, nothingYet
}

// conclude returns the last changes of a watcher whose ctx has ended: the ends
// that came by then, and unless these were all of its jobs, that the others go
// on.
func (s *Scheduler) conclude(w *Watcher) (last []change) {
	s.mu.Lock()
	defer s.unlock()
	for {
		c, state := s.take(w)
		switch {
		case state == allEnded:
			return last
		case state == nothingYet:
			return append(last, change{err: s.interrupted(w)})
		case c.err != nil || c.job.State != Running:
			last = append(last, c)
		}
	}
}

// interrupted is the error of a watch whose ctx ended.
func (s *Scheduler) interrupted(w *Watcher) error {
	e := new(InterruptedError)
	for _, sub := range w.subs {
		e.Pending = append(e.Pending, sub.record.id)
	}
	slices.Sort(e.Pending)
	if len(e.Pending) > 0 {
		r := s.records[e.Pending[0]]
		e.JobID, e.Last, e.Err = r.id, r.job().Status, r.lastErr()
	}
	return e
}

// fail ends the waits for a record with an error of its polls.
func (s *Scheduler) fail(r *record, err error) {
	s.withdraw(r)
	r.reason = unscheduled
	for sub := range r.followers() {
		if sub.watcher.active {
			sub.watcher.refuse(sub, err)
		}
	}
}

// failAll ends the waits for every record that is to be polled.
func (s *Scheduler) failAll(err error) {
	for _, r := range slices.Concat(s.future.records, s.ready.records) {
		s.fail(r, err)
	}
}

func (w *Watcher) refuse(sub *subscription, err error) {
	if w.refused == nil {
		w.refused = make(map[*subscription]error)
	}
	w.refused[sub] = err
	sub.record.recount(sub)
	sub.notify()
}
