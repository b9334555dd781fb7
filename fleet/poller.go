package fleet

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

const (
	reloadEvery = 5 * time.Minute        // a notice may be lost
	gatherFor   = 200 * time.Millisecond // notices, before their records are read
	loadPage    = 2000
	observers   = 4 // ends that are stored at once
	// senderTries is how long the service goes on sending a callback that nobody accepts.
	senderTries = 22 * time.Minute
)

// poller follows the jobs that run, in the account's leader. It asks through a
// client of its own, whose waiting decides when a job is worth a request.
type poller struct {
	*work
	made    time.Time // when the client was
	watcher *scriptix.Watcher

	mu      sync.Mutex
	changed map[string]bool // keys whose records changed
	reload  bool
	wake    chan struct{}
}

func newPoller(w *work, client *scriptix.Client, made time.Time) *poller {
	return &poller{work: w, made: made, watcher: client.STT.NewWatcher(scriptix.WantTranscript()), changed: make(map[string]bool), reload: true, wake: make(chan struct{}, 1)}
}

// run follows jobs until ctx ends.
func (p *poller) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { p.feed(ctx) })
	ends := make(chan *scriptix.Job)
	for range observers {
		wg.Go(func() {
			for job := range ends {
				p.ended(ctx, job)
			}
		})
	}
	defer close(ends)
	for ctx.Err() == nil {
		for job, err := range p.watcher.All(ctx) {
			switch {
			case job == nil:
			case err != nil:
				p.abandoned(ctx, job, err)
			case job.Status.Terminal() && job.Source != scriptix.SourceWebhook:
				select {
				case ends <- job:
				case <-ctx.Done():
				}
			}
		}
	}
}

// abandoned is about a job that the watcher gave up. Its record's due time
// brings it back.
func (p *poller) abandoned(ctx context.Context, job *scriptix.Job, err error) {
	if errors.Is(err, scriptix.ErrUnauthorized) {
		p.halt(ctx, err)
	}
	p.fleet.store.log.WarnContext(ctx, "fleet: a job is not asked for any more for now", "job_id", job.ID, "error", err)
}

// ended stores the end of a job.
func (p *poller) ended(ctx context.Context, job *scriptix.Job) {
	r, err := p.fleet.store.find(ctx, "job_id", job.ID)
	if err != nil {
		if !errors.Is(err, ledger.ErrNoRecord) && ctx.Err() == nil {
			p.noticed(note{}) // it is asked for again
		}
		return
	}
	if r.Phase != ledger.Submitted {
		return // it was this process that told the watcher
	}
	if job.Transcript != nil {
		if held, _ := p.room.Take(job.Transcript); held != nil {
			defer held.Release()
			p.bringHome(ctx, r, job)
			return
		}
	}
	p.insistObserve(ctx, r, job) // without room for its transcript, that is fetched later
}

// bringHome finishes a record whose transcript came with the answer that told of
// its job's end: to ask for the result is the better poll.
func (p *poller) bringHome(ctx context.Context, running row, job *scriptix.Job) {
	if !p.process.take(running.Key) {
		p.insistObserve(ctx, running, job)
		return
	}
	defer p.process.release(running.Key)
	err := p.insist(ctx, running.Key, changing{
		token: running.Token,
		change: func(r ledger.Record) (ledger.Record, error) {
			observed, _ := step.Observe(r, job, nil, time.Now())
			return observed, nil
		},
		adjust: func(_ row, _ ledger.Record, f *follows) { f.finish = false }, // if this process dies the due time brings it back
	})
	if err != nil {
		return
	}
	r, in, err := p.beginFinish(ctx, running.Key)
	if err != nil {
		p.skipped(ctx, running.Key, err)
		return
	}
	if r.Phase == ledger.Completed {
		p.deliver(ctx, r, in, job.Transcript)
	}
}

// noticed hears that records changed.
func (p *poller) noticed(n note) {
	if n.about == budgetNote {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case n.about == "":
		p.reload = true
	case n.name != "":
		p.changed[n.name] = true
	}
	signal(p.wake)
}

// feed keeps the watcher's set of jobs that of the records.
func (p *poller) feed(ctx context.Context) {
	reload := time.NewTicker(reloadEvery)
	defer reload.Stop()
	if err := p.learn(ctx); err != nil && ctx.Err() == nil {
		p.fleet.store.log.WarnContext(ctx, "fleet: how long the latest jobs took could not be read", "error", err)
	}
	for {
		p.mu.Lock()
		all, changed := p.reload, p.changed
		p.reload, p.changed = false, make(map[string]bool)
		p.mu.Unlock()
		err := p.read(ctx, all, changed)
		if err != nil && ctx.Err() == nil {
			p.fleet.store.log.WarnContext(ctx, "fleet: the jobs that run could not be read", "error", err)
			p.noticed(note{})
			pause(ctx, time.Second, nil)
		}
		select {
		case <-p.wake:
			pause(ctx, gatherFor, nil)
		case <-reload.C:
			p.noticed(note{})
		case <-ctx.Done():
			return
		}
	}
}

