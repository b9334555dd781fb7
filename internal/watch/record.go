package watch

import (
	"math"
	"strings"
	"time"
	"unique"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// record is what is known of one job. There may be 100,000 of them, so a record
// holds a Job only from its end on, or while a follower has not seen a change
// yet. Times count from the scheduler's start.
type record struct {
	id        string
	submitted time.Duration
	due       time.Duration // of the next poll
	askedAt   time.Duration // of the last poll; 0: none
	seen      time.Duration // the age at which a poll last found it running
	duration  time.Duration // of the audio; 0: unknown
	created   int64         // Unix nanoseconds, as the service said; 0: it did not
	follower  *subscription // the first; others are in details
	details   *details
	status    text
	language  text

	firstDue int32      // seconds from submitted at which the next poll was first due; 0: not planned yet
	index    int32      // in its heap
	cohort   due.Member // among the jobs that were submitted with it

	progress uint8
	polls    uint8 // since it was scheduled, at most 255
	asked    uint8 // requests to confirm a callback, or 503s to its callbacks
	notFound uint8 // 404s in a row

	phase  phase
	place  place
	reason reason
	list   list

	dated      bool // its submission is known, not guessed
	urgent     bool // a caller with a deadline waits for it
	overtaken  bool // the service has finished later jobs
	calledBack bool // a callback has reported its end
	outlasted  bool // it was logged that it takes longer than expected
	askStatus  bool // the next question is for the status, because the result was not ready
}

// details are what few records have.
type details struct {
	job    Job    // the end, or a change that a follower has not seen yet; without an ID: none
	err    error  // of the last poll
	crowd  *crowd // the followers beyond the first
	result any    // what a poll brought, until every follower has it
}

// phase is how far a record is. It only moves forward.
type phase uint8

const (
	open       phase = iota
	confirming       // a callback reported a failure, which a status request has to confirm
	succeeded
	failed
)

func (r *record) ended() bool { return r.phase >= succeeded }

// state is the phase in the rules' terms.
func (r *record) state() State {
	switch r.phase {
	case succeeded:
		return Succeeded
	case failed:
		return Failed
	}
	return Running
}

// finish gives the record an end.
func (r *record) finish(state State) {
	if state == Failed {
		r.phase = failed
	} else {
		r.phase = succeeded
	}
}

// reason is why a record is due when it is.
type reason uint8

const (
	unscheduled reason = iota // it has no due time
	estimated                 // by the model, which may change it
	spare                     // requests are to spare to ask whether it has ended
	fixed                     // by a back-off, which the model does not change
)

// place is where a record waits for its poll.
type place uint8

const (
	nowhere place = iota
	inFuture
	inReady
	polling
)

// list is which list of records without followers a record is in.
type list uint8

const (
	unlisted list = iota
	idleList
	endedList
)

// merge moves a running record forward and wakes its followers when something
// changed.
func (s *Scheduler) merge(r *record, job Job) {
	if job.Duration > 0 {
		r.duration = job.Duration
	}
	if !job.CreatedAt.IsZero() {
		r.created = job.CreatedAt.UnixNano()
	}
	if job.Language != "" {
		r.language = intern(job.Language)
	}
	status, progress := intern(job.Status), uint8(min(max(job.Progress, 0), 100))
	changed := status != r.status || progress != r.progress
	r.status, r.progress = status, progress
	if job.State != Running {
		r.finish(job.State)
	} else if !changed || !r.followed() {
		return
	}
	if job.CreatedAt.IsZero() && r.created != 0 {
		job.CreatedAt = time.Unix(0, r.created).UTC()
	}
	job.Duration = r.duration
	if job.Language == "" {
		job.Language = r.language.String()
	}
	r.detail().job = job
	r.notify()
}

// detail returns the record's details, made now if need be.
func (r *record) detail() *details {
	if r.details == nil {
		r.details = new(details)
	}
	return r.details
}

// job is what a follower is handed.
func (r *record) job() Job {
	if d := r.details; d != nil && d.job.ID != "" {
		job := d.job
		if r.ended() {
			job.Result = d.result
		}
		return job
	}
	return Job{ID: r.id, Status: r.status.String(), State: r.state(), Progress: int(r.progress), Duration: r.duration}
}

// lastErr is the failure of the last poll, or nil.
func (r *record) lastErr() error {
	if r.details == nil {
		return nil
	}
	return r.details.err
}

// trim drops a change that every follower has seen, so that a record that was
// polled is no larger than one that was not.
func (r *record) trim() {
	if r.details == nil || r.ended() || r.unseen() {
		return
	}
	r.details.job = Job{}
	r.trimDetails()
}

func (r *record) trimDetails() {
	if d := r.details; d.job.ID == "" && d.err == nil && d.crowd == nil && d.result == nil {
		r.details = nil
	}
}

// keepErr keeps the failure of the last poll, or drops the one before it.
func (r *record) keepErr(err error) {
	switch {
	case err != nil:
		r.detail().err = err
	case r.details != nil:
		r.details.err = nil
	}
}

// record returns the job's record, made now if need be. A callback that came
// before it is taken in.
func (s *Scheduler) record(id string, submitted time.Duration) *record {
	r, ok := s.records[id]
	if ok {
		return r
	}
	r = &record{id: id, submitted: submitted}
	s.records[id] = r
	if job, ended, ok := s.unpark(id); ok {
		s.callback(r, job, ended)
	}
	return r
}

// Submitted takes in a job that this client submitted.
func (s *Scheduler) Submitted(job Job) {
	s.mu.Lock()
	defer s.unlock()
	now := s.now()
	r := s.record(job.ID, now)
	if !r.ended() && !r.dated {
		s.date(r, now, job.Duration)
	}
	// Its own callback may have come before it.
	if due.Judge(r.state(), job.State, false) == due.End {
		s.end(r, job, now, bySubmit)
	} else if !r.ended() {
		s.merge(r, job)
	}
	if !r.followed() {
		s.retire(r)
	}
	s.arm()
}

// date stores when a job was submitted, once that is known.
func (s *Scheduler) date(r *record, submitted, duration time.Duration) {
	r.submitted = submitted
	if r.duration == 0 {
		r.duration = duration
	}
	r.dated = true
	r.cohort = s.cohorts.Start(submitted, r.duration)
}

const (
	maxIdle  = 100_000 // running, followed by nobody
	maxEnded = 10_000  // ended, followed by nobody
	maxRaw   = 4 << 10 // bytes of an answer or a callback that are kept where nobody waits for it
)

// retire puts a record that nobody follows into the list from which the oldest
// are forgotten. A job that is asked for after that costs a poll.
func (s *Scheduler) retire(r *record) {
	s.release(r)
	queue, here, most := &s.idle, idleList, maxIdle
	if r.ended() {
		queue, here, most = &s.ended, endedList, maxEnded
		if r.details != nil && len(r.details.job.Raw) > maxRaw {
			r.details.job.Raw = nil
		}
	} else {
		r.details = nil
	}
	if r.list != here {
		r.list = here
		queue.push(r)
	}
	for queue.len() > most {
		oldest := queue.pop()
		if oldest.list != here {
			continue // it has ended since, and is in the other list
		}
		oldest.list = unlisted
		if !oldest.followed() && s.records[oldest.id] == oldest {
			s.forget(oldest)
		}
	}
}

// hold keeps a result for the record's followers.
func (s *Scheduler) hold(r *record, result any) {
	s.release(r)
	if result != nil {
		r.detail().result = result
		s.holding++
	}
}

// release drops it.
func (s *Scheduler) release(r *record) {
	if r.details != nil && r.details.result != nil {
		r.details.result = nil
		s.holding--
	}
}

// forget drops a record.
func (s *Scheduler) forget(r *record) {
	if r.dated && !r.ended() {
		s.cohorts.Leave(r.cohort)
	}
	r.details = nil
	delete(s.records, r.id)
}

// text is a status or a language. Many records share one, so it is interned.
type text struct{ handle unique.Handle[string] }

const maxText = 64 // bytes; no status or language is longer

func intern(s string) text {
	if s == "" {
		return text{}
	}
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return text{unique.Make(s)}
}

// String returns the text, "" for the zero value.
func (t text) String() string {
	if t == (text{}) {
		return ""
	}
	return t.handle.Value()
}

// seconds32 is a duration in whole seconds, at least 1.
func seconds32(d time.Duration) int32 {
	return int32(min(max(d/time.Second, 1), math.MaxInt32))
}

// fifo is a queue whose oldest items come out first.
type fifo[T any] struct{ items []T }

func (q *fifo[T]) len() int { return len(q.items) }
func (q *fifo[T]) push(v T) { q.items = append(q.items, v) }

func (q *fifo[T]) pop() T {
	oldest := q.items[0]
	var zero T
	q.items[0] = zero
	q.items = q.items[1:]
	return oldest
}
