package scriptix

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// What callbacks and polls tell, and what becomes of it in a record.

// stateOf is a status in the rules' terms.
func stateOf(s Status) due.State {
	switch {
	case s.Succeeded():
		return due.Succeeded
	case s.Terminal():
		return due.Failed
	}
	return due.Running
}

// event feeds a verified callback into the record of its job.
func (s *scheduler) event(e webhook.Event) {
	if told, ok := toldBy(e); ok {
		s.mu.Lock()
		defer s.unlock()
		s.expected = true
		if r, known := s.records[e.Data.ID]; known {
			s.hear(r, e, told)
			s.arm()
		} else {
			s.park(e, told)
		}
	}
}

// toldBy returns the end that an event tells of; false for other events.
func toldBy(e webhook.Event) (due.State, bool) {
	switch {
	case e.Data.ID == "":
		return due.Running, false
	case e.Type == webhook.TranscriptionFailed,
		e.Type == webhook.TranscriptionCompleted && stateOf(Status(e.Data.Status)) == due.Failed:
		return due.Failed, true
	}
	return due.Succeeded, e.Type == webhook.TranscriptionCompleted
}

func (s *scheduler) hear(r *record, e webhook.Event, told due.State) {
	if r.is(confirm) && told == due.Failed {
		s.stats.Duplicates++
		return
	}
	verdict := due.Judge(r.state, told, true)
	if r.is(confirm) && verdict == due.End {
		s.stats.Contradictions++
	}
	switch verdict {
	case due.End:
		r.mark(heard, true)
		s.end(r, eventJob(e), s.endOf(r, e))
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

func eventJob(e webhook.Event) Job {
	job := Job{
		ID: e.Data.ID, Status: Status(e.Data.Status), Progress: 100, DocumentID: e.Data.DocumentID,
		Language: e.Data.Language, Duration: e.Data.Duration, Source: SourceWebhook, Raw: e.Raw,
	}
	if !job.Status.Succeeded() {
		job.Status = StatusCompleted
	}
	return job
}

// endOf is when the job ended: a callback that is tried again comes later, but
// names the time.
func (s *scheduler) endOf(r *record, e webhook.Event) time.Duration {
	now := s.now()
	if at := s.since(e.Timestamp); at > r.submitted && at < now {
		return at
	}
	return now
}

// refused takes note that our answer to a callback was a 503: the sender comes
// again, and until it has, a poll would only spend a request.
func (s *scheduler) refused(e webhook.Event) {
	s.mu.Lock()
	defer s.unlock()
	r, known := s.records[e.Data.ID]
	if _, ok := toldBy(e); !ok || !known || r.state != due.Running || r.is(confirm) {
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
func (s *scheduler) told(r *record, job Job) {
	now := s.now()
	switch due.Judge(r.state, stateOf(job.Status), false) {
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
		if r.is(confirm) && job.Status.Succeeded() {
			s.stats.Contradictions++
		}
		s.end(r, job, now)
	case due.Contradiction:
		s.stats.Contradictions++
	}
}

// end gives a record its end, which stays, and lets the model learn from it.
func (s *scheduler) end(r *record, job Job, at time.Duration) {
	s.merge(r, job)
	r.more.err = nil
	s.withdraw(r)
	callback := r.is(heard)
	switch {
	case callback:
		s.stats.EndedByCallback++
	case job.Source == SourcePoll:
		s.stats.EndedByPoll++
	}
	if s.expected && job.Source != SourceSubmit {
		s.hooks.Ended(callback)
		s.checkHooks()
	}
	if r.is(dated) && job.Source != SourceSubmit {
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
