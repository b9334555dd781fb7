package watch

import (
	"context"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// work makes one poll. Which job it is for is decided when the budget has room
// for it, so that the most urgent goes first, and no poll is made for a job that
// has ended while its poll waited.
func (s *Scheduler) work(asking, ctx context.Context) {
	var r *record
	at := inBudget
	defer s.attend(&at, &r)
	turn, err := s.service.Turn(asking)
	at = over
	var fetch bool
	r, fetch = s.choose(asking, err)
	if turn != nil {
		defer turn.GiveBack() // if it was not used
	}
	if r == nil {
		return
	}
	at = atService
	var got reply
	if fetch {
		got.job, got.answer, got.err = turn.Fetch(ctx, r.id)
	} else {
		got.job, got.err = turn.Poll(ctx, r.id)
	}
	at = over
	s.polled(ctx, r, got)
}

// reply is what a poll brought.
type reply struct {
	job    Job
	answer Answer // where the result was asked for
	err    error
}

// choose takes out the record that is to be polled, nil for none, and says
// whether the poll is for its result.
func (s *Scheduler) choose(asking context.Context, err error) (r *record, fetch bool) {
	s.mu.Lock()
	defer s.unlock()
	cancelled := asking.Err() != nil // because what it asked for had ended
	s.asking()                       // releases its context
	s.asking = nil
	defer s.arm()
	if err != nil {
		s.polls--
		if !cancelled {
			s.unanswered(s.service.Fault(err))
		}
		return nil, false
	}
	now := s.now()
	s.ripen(now)
	for s.active > 0 && s.ready.Len() > 0 {
		r := s.turn()
		s.ready.remove(r)
		if at, why := s.judge(r, now); at > now {
			r.due, r.reason = at, why
			s.future.push(r)
			continue
		}
		r.place, r.askedAt = polling, max(now, 1)
		s.stats.PollsSent++
		return r, s.fetches(r, now)
	}
	s.polls--
	return nil, false
}

// turn is the record that is due for the next poll: the most urgent one, but
// every tenth time, while callers with deadlines have all the others, the most
// urgent of those that nobody waits for with a deadline.
func (s *Scheduler) turn() *record {
	first := s.ready.top()
	if !first.urgent {
		s.urgentTurns = 0
		return first
	}
	if s.urgentTurns++; s.urgentTurns < fairShare {
		return first
	}
	s.urgentTurns = 0
	for i, r := range s.ready.records {
		if !r.urgent && (first.urgent || s.ready.Less(i, int(first.index))) {
			first = r
		}
	}
	return first
}

// polled takes in what a poll brought. A failed one is repeated when it is due
// next: the scheduler is the retry.
func (s *Scheduler) polled(ctx context.Context, r *record, got reply) {
	s.mu.Lock()
	defer s.unlock()
	defer s.arm()
	s.polls--
	s.roomAt = 0 // a request was spent
	r.place = nowhere
	if got.err != nil && ctx.Err() != nil {
		// Nobody waited any more, which says nothing about the service.
		s.stats.PollsWasted++
		s.postpone(r, cutShort)
		return
	}
	r.keepErr(got.err)
	switch {
	case got.answer == Odd:
		s.resultOdd(r, got.err)
	case got.err != nil:
		s.stats.PollsWasted++
		r.askStatus = true // whatever the failure has to do with asking for the result
		s.foundRunning(s.now())
		s.pollFailed(r, got.err)
	default:
		s.failures, s.resume = 0, 0
		s.answered(r, got)
		r.trim()
	}
}

// answered takes in an answer that says how the job is.
func (s *Scheduler) answered(r *record, got reply) {
	result := got.job.Result
	got.job.Result = nil
	r.askStatus = got.answer == NotReady || got.answer == Unconfirmed
	if got.answer == NoAnswer {
		r.notFound = 0
	} else {
		s.odd = 0
	}
	switch {
	case got.answer == Unconfirmed && !r.ended():
		s.hold(r, result)
		s.moveTo(r, s.now())
		return
	case got.answer == Ended && !r.ended():
		s.hold(r, result)
	case got.job.State != Succeeded:
		s.release(r) // what a status request did not confirm
	}
	s.poll(r, got.job)
	s.postpone(r, runs)
	s.checkEstimate(r)
}

// pollFailed decides what a failed poll means for its job, and for all.
func (s *Scheduler) pollFailed(r *record, err error) {
	fault := s.service.Fault(err)
	switch fault.Kind {
	case NotFound, NotAllowed, KeyRefused:
		s.failures, s.resume = 0, 0 // it is an answer
	case Unanswered:
		s.unanswered(fault)
	case NotSent:
	}
	if fault.Kind == NotFound {
		r.notFound++
	} else {
		r.notFound = 0
	}
	switch {
	case fault.Kind == KeyRefused:
		// Every other poll would be refused as well.
		s.fail(r, err)
		s.failAll(err)
	case fault.Kind == NotAllowed, fault.Kind == NotSent, r.notFound >= 3:
		r.notFound = 0
		s.fail(r, err)
	case fault.Kind == NotFound:
		s.postpone(r, unknown)
	default:
		s.postpone(r, runs)
	}
}

// outcome is what came of a poll that did not find an end.
type outcome uint8

const (
	runs     outcome = iota // it was found running, or nothing was learned
	unknown                 // the service does not know it
	cutShort                // nobody waited any more
)

// notFoundGaps are to the next poll after so many 404s in a row: a gateway that
// is being deployed does not know a job either.
var notFoundGaps = [...]time.Duration{0, 10 * time.Second, 50 * time.Second}

// postpone schedules the next poll of a job that still runs.
func (s *Scheduler) postpone(r *record, o outcome) {
	if r.ended() {
		return
	}
	now := s.now()
	r.polls = increment(r.polls)
	gap, why := s.nextPoll(r, o, now-r.submitted)
	if r.phase == confirming {
		r.asked = increment(r.asked)
	}
	r.due, r.reason = now+gap, why
	r.firstDue = seconds32(r.due - r.submitted)
	if why == estimated && !r.overtaken && s.few() {
		r.due, r.reason = s.plan(r, now)
	}
	s.enqueue(r)
}

// nextPoll is the time from a poll to the next one of a job of an age, and why
// then.
func (s *Scheduler) nextPoll(r *record, o outcome, age time.Duration) (gap time.Duration, why reason) {
	switch {
	case r.phase == confirming:
		return max(due.Again(int(r.asked)), notFoundGaps[min(r.notFound, 2)]), fixed
	case o == unknown:
		return notFoundGaps[min(r.notFound, 2)], fixed
	case o == cutShort:
		// Were the job due at once, waits shorter than an answer takes would spend the budget for nothing.
		return min(due.Again(int(r.polls-1)), due.Gap(age, s.jitter.Float64())), fixed
	}
	return due.Gap(age, s.jitter.Float64()), estimated
}

// checkEstimate notices, once for each job, that a poll found it running though
// it was expected to have ended.
func (s *Scheduler) checkEstimate(r *record) {
	expected := s.model.Expect(r.duration)
	if r.phase != open || r.outlasted || r.seen <= expected {
		return
	}
	r.outlasted = true
	s.outlived = append(s.outlived, Outlasted{JobID: r.id, Age: r.seen, Expected: expected, Next: r.due - s.now()})
}

// increment counts up to 255.
func increment(n uint8) uint8 { return n + min(1, 255-n) }

// unanswered counts polls to which no answer came. While the service is down one
// poll a minute finds out when it is back, however many jobs are due.
func (s *Scheduler) unanswered(fault Fault) {
	s.failures++
	if s.failures < patience {
		return
	}
	pause := min(time.Second<<min(s.failures-patience, 10), longestPause)
	s.resume = s.now() + max(pause, min(fault.RetryAfter, maxStop))
}
