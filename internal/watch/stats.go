package watch

import "time"

// Stats is what a client's waits have come to since [New].
type Stats struct {
	Waiting         int // jobs somebody waits for now
	EndedByCallback int // jobs whose end a callback told of
	EndedByPoll     int // jobs whose end a poll found
	Duplicates      int // callbacks for jobs that had ended, saying the same
	Contradictions  int // callbacks and polls that contradicted an end, which stayed
	Parked          int // authentic callbacks now kept for jobs that are not known yet
	ParkedDropped   int // those that were let go of: over 10,000, or older than 72 hours
	PollsSent       int
	PollsWasted     int // of these, those that found the job running, failed, or were cut short because nobody waited any more

	QueueTime  time.Duration // learned: what four jobs in five wait at most besides being processed; 1 minute until 20 jobs ended
	Ratio      float64       // learned: processing by duration; 0.2 until it is known
	HookHealth float64       // share of ends told by callback, a moving average over 50; 1 where none are expected
}

// Stats returns the figures of now.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.unlock()
	s.expireParked(s.now())
	stats := s.stats
	stats.Waiting, stats.Parked = s.waiting(), len(s.parked.byID)
	stats.QueueTime, stats.Ratio, stats.HookHealth = s.model.Queue(), s.model.Ratio(), s.hooks.Share()
	return stats
}
