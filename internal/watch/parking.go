package watch

import "time"

const (
	maxParked = 10_000
	parkedFor = 72 * time.Hour
)

// parking keeps authentic events of jobs that are not known yet: a callback may
// come before Submit's own answer, or before a restarted process asks for the
// job. The first of a job is kept, the oldest go first.
type parking struct {
	byID           map[string]*parkedEvent
	oldest, newest *parkedEvent
}

type parkedEvent struct {
	job          Job
	ended        time.Time     // as the callback says
	at           time.Duration // when it came
	older, newer *parkedEvent
}

func newParking() parking { return parking{byID: make(map[string]*parkedEvent)} }

func (p *parking) add(e *parkedEvent) {
	p.byID[e.job.ID] = e
	if e.older = p.newest; e.older == nil {
		p.oldest = e
	} else {
		e.older.newer = e
	}
	p.newest = e
}

func (p *parking) remove(e *parkedEvent) {
	delete(p.byID, e.job.ID)
	if e.older == nil {
		p.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
	if e.newer == nil {
		p.newest = e.older
	} else {
		e.newer.older = e.older
	}
}

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
	s.parked.add(&parkedEvent{job: job, ended: ended, at: now})
	for len(s.parked.byID) > maxParked {
		s.parked.remove(s.parked.oldest)
		s.stats.ParkedDropped++
	}
}

// unpark takes out the event of a job that has become known.
func (s *Scheduler) unpark(id string) (*parkedEvent, bool) {
	s.expireParked(s.now())
	e, ok := s.parked.byID[id]
	if ok {
		s.parked.remove(e)
	}
	return e, ok
}

func (s *Scheduler) expireParked(now time.Duration) {
	for s.parked.oldest != nil && now-s.parked.oldest.at > parkedFor {
		s.parked.remove(s.parked.oldest)
		s.stats.ParkedDropped++
	}
}
