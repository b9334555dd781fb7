package watch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// Scheduler follows every waiting job of a client: one record per job, one
// timer, and goroutines only for the few polls that are under way. While nobody
// waits there is neither. The model of internal/due says when a job is worth a
// poll; it is asked again when the job's time has come, for by then it may know
// better.
type Scheduler struct {
	service Service
	start   time.Time // what times count from
	words   words

	mu       sync.Mutex // never held while asking the budget or the service
	records  map[string]*record
	idle     fifo[*record]
	ended    fifo[*record]
	parked   parking
	future   recordHeap // due later
	ready    recordHeap // due, the most urgent first
	model    due.Model
	hooks    due.Hooks
	front    due.Front
	cohorts  due.Cohorts
	expected bool // callbacks are
	warned   bool // that they do not come
	warn     bool // is to be said once the lock is let go
	stats    Stats

	active   int             // watchers whose All runs
	ctx      context.Context //nolint:containedctx // of the polls; ends when nobody waits
	cancel   context.CancelFunc
	polls    int                // goroutines that poll or ask the budget
	asking   context.CancelFunc // of the one that asks the budget; nil: none does
	timer    *time.Timer
	moved    bool          // something has ended since the last review
	reviewed time.Duration // when that was
	failures int           // polls in a row without an answer
	resume   time.Duration // no poll before, because of them
	roomAt   time.Duration // when room was computed
	room     room
}

const (
	maxPolls     = 4           // under way at once; the budget may allow fewer
	reviewEvery  = time.Minute // at most, and only while jobs end
	patience     = 3           // polls without an answer before all of them pause
	longestPause = time.Minute
	roomGoodFor  = time.Second
	maxStop      = 15 * time.Minute // the longest Retry-After that polls heed
)

// notFoundGaps are to the next poll after so many 404s in a row: a gateway that
// is being deployed does not know a job either.
var notFoundGaps = [...]time.Duration{0, 10 * time.Second, 50 * time.Second}

// New makes the scheduler of a service. Callbacks are expected from the start
// where the service was told to send them.
func New(service Service, expected bool) *Scheduler {
	return &Scheduler{
		service: service, start: time.Now(), records: make(map[string]*record), parked: newParking(), expected: expected,
		future: recordHeap{place: inFuture}, ready: recordHeap{place: inReady},
	}
}

func (s *Scheduler) now() time.Duration              { return time.Since(s.start) }
func (s *Scheduler) since(t time.Time) time.Duration { return t.Sub(s.start) }

// callbacks reports whether they are worth waiting for.
func (s *Scheduler) callbacks() bool { return s.expected && s.hooks.Arrive() }

// waiting is how many jobs somebody waits for.
func (s *Scheduler) waiting() int {
	n := s.future.Len() + s.ready.Len() + s.polls
	if s.asking != nil {
		n-- // its job is still in the heap
	}
	return n
}

// arm does what is due and sets the timer for what comes next. It runs wherever
// something changed; the lock is held.
func (s *Scheduler) arm() {
	if s.active == 0 {
		return
	}
	now := s.now()
	s.review(now)
	s.ripen(now)
	limit := maxPolls
	if s.failures >= patience {
		limit = 1
	}
	switch {
	case s.ready.Len() == 0 && s.asking != nil:
		s.asking() // what it asks for has ended meanwhile: the place in the queue is for others
	case s.ready.Len() > 0 && s.asking == nil && s.polls < limit && now >= s.resume:
		ctx, cancel := context.WithCancel(s.ctx)
		s.asking = cancel
		s.polls++
		go s.work(ctx, s.ctx)
	}
	s.setTimer(now)
}

// ripen moves what is due from one heap to the other.
func (s *Scheduler) ripen(now time.Duration) {
	for s.future.Len() > 0 {
		r := s.future.top()
		if r.due > now {
			return
		}
		if at := s.judge(r, now); at > now {
			r.due = at
			s.future.fix(r)
			continue
		}
		s.future.remove(r)
		s.ready.push(r)
	}
}

func (s *Scheduler) setTimer(now time.Duration) {
	next := time.Duration(-1)
	at := func(t time.Duration) {
		if next < 0 || t < next {
			next = t
		}
	}
	if s.future.Len() > 0 {
		at(s.future.top().due)
		if s.moved {
			at(s.reviewed + reviewEvery)
		}
	}
	if s.ready.Len() > 0 && now < s.resume {
		at(s.resume)
	}
	switch {
	case next < 0 && s.timer != nil:
		s.timer.Stop()
	case next < 0:
	case s.timer == nil:
		s.timer = time.AfterFunc(max(next-now, 0), s.tick)
	default:
		s.timer.Reset(max(next-now, 0))
	}
}

func (s *Scheduler) tick() {
	s.mu.Lock()
	defer s.unlock()
	s.arm()
}

