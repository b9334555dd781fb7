package fleet

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/rate"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

const (
	pumpEvery  = 5 * time.Second
	pumpAtMost = 100 * time.Millisecond // between two rounds that were notified
	mostJobs   = 1000                   // of one kind that stand in River's queue
	finishJobs = 100
	roundSize  = 500
	pollNet    = time.Hour // after which a job is looked for that the poller lost
)

// pump hands records out that are due, a round at a time. It runs in the
// account's leader.
type pump struct {
	*work
	poller *poller
}

// situation is what a round finds. One statement reads it, so that a fleet that
// has nothing to do costs one statement a round.
type situation struct {
	Orphans, Following, Claimed bool
	Submits, Finishes           int     // that stand in River's queues
	Next                        float64 // seconds until something else is due, if that is before the next round
}

func (p *pump) look(ctx context.Context) (now situation, err error) {
	s := p.fleet.store
	look := s.sql(`
		select
			exists (select from {s}.scriptix_record r where account = $1 and phase in ('claimed', 'sent') and owner <> ''
				and not exists (select from {s}.scriptix_process where id = r.owner and until > (select clock_timestamp()))),
			coalesce((select due <= now() from {s}.scriptix_record where account = $1 and due is not null and phase <> 'claimed' order by due limit 1), false),
			coalesce((select due <= now() from {s}.scriptix_record where account = $1 and due is not null and phase = 'claimed' order by due limit 1), false),
			(select count(*) from (select from {s}.river_job where state = 'available' and queue = $2 limit $4) as submits),
			(select count(*) from (select from {s}.river_job where state = 'available' and queue = $3 limit $5) as finishes),
			least($6::float8,
				(select extract(epoch from due - now())::float8 from {s}.scriptix_record
					where account = $1 and due > now() and phase = 'claimed' order by due limit 1),
				(select extract(epoch from due - now())::float8 from {s}.scriptix_record
					where account = $1 and due > now() and due < now() + make_interval(secs => $6::float8)
						and phase <> 'claimed' and phase <> 'submitted' order by due limit 1))`)
	err = s.pool.QueryRow(ctx, look, s.account, queueName("submit", s.account), queueName("finish", s.account), mostJobs, finishJobs, pumpEvery.Seconds()).
		Scan(&now.Orphans, &now.Following, &now.Claimed, &now.Submits, &now.Finishes, &now.Next)
	return now, err
}

// round hands out what is due, and says when it is worth to look again.
func (p *pump) round(ctx context.Context) (next time.Duration, err error) {
	if err := p.fleet.budget.look(ctx); err != nil {
		return pumpEvery, err
	}
	now, err := p.look(ctx)
	if err != nil {
		return pumpEvery, err
	}
	next = max(time.Duration(now.Next*float64(time.Second)), 0)
	if now.Orphans {
		if err := p.adopt(ctx); err != nil {
			return next, err
		}
		now.Claimed = true
	}
	if now.Following {
		if err := p.follow(ctx, finishJobs-now.Finishes); err != nil {
			return next, err
		}
	}
	if !now.Claimed || p.haltedFor() > 0 {
		return next, nil
	}
	return next, p.handOut(ctx, min(mostJobs, p.fleet.budget.within(rate.Minute))-now.Submits)
}

// adopt takes what the dead have left. Claimed records lose their owner at once,
// so that nothing stays claimed by the dead however long the plan makes it wait.
func (p *pump) adopt(ctx context.Context) error {
	s := p.fleet.store
	free := s.sql(`
		update {s}.scriptix_record set owner = '', rev = rev + 1, due = clock_timestamp()
		where (account, key) in (
			select account, key from {s}.scriptix_record r
			where account = $1 and phase = 'claimed' and owner <> ''
				and not exists (select from {s}.scriptix_process where id = r.owner and until > (select clock_timestamp()))
			limit $2 for update skip locked)`)
	if _, err := s.pool.Exec(ctx, free, s.account, roundSize); err != nil {
		return err
	}
	sent := s.sql("select " + rowColumns + ` from {s}.scriptix_record r
		where account = $1 and phase = 'sent' and owner <> ''
			and not exists (select from {s}.scriptix_process where id = r.owner and until > (select clock_timestamp()))
		limit $2 for update skip locked`)
	return p.each(ctx, sent, 0, s.account, roundSize)
}

