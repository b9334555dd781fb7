package watch

import (
	"context"
	"math/rand/v2"
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
	r = s.choose(asking, err)
	if turn != nil {
		defer turn.GiveBack() // if it was not used
	}
	if r == nil {
		return
	}
	at = atService
	job, err := turn.Poll(ctx, r.id)
	at = over
	s.polled(ctx, r, job, err)
}

// choose takes out the record that is to be polled; nil: none.
func (s *Scheduler) choose(asking context.Context, err error) *record {
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
		return nil
	}
	now := s.now()
	s.ripen(now)
	for s.active > 0 && s.ready.Len() > 0 {
		r := s.ready.top()
		s.ready.remove(r)
		if at, why := s.judge(r, now); at > now {
			r.due, r.reason = at, why
			s.future.push(r)
			continue
		}
		r.place = polling
		s.stats.PollsSent++
		return r
	}
	s.polls--
	return nil
}

// polled takes in what a poll brought. A failed one is repeated when it is due
// next: the scheduler is the retry.
func (s *Scheduler) polled(ctx context.Context, r *record, job Job, err error) {
	s.mu.Lock()
	defer s.unlock()
	defer s.arm()
	s.polls--
	r.place = nowhere
	if err != nil && ctx.Err() != nil {
		// Nobody waited any more, which says nothing about the service.
		s.stats.PollsWasted++
		s.postpone(r, cutShort)
		return
	}
	r.keepErr(err)
	if err == nil {
		s.failures, s.resume, r.notFound = 0, 0, 0
		s.poll(r, job)
		s.postpone(r, runs)
		r.trim()
		return
	}
	s.stats.PollsWasted++
	s.pollFailed(r, err)
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
		return min(due.Again(int(r.polls-1)), due.Gap(age, rand.Float64())), fixed
	}
	room := s.spare()
	if gap, ok := due.Early(int(r.polls), age, r.duration, rand.Float64()); ok && room.ok {
		return max(gap, room.gap), spare
	}
	return due.Gap(age, rand.Float64()), estimated
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
