package watch

import (
	"math/rand/v2"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// follow schedules a record that somebody waits for.
func (s *Scheduler) follow(r *record) {
	if r.state != due.Running || r.id == "" {
		return
	}
	s.rank(r)
	if r.place != nowhere {
		return
	}
	if !r.is(scheduled) {
		now := s.now()
		r.polls, r.first = 0, 0
		r.mark(passed, false)
		r.mark(fixed, r.is(confirm))
		r.due = now
		if !r.is(confirm) {
			r.due = s.plan(r, now)
		}
		r.mark(scheduled, true)
	}
	s.enqueue(r)
}

// enqueue puts a record that somebody waits for, and that is in no heap, into
// the one of what is due later, from which it ripens.
func (s *Scheduler) enqueue(r *record) {
	if r.place == nowhere && r.state == due.Running && r.is(scheduled) && r.wanted() {
		s.future.push(r)
	}
}

// withdraw takes a record out of its heap.
func (s *Scheduler) withdraw(r *record) {
	switch r.place {
	case inFuture:
		s.future.remove(r)
	case inReady:
		s.ready.remove(r)
	}
}

// move finds the place of a record whose due time was changed.
func (s *Scheduler) move(r *record) {
	r.mark(scheduled, true)
	s.withdraw(r)
	s.enqueue(r)
}

// plan computes when a job is worth its next poll.
func (s *Scheduler) plan(r *record, now time.Duration) time.Duration {
	if r.polls == 0 {
		if room := s.spare(); room.ok {
			gap, _ := due.Early(0, 0, r.duration, rand.Float64())
			r.mark(early, true)
			return r.submitted + max(gap, room.gap)
		}
	}
	r.mark(early, false)
	callbacks := s.callbacks()
	usual := due.Due(s.model.Usual(r.duration), callbacks)
	at := r.submitted + usual
	if end := r.submitted + s.model.Usual(r.duration); callbacks && end < 0 && s.waiting() > crowd {
		// It ended, probably, before this client could hear: the sender comes again.
		if again, ok := due.Resent(end, now); ok {
			at = again + due.Slack
		}
	}
	if r.first == 0 {
		r.first = seconds32(at - r.submitted)
	}
	first := time.Duration(r.first) * time.Second
	latest := r.submitted + due.Latest(first, r.polls > 0)
	if r.polls > 0 {
		at = max(at, r.submitted+first)
	}
	at = min(at, latest)
	if r.is(urgent) {
		return at
	}
	late, known := s.lags(r)
	if known && late {
		return at // whatever polls of others found
	}
	if overruled := s.model.Overruled(r.duration, r.seen > 0); overruled > 0 {
		overruled = due.Due(overruled, callbacks)
		usual = max(usual, overruled)
		at = max(at, r.submitted+overruled)
	}
	if !callbacks {
		at = min(at, latest) // polls are all there is
	}
	if known && at <= now {
		at = min(now+reviewEvery, r.submitted+due.Bound(usual))
	}
	return at
}

// lags reports whether the job is behind those that were submitted with it. Only
// callbacks can tell.
func (s *Scheduler) lags(r *record) (late, known bool) {
	if !s.callbacks() {
		return false, false
	}
	return s.cohorts.Late(r.cohort, s.hooks.Share())
}

// judge says when a record that is due should really be polled.
func (s *Scheduler) judge(r *record, now time.Duration) time.Duration {
	if r.is(fixed | passed) {
		return r.due
	}
	if r.is(early) && s.spare().ok {
		return r.due
	}
	return s.plan(r, now)
}

// review judges every job anew when others have ended: the model may have
// learned that it is due earlier, or later ones may have overtaken it.
func (s *Scheduler) review(now time.Duration) {
	if !s.moved || now-s.reviewed < reviewEvery {
		return
	}
	s.moved, s.reviewed = false, now
	margin, wait := max(s.model.Spread(), due.Slack), time.Duration(0)
	if s.callbacks() {
		wait = due.Grace
	}
	for _, r := range s.future.records {
		if r.is(fixed | early | passed) {
			continue
		}
		at := s.plan(r, now)
		late, known := s.lags(r)
		if s.front.Passed(s.model.Key(r.submitted, r.duration), margin) && (late || !known) {
			r.mark(passed, true)
			at = min(at, now+wait)
		}
		r.due = at
	}
	s.future.init()
}

// crowd is how many waiting jobs are too many to be polled just because there
// is room.
const crowd = 30

// room says whether requests are to spare for polls that are not due.
type room struct {
	ok  bool
	gap time.Duration // between two polls of one job
}

// spare computes the room: jobs few enough to be polled once a minute with half
// of the minute's budget.
// Where callbacks arrive nothing is spent on what they bring for nothing.
func (s *Scheduler) spare() room {
	if s.callbacks() {
		return room{}
	}
	now := s.now()
	if s.roomAt > 0 && now-s.roomAt < roomGoodFor {
		return s.room.among(s.waiting())
	}
	perMinute, ok := s.service.Spare()
	s.roomAt = now
	s.room = room{ok: ok, gap: 2 * time.Minute / time.Duration(perMinute)}
	return s.room.among(s.waiting())
}

func (r room) among(jobs int) room {
	r.gap *= time.Duration(max(jobs-1, 0))
	r.ok = r.ok && r.gap < time.Minute
	return r
}