// follow does what records need that are due and not claimed. Of those that wait
// for their job, which may be all of 100,000, it only hints to the poller.
func (p *pump) follow(ctx context.Context, finishes int) error {
	s := p.fleet.store
	net := s.sql(`
		with due as (
			select account, key, coalesce(due = hinted, false) as hastened from {s}.scriptix_record
			where account = $1 and due <= now() and phase <> 'claimed' and phase = 'submitted'
				and rec ->> 'confirm' is null
			order by due limit $3 for update skip locked),
		following as (
			update {s}.scriptix_record r set due = clock_timestamp() + make_interval(secs => $2)
			from due where r.account = due.account and r.key = due.key returning r.*, due.hastened)
		select ` + rowColumns + `, hastened from following`)
	rows, err := s.pool.Query(ctx, net, s.account, pollNet.Seconds(), mostJobs)
	if err != nil {
		return err
	}
	var hinted []string
	waiting, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (row, error) {
		var hastened bool
		r, err := scanRow(withMore{from, []any{&hastened}})
		if err == nil && hastened {
			hinted = append(hinted, r.JobID)
		}
		return r, err
	})
	if err != nil {
		return err
	}
	p.poller.follow(p.poller.own(ctx, waiting)) //nolint:contextcheck // the watcher's own
	p.poller.watcher.Hint(hinted...)            //nolint:contextcheck // the watcher's own
	due := s.sql("select " + rowColumns + ` from {s}.scriptix_record
		where account = $1 and due <= now() and phase <> 'claimed'
		order by due limit $2 for update skip locked`)
	return p.each(ctx, due, finishes, s.account, roundSize)
}

// each takes records by a statement that locks them, and does what each of them
// needs next. At most so many finish jobs are inserted.
func (p *pump) each(ctx context.Context, statement string, finishes int, args ...any) error {
	s := p.fleet.store
	return s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, args...)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (row, error) { return scanRow(from) })
		if err != nil {
			return err
		}
		living, err := s.living(ctx, tx)
		if err != nil {
			return err
		}
		for _, r := range due {
			if err := p.next(ctx, tx, r, living, &finishes); err != nil {
				return err
			}
		}
		return nil
	})
}

// next does what one locked record needs.
func (p *pump) next(ctx context.Context, tx pgx.Tx, r row, living map[string]bool, finishes *int) error {
	s, now := p.fleet.store, time.Now()
	alive := func(owner string) bool { return living[owner] }
	action := step.Next(r.Record, now, r.Owner != "" && living[r.Owner], s.patienceWith(r.Record))
	same := func(r ledger.Record) (ledger.Record, error) { return r, nil }
	c := changing{change: same}
	due := func(after time.Duration) func(row, ledger.Record, *follows) {
		return func(_ row, _ ledger.Record, f *follows) { f.due = after }
	}
	switch action.Do {
	case step.Leave:
		c.adjust = due(s.lease)
	case step.Send:
		c.adjust = func(_ row, _ ledger.Record, f *follows) { f.release, f.submit, f.due = true, true, s.lease }
	case step.TakeOver:
		c.change = func(r ledger.Record) (ledger.Record, error) { return step.TakenOver(r, "", alive, now) }
	case step.Await:
		c.adjust = due(action.After)
	case step.Resend:
		c.change = func(r ledger.Record) (ledger.Record, error) { return step.Resent(r, "", now) }
	case step.Report:
		c.adjust = func(old row, r ledger.Record, f *follows) {
			f.number, f.due = !old.outcome, never
			if s.patience.ResubmitAfter > 0 {
				f.due = max(0, s.patience.ResubmitAfter-now.Sub(r.SentAt))
			}
		}
	case step.Follow:
		c.adjust = due(pollNet)
	case step.Confirm, step.Collect, step.Erase:
		inHand := r.Owner != "" && living[r.Owner]
		c.adjust = func(_ row, _ ledger.Record, f *follows) {
			f.due = s.lease
			if *finishes > 0 && !inHand {
				f.finish = true
				*finishes--
			}
		}
	case step.End:
		c.adjust = due(never)
		if r.Phase.Open() {
			c.adjust = due(longestPause) // a phase of a later version, for whoever knows it
		}
	}
	_, err := s.changeLocked(ctx, tx, r, c)
	return err
}

// handOut gives up to n claimed records to whoever is free.
func (p *pump) handOut(ctx context.Context, n int) error {
	if n <= 0 {
		return nil
	}
	s := p.fleet.store
	return s.inTx(ctx, func(tx pgx.Tx) error {
		take := s.sql(`
			update {s}.scriptix_record set due = clock_timestamp() + make_interval(secs => $3), rev = rev + 1
			where (account, key) in (
				select account, key from {s}.scriptix_record
				where account = $1 and due <= now() and phase = 'claimed' and owner = '' and source <> ''
				order by due, key limit $2 for update skip locked)
			returning key`)
		rows, err := tx.Query(ctx, take, s.account, n, s.lease.Seconds())
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(keys) == 0 {
			return err
		}
		jobs := make([]river.InsertManyParams, len(keys))
		for i, key := range keys {
			jobs[i] = river.InsertManyParams{Args: submitJob{s.account, key}, InsertOpts: s.submitOpts()}
		}
		_, err = s.river.InsertManyFastTx(ctx, tx, jobs)
		return err
	})
}

// within is how many more requests the budget lets out within a time.
func (b *Budget) within(span rate.Millis) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil {
		return 0
	}
	now := b.clock()
	// The largest number whose last one fits; what fits only grows with time.
	least, most := 0, mostJobs
	for least < most {
		middle := (least + most + 1) / 2
		if at, _ := b.known.meter.Earliest(now, middle); at <= now+span {
			least = middle
		} else {
			most = middle - 1
		}
	}
	return least
}
