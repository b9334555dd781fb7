package scriptix

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// scheduler follows every waiting job of a client: one record per job, a heap
// of those to be polled, one timer. While nobody waits there is no timer and
// no goroutine.
type scheduler struct {
	core *core

	mu      sync.Mutex
	records map[string]*record
	idle    fifo[*record]     // records nobody follows, oldest first
	parked  fifo[parkedEvent] // authentic events for ids not known yet
	due     dueHeap           // records somebody follows
	polling int               // polls under way
	timer   *time.Timer
	ctx     context.Context //nolint:containedctx // of the polls; ends when nobody waits
	cancel  context.CancelFunc
	active  int // watchers whose All runs
}

// record is what is known of one job. Its first terminal state stays.
type record struct {
	job       Job
	submitted time.Time
	subs      []*subscription
	due       time.Time
	index     int // in the heap; -1 when not there
	polls     int
	notFound  int  // 404s in a row
	confirm   bool // a callback said it failed; one status request confirms
	polling   bool
	lastErr   error // of the last poll
}

// subscription is one watcher's interest in one record.
type subscription struct {
	watcher *Watcher
	rec     *record
	pending bool  // in the watcher's ready list
	err     error // ends the subscription
}

type parkedEvent struct {
	id    string
	event webhook.Event
	at    time.Time
}

const (
	maxIdle      = 10_000
	maxParked    = 10_000
	parkedFor    = 72 * time.Hour
	maxPolling   = 4 // polls under way at once; the budget may allow fewer
	confirmAgain = 5 * time.Second
)

func newScheduler(c *core) *scheduler {
	return &scheduler{core: c, records: make(map[string]*record)}
}

// submitted takes note of a job that this client submitted.
func (s *scheduler) submitted(job Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.record(job.ID)
	rec.submitted = time.Now()
	s.apply(rec, job)
}

// event feeds a verified callback into the record of its job.
func (s *scheduler) event(e webhook.Event) {
	if e.Data.ID == "" || e.Type != webhook.TranscriptionCompleted && e.Type != webhook.TranscriptionFailed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, known := s.records[e.Data.ID]
	if !known {
		s.park(e)
		return
	}
	s.applyEvent(rec, e)
	s.arm()
}

func (s *scheduler) applyEvent(rec *record, e webhook.Event) {
	if e.Type == webhook.TranscriptionFailed {
		// The reason comes with the status request that confirms it.
		if !rec.job.Status.Terminal() {
			rec.confirm = true
			s.reschedule(rec, time.Now())
		}
		return
	}
	job := Job{
		ID: e.Data.ID, Status: Status(e.Data.Status), Progress: 100, DocumentID: e.Data.DocumentID,
		Language: e.Data.Language, Duration: e.Data.Duration, Source: SourceWebhook, Raw: e.Raw,
	}
	if !job.Status.Succeeded() {
		job.Status = StatusCompleted
	}
	s.apply(rec, job)
}

// apply moves a record forward and tells whoever follows it. A record that has
// ended stays as it is.
func (s *scheduler) apply(rec *record, job Job) {
	before := rec.job
	if before.Status.Terminal() {
		return
	}
	if job.CreatedAt.IsZero() {
		job.CreatedAt = before.CreatedAt
	}
	if job.Duration == 0 {
		job.Duration = before.Duration
	}
	if job.Language == "" {
		job.Language = before.Language
	}
	rec.job = job
	if job.Status.Terminal() {
		s.unschedule(rec)
	}
	if job.Status != before.Status || job.Progress != before.Progress {
		for _, sub := range rec.subs {
			sub.notify()
		}
	}
}

func (sub *subscription) notify() {
	if !sub.pending {
		sub.pending = true
		sub.watcher.ready = append(sub.watcher.ready, sub)
	}
	sub.watcher.signal()
}

