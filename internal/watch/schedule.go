package watch

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// follow schedules a record that somebody waits for.
func (s *Scheduler) follow(r *record) {
	if r.ended() || r.id == "" {
		return
	}
	s.rank(r)
	if r.place != nowhere {
		return
	}
	if r.reason == unscheduled {
		now := s.now()
		r.polls, r.firstDue, r.overtaken = 0, 0, false
		if r.phase == confirming {
			r.due, r.reason = now, fixed
		} else {
			r.due, r.reason = s.plan(r, now)
		}
	}
	s.enqueue(r)
}

// enqueue puts a record that somebody waits for, and that is in no heap, into
// the heap of what is due later, from which it ripens.
func (s *Scheduler) enqueue(r *record) {
	if r.place == nowhere && !r.ended() && r.reason != unscheduled && r.wanted() {
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

// moveTo gives a record a due time that the model does not change.
func (s *Scheduler) moveTo(r *record, at time.Duration) {
	r.due, r.reason = at, fixed
	s.withdraw(r)
	s.enqueue(r)
}

// plan computes when a job is worth its next poll, and why then.
func (s *Scheduler) plan(r *record, now time.Duration) (at time.Duration, why reason) {
	p := prospect{
		now: now, submitted: r.submitted, firstDue: time.Duration(r.firstDue) * time.Second,
		expected: s.model.Expect(r.duration), polled: r.polls > 0, urgent: r.urgent,
		callbacks: s.callbacks(), crowded: s.waiting() > crowded,
	}
	if p.callbacks {
		p.late, p.peers = s.cohorts.Late(r.cohort, s.health.Share())
	}
	at, p.firstDue = plan(p)
	if r.firstDue == 0 {
		r.firstDue = seconds32(p.firstDue)
	}
	if r.polls == 0 && s.mayFetch(r) {
		at += due.Dear
	}
	if !s.few() {
		return at, estimated
	}
	worth := s.worth(r)
	if s.free(now) > 0 {
		return worth, spare
	}
	if r.polls > 0 {
		at = max(at, worth) // no more often than with requests to spare
	}
	if at <= now {
		return at, estimated
	}
	return min(at, now+max(due.MinAsk, (now-r.submitted)/10)), estimated // the windows move
}

// crowded is how many waiting jobs are too many to poll each at once after a
// restart.
const crowded = 30

// prospect is what the time of a job's next poll follows from.
type prospect struct {
	now, submitted time.Duration
	firstDue       time.Duration // the age at which the poll was first due; 0: it was not
	expected       time.Duration // the 80th percentile of job age at completion
	polled         bool          // a poll has found it running
	urgent         bool          // a caller with a deadline waits for it
	callbacks      bool          // they arrive
	crowded        bool          // many jobs wait
	peers, late    bool          // there are enough peers to compare it with; nearly all of them have ended
}

// plan is when a job is worth its next poll, and the age at which that poll was
// first due.
func plan(p prospect) (at, firstDue time.Duration) {
	at = expectedEnd(p)
	if firstDue = p.firstDue; firstDue == 0 {
		firstDue = max(at-p.submitted, time.Second)
	}
	at = withinBounds(p, at, firstDue)
	return afterPeers(p, at), firstDue
}

// expectedEnd is when the job should have ended and, while callbacks arrive, its
// callback should have come.
func expectedEnd(p prospect) time.Duration {
	if end := p.submitted + p.expected; p.callbacks && p.crowded && end < 0 {
		// It has probably ended before this client could receive the callback, which the sender repeats.
		if repeated, ok := due.Resent(end, p.now); ok {
			return repeated + due.Slack
		}
	}
	return p.submitted + due.Due(p.expected, p.callbacks)
}

// withinBounds keeps the gap after a poll, and lets a growing estimate postpone
// the next one only so far.
func withinBounds(p prospect, at, firstDue time.Duration) time.Duration {
	if p.polled {
		at = max(at, p.submitted+firstDue)
	}
	return min(at, p.submitted+due.Latest(firstDue, p.polled))
}

// afterPeers postpones a due poll while the job's peers run as well, because the
// job is then not late, however long it takes.
func afterPeers(p prospect, at time.Duration) time.Duration {
	if p.urgent || !p.peers || p.late || at > p.now {
		return at
	}
	return min(p.now+reviewEvery, p.submitted+due.Bound(due.Due(p.expected, p.callbacks)))
}

// judge says when a record that is due should really be polled, and why then.
func (s *Scheduler) judge(r *record, now time.Duration) (at time.Duration, why reason) {
	if r.reason == fixed || r.overtaken {
		return r.due, r.reason
	}
	return s.plan(r, now)
}

// review plans every job anew when others have ended: the model may have learned
// that it is due earlier, or the service may have overtaken it.
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
		if r.reason == fixed || r.overtaken {
			continue
		}
		r.due, r.reason = s.plan(r, now)
		if s.frontier.Overtook(s.model.Key(r.submitted, r.duration), margin) && !s.peersRun(r) && r.reason != spare {
			r.overtaken = true
			r.due = min(r.due, now+wait)
		}
	}
	s.future.init()
}

// peersRun reports whether the jobs that were submitted with this one run too.
// Only callbacks can tell.
func (s *Scheduler) peersRun(r *record) bool {
	if !s.callbacks() {
		return false
	}
	late, known := s.cohorts.Late(r.cohort, s.health.Share())
	return known && !late
}
