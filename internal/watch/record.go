package watch

import (
	"iter"
	"math"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// record is what is known of one job. There may be 100,000 of them, so it holds
// a Job only from its end on, or while someone is to be told of a change. Times
// count from the scheduler's start.
type record struct {
	id        string
	submitted time.Duration
	due       time.Duration // of the next poll
	duration  time.Duration // of the audio; 0: unknown
	created   int64         // Unix nanoseconds, as the service said; 0: it did not
	subs      *subscription // those who follow it
	more      *details

	first    int32      // seconds from submitted at which the next poll was first due
	seen     int32      // and at which a poll last found it running
	index    int32      // in its heap
	cohort   due.Member // among those that were submitted with it
	status   word
	language word
	progress uint8
	polls    uint8 // since it is scheduled; 255 and more
	asked    uint8 // requests to confirm a callback, or 503s to its callbacks
	notFound uint8 // 404s in a row
	state    due.State
	place    place
	marks    marks
}

// details are what few records have.
type details struct {
	job Job   // the end, or a change that someone is to be told of; without an ID: none
	err error // of the last poll
}

type place uint8

const (
	nowhere place = iota
	inFuture
	inReady
	polling
)

type marks uint16

const (
	dated     marks = 1 << iota // its submission is known, not guessed
	scheduled                   // it has a due time
	fixed                       // which the model does not change
	early                       // chosen because requests are to spare
	urgent                      // a caller with a deadline waits for it
	passed                      // overtaken by later ones
	confirm                     // a callback said that it failed
	heard                       // a callback told of its end, or is to be confirmed
	idling                      // in the list of records nobody follows
	finished                    // in the list of those that have ended
)

func (r *record) is(m marks) bool { return r.marks&m != 0 }

func (r *record) followers() iter.Seq[*subscription] {
	return func(yield func(*subscription) bool) {
		for sub := r.subs; sub != nil; sub = sub.next {
			if !yield(sub) {
				return
			}
		}
	}
}

func (r *record) mark(m marks, on bool) {
	if on {
		r.marks |= m
	} else {
		r.marks &^= m
	}
}

// merge moves a running record forward and tells whoever follows it.
func (s *Scheduler) merge(r *record, job Job) {
	if job.Duration > 0 {
		r.duration = job.Duration
	}
	if !job.CreatedAt.IsZero() {
		r.created = job.CreatedAt.UnixNano()
	}
	if job.Language != "" {
		r.language = s.words.of(job.Language)
	}
	status, progress := s.words.of(job.Status), uint8(min(max(job.Progress, 0), 100))
	changed := status != r.status || progress != r.progress
	r.status, r.progress, r.state = status, progress, job.State
	if r.state == due.Running && (!changed || r.subs == nil) {
		return
	}
	if job.CreatedAt.IsZero() && r.created != 0 {
		job.CreatedAt = time.Unix(0, r.created).UTC()
	}
	job.Duration = r.duration
	if job.Language == "" {
		job.Language = s.words.text(r.language)
	}
	if r.more == nil {
		r.more = new(details)
	}
	r.more.job = job
	for sub := range r.followers() {
		sub.notify()
	}
}

// job is the record's, for the one who is told of it.
func (s *Scheduler) job(r *record) Job {
	if r.more != nil && r.more.job.ID != "" {
		return r.more.job
	}
	return Job{ID: r.id, Status: s.words.text(r.status), State: r.state, Progress: int(r.progress), Duration: r.duration}
}

// forget lets go of what the last follower was told, and of the last poll's
// failure, so that a record that was polled is no larger than one that was not.
func (s *Scheduler) forget(r *record) {
	if r.more == nil || r.state != due.Running {
		return
	}
	for sub := range r.followers() {
		if sub.pending {
			return
		}
	}
	r.more.job = Job{}
	if r.more.err == nil {
		r.more = nil
	}
}

func (s *Scheduler) failedPoll(r *record, err error) {
	switch {
	case err == nil && r.more != nil:
		r.more.err = nil
	case err != nil && r.more == nil:
		r.more = &details{err: err}
	case err != nil:
		r.more.err = err
	}
}

// record returns the job's record, made now if need be, an event that came
// before it included.
func (s *Scheduler) record(id string, submitted time.Duration) *record {
	r, ok := s.records[id]
	if ok {
		return r
	}
	r = &record{id: id, submitted: submitted}
	s.records[id] = r
	if p, ok := s.unpark(id); ok {
		s.hear(r, p.job, p.ended)
	}
	return r
}

// Submitted takes note of a job that this client submitted.
func (s *Scheduler) Submitted(job Job) {
	s.mu.Lock()
	defer s.unlock()
	now := s.now()
	r := s.record(job.ID, now)
	if r.state == due.Running && !r.is(dated) {
		s.date(r, now, job.Duration)
	}
	// Its own callback may have come before it.
	if due.Judge(r.state, job.State, false) == due.End {
		s.end(r, job, now, bySubmit)
	} else if r.state == due.Running {
		s.merge(r, job)
	}
	if r.subs == nil {
		s.retire(r)
	}
	s.arm()
}

// date takes note of when a job was submitted, once it is known.
func (s *Scheduler) date(r *record, submitted, duration time.Duration) {
	r.submitted = submitted
	if r.duration == 0 {
		r.duration = duration
	}
	r.mark(dated, true)
	r.cohort = s.cohorts.Start(submitted, r.duration)
}

const (
	maxIdle  = 100_000 // running, followed by nobody
	maxEnded = 10_000  // ended, followed by nobody
	maxRaw   = 4 << 10 // bytes of an answer or a callback that are kept where nobody waits for it
)

// retire puts a record that nobody follows into the list from which the oldest
// are forgotten. One that is asked for after all costs a poll.
func (s *Scheduler) retire(r *record) {
	list, m, most := &s.idle, idling, maxIdle
	if r.state != due.Running {
		list, m, most = &s.ended, finished, maxEnded
		if r.more != nil && len(r.more.job.Raw) > maxRaw {
			r.more.job.Raw = nil
		}
	} else {
		r.more = nil
	}
	if !r.is(m) {
		r.mark(m, true)
		list.push(r)
	}
	for list.len() > most {
		old := list.pop()
		old.mark(m, false)
		// One that has ended since is in the other list.
		if old.subs == nil && s.records[old.id] == old && (m == finished || !old.is(finished)) {
			if old.is(dated) && old.state == due.Running {
				s.cohorts.Leave(old.cohort)
			}
			old.more = nil
			delete(s.records, old.id)
		}
	}
}

// word stands for a status or a language; 0 for none.
type word uint16

const maxWord = 64 // bytes

// words are texts that many records share.
type words struct {
	texts []string
	index map[string]word
}

func (w *words) text(i word) string {
	if i == 0 {
		return ""
	}
	return w.texts[i-1]
}

// of returns the word of a text. The service has a few dozen; should it send
// thousands, the later ones are one.
func (w *words) of(text string) word {
	if text == "" {
		return 0
	}
	if len(text) > maxWord {
		text = strings.ToValidUTF8(text[:maxWord], "")
	}
	if i, ok := w.index[text]; ok {
		return i
	}
	if len(w.texts) >= math.MaxUint16-16 {
		return word(len(w.texts)) //nolint:gosec // bounded above
	}
	if w.index == nil {
		w.index = make(map[string]word)
	}
	w.texts = append(w.texts, text)
	w.index[text] = word(len(w.texts)) //nolint:gosec // bounded above
	return word(len(w.texts))          //nolint:gosec // bounded above
}

func seconds32(d time.Duration) int32 {
	return int32(min(max(d/time.Second, 1), math.MaxInt32))
}

// fifo is a queue whose oldest come out first.
type fifo[T any] struct{ items []T }

func (q *fifo[T]) len() int { return len(q.items) }
func (q *fifo[T]) push(v T) { q.items = append(q.items, v) }

func (q *fifo[T]) pop() T {
	v := q.items[0]
	var zero T
	q.items[0] = zero
	q.items = q.items[1:]
	return v
}
