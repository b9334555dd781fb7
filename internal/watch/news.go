package watch

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// What callbacks and polls tell, and what becomes of it in a record.

// Callback feeds what a verified callback says of a job's end, and when that
// was, into the job's record. Of a job that failed the state alone counts: a
// status request brings the rest.
func (s *Scheduler) Callback(job Job, ended time.Time) {
	s.mu.Lock()
	defer s.unlock()
	s.expected = true
	if r, known := s.records[job.ID]; known {
		s.hear(r, job, ended)
		s.arm()
	} else {
		s.park(job, ended)
	}
}

func (s *Scheduler) hear(r *record, job Job, ended time.Time) {
	if r.is(confirm) && job.State == due.Failed {
		s.stats.Duplicates++
		return
	}
	verdict := due.Judge(r.state, job.State, true)
	if r.is(confirm) && verdict == due.End {
		s.stats.Contradictions++
	}
	switch verdict {
	case due.End:
		r.mark(heard, true)
		s.end(r, job, s.endOf(r, ended), byCallback)
	case due.Confirm:
		r.mark(confirm|heard|fixed, true)
		r.asked, r.due = 0, s.now()
		s.move(r)
	case due.Duplicate, due.Contradiction:
		if !r.is(heard) {
			r.mark(heard, true)
			s.hooks.Ended(true) // it arrived after all, only later than the poll
		}
		if verdict == due.Contradiction {
			s.stats.Contradictions++
		} else {
			s.stats.Duplicates++
		}
	}
}

// endOf is when the job ended: a callback that is tried again comes later, but
// names the time.
func (s *Scheduler) endOf(r *record, ended time.Time) time.Duration {
	now := s.now()
	if at := s.since(ended); at > r.submitted && at < now {
		return at
	}
	return now
}

// Refused takes note that our answer to a callback of a job's end was a 503: the
// sender comes again, and until it has, a poll would only spend a request.
func (s *Scheduler) Refused(jobID string) {
	s.mu.Lock()
	defer s.unlock()
	r, known := s.records[jobID]
	if !known || r.state != due.Running || r.is(confirm) {
		return
	}
	s.expected = true
	now := s.now()
	sent := [...]time.Duration{0, time.Minute, 6 * time.Minute, 21 * time.Minute}
	at, comes := due.Resent(now-sent[min(int(r.asked), 3)], now)
	r.asked = min(r.asked+1, 3)
	if comes {
		at += due.Slack
	} else {
		at = now
	}
	r.due = at
	r.mark(fixed|scheduled, true)
	s.move(r)
	s.arm()
}

// told feeds the answer of a poll into its record.
func (s *Scheduler) told(r *record, job Job) {
	now := s.now()
	switch due.Judge(r.state, job.State, false) {
	case due.Nothing:
		s.stats.PollsWasted++
	case due.Progress:
		s.stats.PollsWasted++
		if !r.is(early | fixed | urgent) {
			s.model.Running(r.id, now-r.submitted, r.duration)
		}
		r.seen = seconds32(now - r.submitted)
		s.merge(r, job)
	case due.End:
		if r.is(confirm) && job.State == due.Succeeded {
			s.stats.Contradictions++
		}
		s.end(r, job, now, byPoll)
	case due.Contradiction:
		s.stats.Contradictions++
	}
}

// origin is from what an end was learned.
type origin uint8

const (
	bySubmit origin = iota
	byPoll
	byCallback
)

// end gives a record its end, which stays, and lets the model learn from it.
func (s *Scheduler) end(r *record, job Job, at time.Duration, from origin) {
	s.merge(r, job)
	r.more.err = nil
	s.withdraw(r)
	callback := r.is(heard)
	switch {
	case callback:
		s.stats.EndedByCallback++
	case from == byPoll:
		s.stats.EndedByPoll++
	}
	if s.expected && from != bySubmit {
		s.hooks.Ended(callback)
		s.checkHooks()
	}
	if r.is(dated) && from != bySubmit {
		switch age := at - r.submitted; {
		case callback:
			s.model.Ended(age, r.duration)
		default:
			s.model.Found(age, time.Duration(r.seen)*time.Second, r.duration)
		}
		s.front.Ended(s.model.Key(r.submitted, r.duration))
		s.cohorts.End(r.cohort)
		s.moved = true
	}
	if r.subs == nil {
		s.retire(r)
	}
}