// read loads the records that changed, or all whose jobs run, a page at a time:
// a hundred thousand of them do not fit into memory twice.
func (p *poller) read(ctx context.Context, all bool, changed map[string]bool) error {
	s := p.fleet.store
	if len(changed) > 0 {
		keys := make([]string, 0, len(changed))
		for key := range changed {
			keys = append(keys, key)
		}
		some := s.sql("select " + rowColumns + " from {s}.scriptix_record where account = $1 and key = any($2)")
		if err := p.page(ctx, nil, some, s.account, keys); err != nil {
			return err
		}
	}
	if !all {
		return nil
	}
	next := s.sql("select " + rowColumns + ` from {s}.scriptix_record
		where account = $1 and phase = 'submitted' and key > $2 order by key limit $3`)
	for last := ""; ; {
		before := last
		if err := p.page(ctx, &last, next, s.account, last, loadPage); err != nil {
			return err
		}
		if last == before {
			return nil
		}
	}
}

// page reads records and passes them on; last becomes the key of the last one.
func (p *poller) page(ctx context.Context, last *string, statement string, args ...any) error {
	rows, err := p.fleet.store.pool.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (row, error) { return scanRow(from) })
	if err != nil {
		return err
	}
	if last != nil && len(found) > 0 {
		*last = found[len(found)-1].Key
	}
	p.follow(p.own(ctx, found)) //nolint:contextcheck // the watcher's own
	return nil
}

// follow adds jobs that run, and lets go of those that have ended.
func (p *poller) follow(found []row) {
	var running []scriptix.Job
	var over []string
	for _, r := range found {
		switch {
		case r.JobID == "":
		case r.Phase == ledger.Submitted && !r.Confirm:
			running = append(running, scriptix.Job{ID: r.JobID, CreatedAt: p.since(r.SubmittedAt), Duration: r.Duration})
		case r.Phase.Ended():
			p.tell(r)
		default:
			over = append(over, r.JobID)
		}
	}
	if len(running) > 0 {
		p.watcher.Add(running...)
	}
	if len(over) > 0 {
		p.watcher.Remove(over...)
	}
}

// own returns the records that this process can ask about. The others are reported.
func (p *poller) own(ctx context.Context, found []row) (own []row) {
	for _, r := range found {
		err := p.foreign(r.Record)
		switch {
		case err == nil:
			own = append(own, r)
		case r.Failure == "":
			p.fleet.store.log.WarnContext(ctx, "fleet: a job is not asked for", "key", r.Key, "job_id", r.JobID, "error", err)
			p.leaveForeign(ctx, r.Key)
		}
	}
	return own
}

// since is when the watcher is to take a job as submitted. Of one that should
// have ended before its client was made it would think that the callback found
// no receiver, and wait for the sender's next tries, the last after 21 minutes.
// But the receivers were there: the callback is lost, or is on its way.
func (p *poller) since(submitted time.Time) time.Time {
	if made := p.made; submitted.Before(made) && made.Sub(submitted) < senderTries {
		return made
	}
	return submitted
}

// tell has the watcher hear of an end that was heard of elsewhere: whoever never
// hears its jobs end asks for them ever more rarely.
func (p *poller) tell(r row) {
	status := scriptix.StatusCompleted
	if r.Phase == ledger.Failed {
		status = scriptix.StatusFailed
	}
	p.watcher.Observe(scriptix.Job{
		ID: r.JobID, Status: status, Duration: r.Duration, Failure: r.Failure, Source: scriptix.Source(r.Source),
	}, r.EndedAt)
}

// learn tells the watcher how long the latest jobs took, of which a new leader's
// client knows nothing.
func (p *poller) learn(ctx context.Context) error {
	const latest = 200
	s := p.fleet.store
	ends := s.sql("select " + rowColumns + ` from {s}.scriptix_record
		where account = $1 and outcome is not null and job_id is not null order by outcome desc limit $2`)
	rows, err := s.pool.Query(ctx, ends, s.account, latest)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (row, error) { return scanRow(from) })
	if err != nil {
		return err
	}
	var took []scriptix.JobTime
	for _, r := range slices.Backward(found) { // the oldest first
		if r.EndedAt.After(r.SubmittedAt) && !r.SubmittedAt.IsZero() {
			took = append(took, scriptix.JobTime{Took: r.EndedAt.Sub(r.SubmittedAt), Duration: r.Duration})
		}
	}
	p.watcher.Learn(took...) //nolint:contextcheck // the watcher's own
	return nil
}
