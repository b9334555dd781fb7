package watch

import "time"

// Stats are the scheduler's figures; the public struct of the same fields
// explains them.
type Stats struct {
	Waiting         int
	EndedByCallback int
	EndedByPoll     int
	Duplicates      int
	Contradictions  int
	Parked          int
	ParkedDropped   int
	PollsSent       int
	PollsWasted     int

	QueueTime  time.Duration
	Ratio      float64
	HookHealth float64
}

// Stats returns the figures of now.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.unlock()
	s.expireParked(s.now())
	stats := s.stats
	stats.Waiting, stats.Parked = s.waiting(), len(s.parked.byID)
	stats.QueueTime, stats.Ratio, stats.HookHealth = s.model.Queue(), s.model.Ratio(), s.health.Share()
	return stats
}
