package watch

import (
	"cmp"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// Waiting is a job that somebody waits for.
type Waiting struct {
	JobID     string
	Since     time.Time // it was submitted; when it first became known here, if that is not known
	LastAsked time.Time // zero: never
	Next      time.Time // when it is asked about at the earliest
	Reason    string    // what Next waits for
	Err       error     // of the last poll
}

// The reasons, as the public struct has them.
const (
	forEnd     = "expected end"
	forBudget  = "window full"
	forService = "service down"
)

// Waiting lists the jobs that somebody waits for, those that are asked about next
// first. A poll that was asked of the budget now could be sent at room (zero: not
// known).
func (s *Scheduler) Waiting(room time.Time) []Waiting {
	s.mu.Lock()
	defer s.unlock()
	now := s.now()
	var list []Waiting
	for _, r := range s.records {
		if r.ended() || !r.wanted() {
			continue
		}
		next := r.due
		if r.reason == spare && r.place != polling {
			next = max(next, s.pace)
		}
		w := Waiting{JobID: r.id, Since: s.start.Add(r.submitted), Reason: forEnd, Err: r.lastErr()}
		if r.askedAt > 0 {
			w.LastAsked = s.start.Add(r.askedAt)
		}
		w.Next = s.start.Add(max(next, s.resume, now))
		switch {
		case s.failures >= patience && s.resume > now:
			w.Reason = forService
		case r.place == inReady && s.asking != nil && room.After(w.Next):
			w.Reason, w.Next = forBudget, room
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Waiting) int {
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.JobID, b.JobID))
	})
	return list
}

// Observe takes in an end that was learned elsewhere, by a callback or not, at a
// time (zero: now). Of a job that nobody has asked for nothing is kept.
func (s *Scheduler) Observe(job Job, ended time.Time, callback bool) {
	if job.State == Running {
		return
	}
	s.mu.Lock()
	defer s.unlock()
	s.expected = s.expected || callback
	r, known := s.records[job.ID]
	if !known || r.ended() {
		return
	}
	r.calledBack = r.calledBack || callback
	s.end(r, job, s.endOf(r, ended), elsewhere)
	s.arm()
}

// Took is how long a job took from its submission to its end, and how long its
// audio is (0: unknown).
type Took struct{ Took, Duration time.Duration }

// Learn teaches the estimates ends of earlier jobs, the oldest first.
func (s *Scheduler) Learn(ends []Took) {
	s.mu.Lock()
	defer s.unlock()
	for _, end := range ends[max(len(ends)-due.Remembered, 0):] {
		s.model.Ended(end.Took, end.Duration)
		s.odds.Ended(end.Took, end.Duration)
	}
	s.moved = s.moved || len(ends) > 0
	s.arm()
}