// record returns the job's record, made now if need be, an event that came
// before it included.
func (s *scheduler) record(id string) *record {
	rec, ok := s.records[id]
	if ok {
		return rec
	}
	rec = &record{job: Job{ID: id}, submitted: time.Now(), index: -1}
	s.records[id] = rec
	s.trim(rec)
	for _, p := range s.parked.take(func(p parkedEvent) bool { return p.id == id }) {
		s.applyEvent(rec, p.event)
	}
	return rec
}

func (s *scheduler) park(e webhook.Event) {
	now := time.Now()
	s.parked.push(parkedEvent{e.Data.ID, e, now})
	for s.parked.len() > maxParked || now.Sub(s.parked.first().at) > parkedFor {
		s.parked.pop()
	}
}

// trim keeps the records that nobody follows bounded. One that is forgotten
// costs a poll when somebody asks for it after all.
func (s *scheduler) trim(rec *record) {
	s.idle.push(rec)
	for s.idle.len() > maxIdle {
		if old := s.idle.pop(); len(old.subs) == 0 && s.records[old.job.ID] == old {
			delete(s.records, old.job.ID)
		}
	}
}

func (s *scheduler) subscribe(w *Watcher, jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.used = true
	for _, job := range jobs {
		if _, ok := w.subs[job.ID]; ok {
			continue
		}
		rec := s.record(job.ID)
		fresh := rec.job.Status == ""
		if at := firstTime(job.CreatedAt, w.options.submitted); fresh && !at.IsZero() {
			rec.submitted = at
		}
		if rec.job.Duration == 0 {
			rec.job.Duration = max(job.Duration, w.options.duration)
		}
		sub := &subscription{watcher: w, rec: rec}
		w.subs[job.ID] = sub
		rec.subs = append(rec.subs, sub)
		switch {
		case job.ID == "":
			sub.err = invalid("stt.wait", "job id", "is empty")
			sub.notify()
		case rec.job.Status.Terminal():
			sub.notify()
		case w.active:
			s.follow(rec)
		}
	}
	s.arm()
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func (s *scheduler) unsubscribe(w *Watcher, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if sub, ok := w.subs[id]; ok {
			s.drop(sub)
		}
	}
}

func (s *scheduler) drop(sub *subscription) {
	delete(sub.watcher.subs, sub.rec.job.ID)
	if sub.pending {
		sub.watcher.ready = slices.DeleteFunc(sub.watcher.ready, func(x *subscription) bool { return x == sub })
	}
	rec := sub.rec
	rec.subs = slices.DeleteFunc(rec.subs, func(x *subscription) bool { return x == sub })
	if len(rec.subs) == 0 {
		s.unschedule(rec)
		s.trim(rec)
	}
}

