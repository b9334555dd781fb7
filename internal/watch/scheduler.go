package watch

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// Scheduler follows every waiting job of a client: one record per job, one
// timer, and goroutines only for the few polls that are under way. While nobody
// waits there is neither. Package due says when a job is worth a poll; it is
// asked again when that time has come, because by then it may know better.
type Scheduler struct {
	service Service
	start   time.Time // what times count from

	mu       sync.Mutex // never held while asking the budget or the service
	records  map[string]*record
	idle     fifo[*record]
	ended    fifo[*record]
	parked   parking
	future   recordHeap // due later
	ready    recordHeap // due, the most urgent first
	model    due.Model
	odds     due.Odds
	health   due.CallbackHealth
	frontier due.Frontier
	cohorts  due.Cohorts
	holding  int         // records with a result that followers have not taken
	odd      int         // answers in a row to requests for results that say nothing
	statuses bool        // results are not asked for before the end is known
	expected bool        // callbacks are
	warned   bool        // it was logged that they do not arrive
	warn     bool        // to be logged once the lock is released
	noResult bool        // the same
	outlived []Outlasted // the same
	ends     []End       // the same
	stats    Stats
	hints    hints

	active      int             // watchers whose All runs
	ctx         context.Context //nolint:containedctx // of the polls; ends when nobody waits
	cancel      context.CancelFunc
	polls       int                // goroutines that poll or ask the budget
	asking      context.CancelFunc // of the one that asks the budget; nil: none does
	timer       *time.Timer
	moved       bool          // something has ended since the last review
	reviewed    time.Duration // when that was
	urgentTurns int           // polls in a row for callers with deadlines
	failures    int           // polls in a row without an answer
	resume      time.Duration // no poll before that, because of them or while the model knows nothing
	room        Room
	roomAt      time.Duration // when the room was read; 0: to be read again
	pace        time.Duration // no question before that which is only worth a request to spare
	streak      int           // ends in a row that polls found
	jitter      *rand.Rand
}

const (
	fairShare    = 10               // one poll in so many is for jobs that nobody waits for with a deadline
	maxPolls     = 4                // under way at once; the budget may allow fewer
	reviewEvery  = time.Minute      // at most, and only while jobs end
	learnEvery   = 30 * time.Second // between polls that find jobs running, until the model knows the queue
	patience     = 3                // polls without an answer before all of them pause
	longestPause = time.Minute
	maxStop      = 15 * time.Minute // the longest Retry-After that polls heed
)

// Config is what a Scheduler is told at the start.
type Config struct {
	Callbacks   bool // the service was told to send them
	StatusPolls bool // results are not asked for before the end is known
}

// New makes the scheduler of a service.
func New(service Service, c Config) *Scheduler {
	return &Scheduler{
		service: service, start: time.Now(), records: make(map[string]*record), parked: newParking(), expected: c.Callbacks, statuses: c.StatusPolls,
		jitter: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		future: recordHeap{place: inFuture}, ready: recordHeap{place: inReady},
	}
}

func (s *Scheduler) now() time.Duration              { return time.Since(s.start) }
func (s *Scheduler) since(t time.Time) time.Duration { return t.Sub(s.start) }

// callbacks reports whether they are worth waiting for.
func (s *Scheduler) callbacks() bool { return s.expected && s.health.Arrive() }

// waiting is how many jobs somebody waits for.
func (s *Scheduler) waiting() int {
	jobs := s.future.Len() + s.ready.Len() + s.polls
	if s.asking != nil {
		jobs-- // its job is still in the heap
	}
	return jobs
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
	switch {
	case s.ready.Len() == 0 && s.asking != nil:
		s.asking() // what it asks for has ended meanwhile: the place in the queue is for others
	case s.ready.Len() > 0 && s.asking == nil && s.mayPoll(now):
		ctx, cancel := context.WithCancel(s.ctx)
		s.asking = cancel
		s.polls++
		go s.work(ctx, s.ctx)
	}
	s.setTimer(now)
}

// mayPoll reports whether one more poll may be under way now.
func (s *Scheduler) mayPoll(now time.Duration) bool {
	next := s.ready.top()
	limit := maxPolls
	switch {
	case s.failures >= patience:
		limit = 1
	case next.reason == spare:
		limit = min(1+s.streak, maxPolls)
	}
	return s.polls < limit && now >= s.resume && !s.paced(next, now)
}

// ripen moves what is due from one heap to the other.
func (s *Scheduler) ripen(now time.Duration) {
	for s.future.Len() > 0 {
		r := s.future.top()
		if r.due > now {
			return
		}
		if at, why := s.judge(r, now); at > now {
			r.due, r.reason = at, why
			s.future.fix(r)
			continue
		}
		s.future.remove(r)
		s.ready.push(r)
	}
}

func (s *Scheduler) setTimer(now time.Duration) {
	const never = time.Duration(math.MaxInt64)
	next := never
	if s.future.Len() > 0 {
		next = s.future.top().due
		if s.moved {
			next = min(next, s.reviewed+reviewEvery)
		}
	}
	if s.ready.Len() > 0 {
		if now < s.resume {
			next = min(next, s.resume)
		} else if s.paced(s.ready.top(), now) {
			next = min(next, s.pace)
		}
	}
	switch {
	case next == never && s.timer != nil:
		s.timer.Stop()
	case next == never:
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

// unlock releases the lock, and only then logs what is to be logged.
func (s *Scheduler) unlock() {
	warn, share, outlived, noResult, ends := s.warn, s.health.Share(), s.outlived, s.noResult, s.ends
	s.warn, s.outlived, s.noResult, s.ends = false, nil, false, nil
	s.mu.Unlock()
	if noResult {
		s.service.ResultsNotAsked()
	}
	for _, job := range outlived {
		s.service.Outlasted(job)
	}
	for _, end := range ends {
		s.service.Ended(end)
	}
	if warn {
		s.service.CallbacksMissing(share)
	}
}
