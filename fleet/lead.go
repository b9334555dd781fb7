package fleet

import (
	"context"
	"sync"
	"time"
)

// leaderLease is how long an account is led by a process that is not heard of.
// It is no longer than Options.Lease, so that what a dead leader had in hand is
// taken over as soon as what others had.
const leaderLease = 15 * time.Second

// lead has this process lead its account whenever nobody else does.
func (r *running) lead(ctx context.Context) {
	s := r.fleet.store
	span := min(leaderLease, s.lease)
	term := term{}
	defer term.end()
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, span)
		began := time.Now()
		leads, err := s.campaign(limited, r.process.id, span)
		cancel()
		switch {
		case err == nil && leads:
			term.until = began.Add(span)
			term.begin(ctx, r)
		case err == nil, time.Now().After(term.until):
			term.end()
		}
		pause(ctx, span/3, nil)
	}
}

// campaign takes or keeps the lease on leading the account.
func (s *store) campaign(ctx context.Context, id string, span time.Duration) (leads bool, err error) {
	take := s.sql(`
		with taken as (
			insert into {s}.scriptix_lease as l (name, owner, until) values ($1, $2, clock_timestamp() + make_interval(secs => $3))
			on conflict (name) do update set owner = excluded.owner, until = excluded.until
				where l.owner = excluded.owner or l.until < clock_timestamp()
			returning 1)
		select exists (select from taken)`)
	err = s.pool.QueryRow(ctx, take, "lead "+s.account, id, span.Seconds()).Scan(&leads)
	return leads, err
}

// term is a process's time as the leader.
type term struct {
	until  time.Time // by our clock, when others may lead
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (t *term) begin(ctx context.Context, r *running) {
	if t.cancel != nil {
		return
	}
	r.fleet.store.log.InfoContext(ctx, "fleet: this process leads its account", "process", r.process.id)
	leading, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	poller := newPoller(r.work, r.polls, r.pollsMade)
	pump := &pump{work: r.work, poller: poller}
	news := make(chan struct{}, 1)
	t.wg.Go(func() {
		stop, err := r.fleet.store.notes.subscribe(leading, func(n note) {
			poller.noticed(n)
			if n.about == dueNote || n.about == "" {
				signal(news)
			}
		})
		if err == nil {
			defer stop()
		}
		var inner sync.WaitGroup
		defer inner.Wait()
		inner.Go(func() { poller.run(leading) })
		inner.Go(func() { pump.run(leading, news) })
		inner.Go(func() { r.fleet.retain(leading) })
	})
}

func (t *term) end() {
	if t.cancel == nil {
		return
	}
	t.cancel()
	t.wg.Wait()
	t.cancel = nil
}

// run makes rounds until ctx ends: every few seconds, and when notified.
func (p *pump) run(ctx context.Context, news <-chan struct{}) {
	for ctx.Err() == nil {
		next, err := p.round(ctx)
		if err != nil && ctx.Err() == nil {
			p.fleet.store.log.WarnContext(ctx, "fleet: a round of handing out failed", "error", err)
		}
		pause(ctx, pumpAtMost, nil)
		pause(ctx, next-pumpAtMost, news)
	}
}