// activate starts polling for a watcher's jobs.
func (s *scheduler) activate(w *Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.active = true
	if s.active++; s.active == 1 {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	for _, sub := range w.subs {
		s.follow(sub.rec)
	}
	s.arm()
}

// deactivate stops it; when nobody waits any more, everything stops.
func (s *scheduler) deactivate(w *Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.active, w.used = false, false
	for _, sub := range w.subs {
		s.drop(sub)
	}
	if s.active--; s.active > 0 {
		return
	}
	s.cancel()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

type watchState int

const (
	nothingYet watchState = iota
	haveChange
	allEnded
)

// next returns a watcher's next change.
func (s *scheduler) next(w *Watcher) (*Job, error, watchState) { //nolint:revive // the error belongs to the job
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(w.ready) == 0 {
		if w.used && len(w.subs) == 0 {
			return nil, nil, allEnded
		}
		return nil, nil, nothingYet
	}
	sub := w.ready[0]
	w.ready = w.ready[1:]
	sub.pending = false
	job := sub.rec.job
	if sub.err != nil || job.Status.Terminal() {
		s.drop(sub)
	}
	return &job, sub.err, haveChange
}

// interrupted is the error of a watch whose ctx ended, nil if nothing was left.
func (s *scheduler) interrupted(ctx context.Context, w *Watcher) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &WaitError{Err: ctxError(ctx)}
	for id := range w.subs {
		e.Pending = append(e.Pending, id)
	}
	slices.Sort(e.Pending)
	if len(e.Pending) > 0 {
		rec := w.subs[e.Pending[0]].rec
		e.JobID, e.Last = rec.job.ID, rec.job.Status
		if rec.lastErr != nil {
			e.Err = fmt.Errorf("%w (the last poll: %w)", e.Err, rec.lastErr)
		}
	}
	return e
}

// follow puts a record that somebody waits for into the heap.
func (s *scheduler) follow(rec *record) {
	if rec.job.ID == "" || rec.job.Status.Terminal() || rec.index >= 0 || rec.polling {
		return
	}
	at := due.First(rec.submitted, rec.job.Duration)
	if rec.confirm {
		at = time.Now()
	}
	rec.due = at
	heap.Push(&s.due, rec)
}

func (s *scheduler) reschedule(rec *record, at time.Time) {
	rec.due = at
	if rec.index >= 0 {
		heap.Fix(&s.due, rec.index)
	}
}

func (s *scheduler) unschedule(rec *record) {
	if rec.index >= 0 {
		heap.Remove(&s.due, rec.index)
	}
}

// arm starts the polls that are due and sets the timer for the next.
func (s *scheduler) arm() {
	if s.active == 0 {
		return
	}
	now := time.Now()
	for len(s.due) > 0 && s.polling < maxPolling && !s.due[0].due.After(now) {
		rec := heap.Pop(&s.due).(*record)
		rec.polling = true
		s.polling++
		go s.poll(s.ctx, rec, rec.job.ID)
	}
	if len(s.due) == 0 || s.polling >= maxPolling {
		return // the end of a poll arms again
	}
	wait := max(s.due[0].due.Sub(now), 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.tick)
	} else {
		s.timer.Reset(wait)
	}
}

func (s *scheduler) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arm()
}

// poll asks once how far a job is. What fails is tried again when it is due
// next: the scheduler is the retry.
func (s *scheduler) poll(ctx context.Context, rec *record, id string) {
	job, err := s.core.status(ctx, id, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.arm()
	s.polling--
	rec.polling = false
	if ctx.Err() != nil && len(rec.subs) == 0 {
		return
	}
	if err == nil {
		rec.polls++
		rec.notFound, rec.confirm, rec.lastErr = 0, false, nil
		s.apply(rec, *job)
	} else if ctx.Err() == nil {
		rec.polls++
		rec.lastErr = err
		if e, ok := errors.AsType[*Error](err); ok && e.StatusCode == http.StatusNotFound {
			rec.notFound++
		} else {
			rec.notFound = 0
		}
		if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) || rec.notFound >= 3 {
			for _, sub := range rec.subs {
				sub.err = err
				sub.notify()
			}
			rec.notFound = 0
			return
		}
	}
	if len(rec.subs) > 0 && !rec.job.Status.Terminal() {
		gap := due.Next(rec.polls)
		if rec.confirm {
			gap = min(gap, confirmAgain)
		}
		rec.due = time.Now().Add(gap)
		heap.Push(&s.due, rec)
	}
}

// dueHeap orders records by when they are due.
type dueHeap []*record

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	rec := x.(*record)
	rec.index = len(*h)
	*h = append(*h, rec)
}

func (h *dueHeap) Pop() any {
	old := *h
	rec := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	rec.index = -1
	return rec
}

// fifo is a queue whose oldest come out first.
type fifo[T any] struct {
	items []T
}

func (q *fifo[T]) len() int { return len(q.items) }
func (q *fifo[T]) push(v T) { q.items = append(q.items, v) }
func (q *fifo[T]) first() T { return q.items[0] }

func (q *fifo[T]) pop() T {
	v := q.items[0]
	var zero T
	q.items[0] = zero
	q.items = q.items[1:]
	return v
}

// take removes and returns the items that match.
func (q *fifo[T]) take(match func(T) bool) (taken []T) {
	q.items = slices.DeleteFunc(q.items, func(v T) bool {
		if match(v) {
			taken = append(taken, v)
			return true
		}
		return false
	})
	return taken
}