// work makes one poll. Which one is decided when the budget has room for it, so
// that the most urgent goes first and none is made for a job that has ended
// while it waited its turn.
func (s *Scheduler) work(asking, ctx context.Context) {
	turn, err := s.service.Turn(asking)
	r := s.choose(asking, err)
	if turn != nil {
		defer turn.GiveBack() // if it was not used
	}
	if r == nil {
		return
	}
	job, err := turn.Poll(ctx, r.id)
	s.polled(ctx, r, job, err)
}

// choose takes out the record that is to be polled; nil: none.
func (s *Scheduler) choose(asking context.Context, err error) *record {
	s.mu.Lock()
	defer s.unlock()
	s.asking() // its context is of no use any more
	s.asking = nil
	defer s.arm()
	if err != nil {
		s.polls--
		if asking.Err() == nil {
			s.unanswered(err)
		}
		return nil
	}
	now := s.now()
	s.ripen(now)
	for s.active > 0 && s.ready.Len() > 0 {
		r := s.ready.top()
		s.ready.remove(r)
		if at := s.judge(r, now); at > now {
			r.due = at
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

// polled takes in what a poll brought. What failed is tried again when it is
// due next: the scheduler is the retry.
func (s *Scheduler) polled(ctx context.Context, r *record, job Job, err error) {
	s.mu.Lock()
	defer s.unlock()
	defer s.arm()
	s.polls--
	r.place = nowhere
	if err != nil && ctx.Err() != nil {
		// Nobody waited any more, which says nothing about the service.
		s.stats.PollsWasted++
		if r.state == due.Running {
			s.postpone(r, true)
		}
		return
	}
	var fault Fault
	if err != nil {
		fault = s.service.Fault(err)
	}
	switch {
	case err == nil, fault.Kind == NotFound, fault.Kind == NotAllowed, fault.Kind == KeyRefused:
		s.failures, s.resume = 0, 0
	case fault.Kind != NotSent:
		s.unanswered(err)
	}
	s.failedPoll(r, err)
	if err == nil {
		r.notFound = 0
		s.told(r, job)
		if r.state == due.Running {
			s.postpone(r, false)
		}
		s.forget(r)
		return
	}
	s.stats.PollsWasted++
	if fault.Kind == NotFound {
		r.notFound++
	} else {
		r.notFound = 0
	}
	switch {
	case fault.Kind == KeyRefused:
		// The key is refused, so every poll would be.
		s.fail(r, err)
		s.failAll(err)
	case fault.Kind == NotAllowed, r.notFound >= 3, fault.Kind == NotSent:
		r.notFound = 0
		s.fail(r, err)
	default:
		s.postpone(r, false)
	}
}

// postpone decides when a job that still runs is polled next, when its poll was
// answered or cut because nobody waited any more. Were it due at once after
// that, waits shorter than an answer takes would spend the budget for nothing.
func (s *Scheduler) postpone(r *record, cut bool) {
	r.polls += min(1, 255-r.polls)
	age := s.now() - r.submitted
	gap, soon := due.Early(int(r.polls), age, r.duration, rand.Float64())
	room, unknown := s.spare(), notFoundGaps[min(r.notFound, 2)]
	soon = soon && room.ok && room.gap < time.Minute
	fix := false
	switch {
	case r.is(confirm):
		gap, fix = max(due.Again(int(r.asked)), unknown), true
		r.asked += min(1, 255-r.asked)
	case unknown > 0:
		gap, fix = unknown, true
	case cut:
		gap, fix = min(due.Again(int(r.polls-1)), due.Gap(age, rand.Float64())), true
	case soon:
		gap = max(gap, room.gap)
	default:
		gap = due.Gap(age, rand.Float64())
	}
	r.mark(early, soon && !fix)
	r.mark(fixed, fix)
	r.mark(scheduled, true)
	r.due = s.now() + gap
	r.first = seconds32(r.due - r.submitted)
	s.enqueue(r)
}

// unanswered counts polls to which no answer came. Where the service is down
// one poll a minute finds out when it is back, however many jobs are due.
func (s *Scheduler) unanswered(err error) {
	s.failures++
	if s.failures < patience {
		return
	}
	pause := min(time.Second<<min(s.failures-patience, 10), longestPause)
	pause = max(pause, min(s.service.Fault(err).RetryAfter, maxStop))
	s.resume = s.now() + pause
}

// unlock lets the lock go, and only then says what is to be logged.
func (s *Scheduler) unlock() {
	warn, share := s.warn, s.hooks.Share()
	s.warn = false
	s.mu.Unlock()
	if warn {
		s.service.CallbacksMissing(share)
	}
}

func (s *Scheduler) checkHooks() {
	arrive := s.hooks.Arrive()
	s.warn = s.warn || !arrive && !s.warned
	s.warned = !arrive
}
