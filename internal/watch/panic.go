package watch

import "sync/atomic"

// PanicError ends the wait for a job whose poll panicked, which only code of the
// caller's does: a RoundTripper or a budget.
type PanicError struct{ value atomic.Pointer[any] }

func (e *PanicError) Error() string { return "the poll panicked" }

// Take returns what was panicked with, to the first who asks: it is to come out of
// one call.
func (e *PanicError) Take() (value any, ok bool) {
	taken := e.value.Swap(nil)
	if taken == nil {
		return nil, false
	}
	return *taken, true
}

// stage is how far a poll is.
type stage int

const (
	inBudget  stage = iota // asks for room
	atService              // asks about a job that was chosen
	over                   // is counted no more
)

// attend keeps a panic of the caller's code from ending the process, because polls
// run on goroutines of the scheduler's. It ends the wait for the job whose poll it
// was, or of the most urgent one if none was chosen yet.
func (s *Scheduler) attend(at *stage, polled **record) {
	value := recover()
	if value == nil {
		return
	}
	s.mu.Lock()
	defer s.unlock()
	defer s.arm()
	r := *polled
	switch *at {
	case inBudget:
		s.asking()
		s.asking = nil
		s.polls--
	case atService:
		s.polls--
		r.place = nowhere
	case over:
	}
	if r == nil && s.ready.Len() > 0 {
		r = s.ready.top()
	}
	if r == nil {
		return // nobody waits any more
	}
	err := new(PanicError)
	err.value.Store(&value)
	s.fail(r, err)
}
