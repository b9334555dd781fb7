package watch

import (
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

// While few jobs wait and no callbacks come, the requests that the windows can
// spare are for asking whether a job has ended. They go out one after the other:
// a question that finds its job running makes the next one wait, whichever job
// that is for, and an end lets others go that have probably ended as well. So one
// job is asked about for all that were submitted with it.

const (
	fewJobs      = 200 // waiting at most; more are left to the model
	roomGoodFor  = time.Second
	spareLongRun = 48 // an hour may take this part of the day's limit: half of its share

	freeUnknown   = 60    // requests to spare in a minute whose limit is not known
	freeUnlimited = 6_000 // and in one that is not limited
	ample         = 14    // requests to spare: with fewer, one that finds no result is dear
	lastJobs      = 4     // waiting, whose own gaps keep their questions apart
)

// few reports whether questions may be asked that are not due by the model.
func (s *Scheduler) few() bool { return !s.callbacks() && s.waiting() <= fewJobs }

// free is how many requests are to spare within the next minute.
func (s *Scheduler) free(now time.Duration) int {
	if s.roomAt == 0 || now-s.roomAt >= roomGoodFor {
		s.room, s.roomAt = s.service.Room(), now
	}
	return free(s.room, s.waiting())
}

// free is what a budget's windows can bear, less what so many open jobs need for
// their results, and what waits to be submitted. Hour and day are spread: half of
// what is left of them is kept, and an hour takes no more than half of its share
// of the day.
func free(room Room, jobs int) int {
	needed := jobs + room.Submits
	spare := freeUnknown
	switch {
	case room.Blocked:
		return 0
	case room.Minute.Limit > 0:
		spare = room.Minute.Left - needed
	case room.Known:
		spare = freeUnlimited
	}
	if room.Hour.Limit > 0 {
		spare = min(spare, room.Hour.Left/2-needed)
	}
	if room.Day.Limit > 0 {
		spare = min(spare, room.Day.Left/2-needed, room.Day.Limit/spareLongRun-room.Hour.Used)
	}
	return max(spare, 0)
}

// worth is when a job is worth a question that requests are to spare for.
func (s *Scheduler) worth(r *record) time.Duration {
	at := r.submitted + due.Worth(r.seen, s.odds.Scale(r.duration), s.jitter.Float64())
	if r.askedAt == 0 {
		return max(at, r.submitted+due.FirstAsk)
	}
	return max(at, r.askedAt+due.MinAsk)
}

// likely reports whether a job has probably ended.
func (s *Scheduler) likely(r *record, now time.Duration) bool {
	return due.Chance(now-r.submitted, r.seen, s.odds.Scale(r.duration)) >= due.Likely
}

// paced reports whether a record that is due has to wait, because the last
// question found its job running.
func (s *Scheduler) paced(r *record, now time.Duration) bool {
	return r.reason == spare && now < s.pace && !(s.streak > 0 && s.likely(r, now))
}

// foundRunning makes the next question wait for its share of the minute, which
// is that of the requests there were to spare before this one. The last few jobs
// may have more of it, because their own gaps keep them apart.
func (s *Scheduler) foundRunning(now time.Duration) {
	s.streak = 0
	if s.few() {
		share := time.Minute / time.Duration(s.free(now)+1)
		s.pace = now + share*time.Duration(min(max(s.waiting(), 2), lastJobs))/lastJobs
	}
}

// foundEnd lets those go at once that have probably ended too, more of them at a
// time with each end in a row.
func (s *Scheduler) foundEnd(now time.Duration) {
	s.streak++
	if !s.few() {
		return
	}
	for _, r := range s.future.records {
		if r.reason != fixed && !r.overtaken {
			r.due, r.reason = s.plan(r, now)
		}
	}
	s.future.init()
}
