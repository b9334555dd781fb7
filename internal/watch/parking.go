package watch

import "time"

const (
	maxParked      = 10_000
	maxParkedBytes = 8 << 20
	parkedFor      = 72 * time.Hour
)

// parking keeps authentic callbacks of jobs that are not known yet: a callback
// may come before Submit's own answer, or before a restarted process asks for
// the job. The first of a job is kept, and the oldest are dropped first.
type parking struct {
	byID   map[string]*parkedCallback
	oldest fifo[*parkedCallback] // those that were taken out are skipped
	bytes  int
}

type parkedCallback struct {
	job   Job
	ended time.Time     // as the callback says
	at    time.Duration // when it came
	taken bool
}

// size is about how much memory a parked callback takes.
func (p *parkedCallback) size() int {
	const fixed = 400 // with its places in map and queue
	j := &p.job
	return fixed + len(j.ID) + len(j.Status) + len(j.DocumentID) + len(j.Language) + len(j.Failure) + len(j.Raw)
}

func newParking() parking { return parking{byID: make(map[string]*parkedCallback)} }

func (p *parking) add(callback *parkedCallback) {
	p.byID[callback.job.ID] = callback
	p.oldest.push(callback)
	p.bytes += callback.size()
}

// take removes a callback. Its place in the queue is skipped later.
func (p *parking) take(callback *parkedCallback) {
	delete(p.byID, callback.job.ID)
	p.bytes -= callback.size()
	callback.taken = true
	callback.job = Job{}
	for p.oldest.len() > 0 && p.oldest.items[0].taken {
		p.oldest.pop()
	}
	if len(p.oldest.items) > 2*len(p.byID)+16 {
		kept := p.oldest.items[:0:0]
		for _, callback := range p.oldest.items {
			if !callback.taken {
				kept = append(kept, callback)
			}
		}
		p.oldest.items = kept
	}
}

// park keeps a callback for a job that is not known yet.
func (s *Scheduler) park(job Job, ended time.Time) {
	now := s.now()
	s.expireParked(now)
	if before := s.parked.byID[job.ID]; before != nil {
		if before.job.State == job.State {
			s.stats.Duplicates++
		} else {
			s.stats.Contradictions++
		}
		return
	}
	if len(job.Raw) > maxRaw {
		job.Raw = nil
	}
	s.parked.add(&parkedCallback{job: job, ended: ended, at: now})
	for len(s.parked.byID) > maxParked || s.parked.bytes > maxParkedBytes {
		s.dropOldestParked()
	}
}

// unpark takes out the callback of a job that has become known.
func (s *Scheduler) unpark(id string) (job Job, ended time.Time, ok bool) {
	s.expireParked(s.now())
	callback, ok := s.parked.byID[id]
	if !ok {
		return Job{}, time.Time{}, false
	}
	job, ended = callback.job, callback.ended
	s.parked.take(callback)
	return job, ended, true
}

func (s *Scheduler) expireParked(now time.Duration) {
	for len(s.parked.byID) > 0 && now-s.parked.oldest.items[0].at > parkedFor {
		s.dropOldestParked()
	}
}

func (s *Scheduler) dropOldestParked() {
	s.parked.take(s.parked.oldest.items[0])
	s.stats.ParkedDropped++
}
