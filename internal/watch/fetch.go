package watch

import "time"

// Where a job's followers want its transcript, asking for the result of a job
// that has probably ended asks and fetches in one request. If the result is not
// ready the next question is for the status, which also finds failures and
// unknown ids.

const (
	maxHeld = 64 // results that are kept for followers; more are fetched by them
	maxOdd  = 2  // answers in a row that are neither a result nor "not ready"
)

// fetches reports whether a poll is for the job's result.
func (s *Scheduler) fetches(r *record, now time.Duration) bool {
	if s.holding >= maxHeld || r.askStatus || !s.mayFetch(r) {
		return false
	}
	switch {
	case r.reason != spare, s.free(now) < ample:
		return true // most jobs like it have ended, or a second request is dear
	case s.streak > 1:
		return true // those before it had ended
	case s.streak == 0 && r.seen == 0:
		return false // its age tells little as long as nothing has ended
	}
	return s.likely(r, now)
}

// mayFetch reports whether a job's result may be asked for before its end is
// known.
func (s *Scheduler) mayFetch(r *record) bool {
	return !s.statuses && !s.callbacks() && r.phase == open && r.wantsResult()
}

// resultOdd takes in an answer to a request for a result that says neither that
// the job has ended nor that it still runs. After two in a row the service is
// asked for results no more until it has said that their jobs have ended.
func (s *Scheduler) resultOdd(r *record, err error) {
	s.stats.PollsWasted++
	if s.odd++; s.odd >= maxOdd && !s.statuses {
		s.statuses, s.noResult = true, true
	}
	r.askStatus = true
	s.foundRunning(s.now())
	s.unanswered(s.service.Fault(err))
	s.postpone(r, runs)
}
