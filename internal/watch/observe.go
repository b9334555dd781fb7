package watch

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// Callback takes in what a verified callback reports: how a job ended, and when.
// Of a failed job only the state counts, because a status request brings the
// rest.
func (s *Scheduler) Callback(job Job, ended time.Time) {
	s.mu.Lock()
	defer s.unlock()
	s.expected = true
	if r, known := s.records[job.ID]; known {
		s.callback(r, job, ended)
		s.arm()
	} else {
		s.park(job, ended)
	}
}

func (s *Scheduler) callback(r *record, job Job, ended time.Time) {
	if r.phase == confirming && job.State == Failed {
		s.stats.Duplicates++
		return
	}
	verdict := due.Judge(r.state(), job.State, true)
	if r.phase == confirming && verdict == due.End {
		s.stats.Contradictions++
	}
	switch verdict {
	case due.End:
		r.calledBack = true
		s.end(r, job, s.endOf(r, ended), byCallback)
	case due.Confirm:
		r.calledBack, r.phase = true, confirming
		r.asked = 0
		s.moveTo(r, s.now())
	case due.Duplicate, due.Contradiction:
		if !r.calledBack {
			r.calledBack = true
			s.health.Ended(true) // it arrived after all, only later than the poll
		}
		if verdict == due.Contradiction {
			s.stats.Contradictions++
		} else {
			s.stats.Duplicates++
		}
	}
}

// endOf is when the job ended. A callback that is repeated comes later, but
// names the time.
func (s *Scheduler) endOf(r *record, ended time.Time) time.Duration {
	now := s.now()
	if at := s.since(ended); at > r.submitted && at < now {
		return at
	}
	return now
}

// Refused takes in that the callback of a job's end was answered with a 503: the
// sender repeats it, and until then a poll would only spend a request.
func (s *Scheduler) Refused(jobID string) {
	s.mu.Lock()
	defer s.unlock()
	r, known := s.records[jobID]
	if !known || r.phase != open {
		return
	}
	s.expected = true
	now := s.now()
	sent := [...]time.Duration{0, time.Minute, 6 * time.Minute, 21 * time.Minute}
	repeated, comes := due.Resent(now-sent[min(int(r.asked), 3)], now)
	r.asked = min(r.asked+1, 3)
	if !comes {
		repeated = now - due.Slack
	}
	s.moveTo(r, repeated+due.Slack)
	s.arm()
}

// poll takes in the answer of a poll.
func (s *Scheduler) poll(r *record, job Job) {
	now := s.now()
	switch due.Judge(r.state(), job.State, false) {
	case due.Nothing:
		s.stats.PollsWasted++
	case due.Progress:
		s.stats.PollsWasted++
		r.seen = now - r.submitted
		s.foundRunning(now)
		if job.ID != "" { // a result that is not ready says no more
			s.merge(r, job)
		}
		if s.callbacks() && !s.model.Known() {
			// One job at a time tells as much of the service's queue as all of them do.
			s.resume = now + learnEvery
		}
	case due.End:
		if r.phase == confirming && job.State == Succeeded {
			s.stats.Contradictions++
		}
		s.end(r, job, now, byPoll)
	case due.Contradiction:
		s.stats.Contradictions++
	}
}

// origin is how an end was learned.
type origin uint8

const (
	bySubmit origin = iota
	byPoll
	byCallback
	elsewhere
)

// end gives a record its end, which stays, and lets the model learn from it.
func (s *Scheduler) end(r *record, job Job, at time.Duration, from origin) {
	s.merge(r, job)
	r.keepErr(nil)
	s.withdraw(r)
	switch {
	case r.calledBack:
		s.stats.EndedByCallback++
	case from == byPoll:
		s.stats.EndedByPoll++
	}
	if s.expected && from != bySubmit {
		s.health.Ended(r.calledBack)
		s.checkHealth()
	}
	if r.dated && from != bySubmit {
		age := at - r.submitted
		if r.calledBack {
			s.model.Ended(age, r.duration)
		} else {
			s.model.Found(age, r.seen, r.duration)
		}
		s.frontier.Ended(s.model.Key(r.submitted, r.duration))
		s.cohorts.End(r.cohort)
		s.odds.Ended(age, r.duration)
		s.moved = true
		s.foundEnd(s.now())
	}
	s.reportEnd(r, job, at)
	if !r.followed() {
		s.retire(r)
	}
}

// reportEnd keeps what the service is told of an end once the lock is released.
func (s *Scheduler) reportEnd(r *record, job Job, at time.Duration) {
	end := End{JobID: r.id, CalledBack: r.calledBack, Succeeded: job.State == Succeeded}
	if r.dated {
		end.Submitted = s.start.Add(r.submitted)
	}
	switch {
	case r.calledBack:
		end.Late = s.now() - at
	case r.seen > 0:
		end.Late = at - (r.submitted + r.seen)
	default:
		end.Late = at - r.submitted
	}
	s.ends = append(s.ends, end)
}

// checkHealth notices when callbacks stop arriving, and when they do again.
func (s *Scheduler) checkHealth() {
	arrive := s.health.Arrive()
	s.warn = s.warn || !arrive && !s.warned
	s.warned = !arrive
}
