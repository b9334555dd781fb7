package batch

import (
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// reread is how often the records that rest are read although no hint came,
// because a hint may be lost.
const reread = time.Minute

// listen follows what others store in the ledger, callbacks above all.
func (r *run) listen(changes <-chan string) {
	ticker := time.NewTicker(reread)
	defer ticker.Stop()
	for {
		select {
		case key, ok := <-changes:
			if !ok {
				changes = nil // the safety net stays
				continue
			}
			r.hint(key)
		case <-ticker.C:
			r.lookAll(unresolved)
			r.lookAll(elsewhere)
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *run) hint(key string) {
	if key == "" {
		r.lookAll(elsewhere)
		r.lookAll(unresolved)
		r.lookAll(waiting)
		return
	}
	r.mu.Lock()
	it := r.items[key]
	resting := it != nil && (it.stage == unresolved || it.stage == waiting || it.stage == elsewhere)
	r.mu.Unlock()
	if resting {
		r.tasks.push(func() { r.look(it, false) })
	}
}

func (r *run) lookAll(s stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range r.items {
		if it.stage == s {
			r.tasks.push(func() { r.look(it, false) })
		}
	}
}

// poll follows the running jobs through the client, which learns of their ends by
// callback, or asks when a job is due.
func (r *run) poll() {
	for r.ctx.Err() == nil {
		for job, err := range r.watcher.All(r.ctx) {
			if job == nil {
				break // ctx ended
			}
			if err == nil && !job.Status.Terminal() {
				continue
			}
			r.mu.Lock()
			it := r.jobs[job.ID]
			r.mu.Unlock()
			// Taken at once: the workers may be busy for long, and its end must not be reported twice meanwhile.
			if it == nil || !r.take(it) {
				continue
			}
			if err == nil && job.Transcript != nil {
				if it.room, it.needs = r.room.Take(job.Transcript); it.room == nil {
					job.Transcript = nil // its turn comes when there is room
				}
			}
			r.tasks.push(func() { r.observe(it, job, err) })
		}
		// One that was added while the watch was ending may have been left out.
		r.mu.Lock()
		var running []scriptix.Job
		for id, it := range r.jobs {
			if it.stage == waiting {
				running = append(running, scriptix.Job{ID: id})
			}
		}
		r.mu.Unlock()
		if len(running) > 0 {
			r.watcher.Add(running...)
		}
	}
}

// observe takes in the end of a job, or of the watch of it. The caller owns it.
func (r *run) observe(it *item, job *scriptix.Job, err error) {
	if err != nil {
		_, verdict := step.Observe(Record{}, job, err, time.Now())
		if verdict.Halt {
			r.halt(err)
		}
		r.finish(it, StateInterrupted, err)
		return
	}
	rec, err := r.try(it.key, func(rec Record) Record {
		rec, _ = step.Observe(rec, job, nil, time.Now())
		return rec
	})
	if err != nil {
		it.room.Release()
		r.finish(it, StateInterrupted, errors.Join(ErrLedger, err))
		return
	}
	if job.Transcript != nil && rec.Phase == Completed {
		it.source = scriptix.Source(rec.Source)
		r.deliver(it, job.Transcript, 0, 0) // the poll that found the end brought it along
		return
	}
	it.room.Release()
	r.advance(it, rec)
}
