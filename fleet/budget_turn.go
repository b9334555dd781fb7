package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

const (
	firstPauseOfBudget = 100 * time.Millisecond
	lastPauseOfBudget  = 5 * time.Second
	turnTimeout        = 30 * time.Second
)

// start begins to grant, in the name of a process.
func (b *Budget) start(ctx context.Context, p *process) error {
	limits := p.info.Limits
	keep := ""
	if limits == (scriptix.Limits{}) {
		limits, keep = scriptix.DefaultLimits, "and false" // whatever the account has
	}
	data, err := json.Marshal(limits)
	if err != nil {
		return err
	}
	insert := b.store.sql(`
		insert into {s}.scriptix_budget as b (account, limits, state) values ($1, $2, '')
		on conflict (account) do update set limits = excluded.limits where b.limits <> excluded.limits ` + keep)
	if _, err := b.store.pool.Exec(ctx, insert, b.store.account, data); err != nil {
		return err
	}
	b.mu.Lock()
	b.process, b.closed, b.known = p, [rate.Classes]bool{}, newSharedBudget(limits)
	b.asleep, b.done = [rate.Classes]rate.Millis{}, make(chan struct{})
	b.mu.Unlock()
	return b.look(ctx)
}

// run takes turns until ctx ends.
func (b *Budget) run(ctx context.Context) {
	defer close(b.done)
	wait := firstPauseOfBudget
	for ctx.Err() == nil {
		t, idle := b.prepare()
		if idle >= 0 {
			pause(ctx, idle, b.wake)
			continue
		}
		limited, cancel := context.WithTimeout(ctx, turnTimeout)
		r, err := b.turn(limited, t)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				b.store.log.WarnContext(ctx, "fleet: the request budget cannot be reached, so nothing is sent", "error", err, "again_in", wait)
			}
			pause(ctx, wait, nil)
			wait = min(2*wait, lastPauseOfBudget)
			continue
		}
		wait = firstPauseOfBudget
		b.conclude(t, r)
	}
}

// prepare gathers what the next turn is to do, or says how long there is nothing.
func (b *Budget) prepare() (t turn, idle time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	b.noticed = false
	idle = time.Hour
	due := len(b.landed) > 0
	for class, queue := range b.queues {
		t.wants[class] = len(queue)
		switch at := b.asleep[class]; {
		case len(queue) == 0:
			due = due || at > 0 // its ticket is to go
		case at <= now:
			due = true
		default:
			idle = min(idle, time.Duration(at-now)*time.Millisecond)
		}
	}
	if !due {
		return t, idle
	}
	t.holder, t.landed, t.flying = b.process.id, slices.Clone(b.landed), make(map[uint64]bool, len(b.flying))
	for number := range b.flying {
		t.flying[number] = true
	}
	return t, -1
}

// turn is one transaction on the account's row.
func (b *Budget) turn(ctx context.Context, t turn) (told, error) {
	var r told
	var after *sharedBudget
	var offset time.Duration
	err := b.store.inTx(ctx, func(tx pgx.Tx) error {
		shared, err := b.read(ctx, tx, &t, " for update", &offset)
		if err != nil {
			return err
		}
		r, after = shared.take(t), shared
		if !r.changed && r.notify == "" {
			return nil
		}
		state, err := shared.encode()
		if err != nil {
			return err
		}
		save := b.store.sql(`
			update {s}.scriptix_budget set state = $2 where account = $1
			returning case when $3 <> '' then pg_notify($4, $3)::text end`)
		notice := ""
		if r.notify != "" {
			notice = note{budgetNote, r.notify}.payload(b.store.account)
		}
		var told *string
		return tx.QueryRow(ctx, save, b.store.account, state, notice, channel(b.store.schema)).Scan(&told)
	})
	if err != nil {
		return told{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.offset, b.turns = after, offset, b.turns+1
	return r, nil
}

// read loads the row; with it, in one round trip and once the row is locked, the
// database's time and who lives.
func (b *Budget) read(ctx context.Context, tx pgx.Tx, t *turn, lock string, offset *time.Duration) (*sharedBudget, error) {
	var state []byte
	var limits scriptix.Limits
	t.living = make(map[string]bool)
	batch := &pgx.Batch{}
	batch.Queue(b.store.sql("select state, limits from {s}.scriptix_budget where account = $1"+lock), b.store.account).
		QueryRow(func(row pgx.Row) error { return row.Scan(&state, &limits) })
	batch.Queue(b.store.sql(`
		select (extract(epoch from clock_timestamp()) * 1000)::int8,
			coalesce(array(select id from {s}.scriptix_process where until > (select clock_timestamp())), '{}')`)).
		QueryRow(func(row pgx.Row) error {
			var now int64
			var living []string
			if err := row.Scan(&now, &living); err != nil {
				return err
			}
			t.now = rate.Millis(now)
			*offset = time.Until(time.UnixMilli(now))
			for _, id := range living {
				t.living[id] = true
			}
			return nil
		})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	return decodeBudget(limits, state)
}

// look reads the row without a change, so that Snapshot is of now.
func (b *Budget) look(ctx context.Context) error {
	var shared *sharedBudget
	var offset time.Duration
	var t turn
	err := b.store.inTx(ctx, func(tx pgx.Tx) (err error) {
		shared, err = b.read(ctx, tx, &t, "", &offset)
		return err
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	shared.last = max(shared.last, t.now)
	if b.known == nil || shared.last >= b.known.last {
		b.known, b.offset = shared, offset
	}
	return nil
}

// conclude hands out what was granted, and fails those whose deadline is too
// early.
func (b *Budget) conclude(t turn, r told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.landed = b.landed[len(t.landed):]
	for _, l := range t.landed {
		delete(b.flying, l.number)
	}
	b.asleep = r.at
	if b.noticed { // which the turn may have been too early for
		b.asleep = [rate.Classes]rate.Millis{}
	}
	for _, f := range r.granted {
		b.flying[f.number] = true
		p := &permit{budget: b, number: f.number, class: f.class}
		queue := b.queues[f.class]
		if len(queue) == 0 { // it has left meanwhile
			b.land(p, landing{number: f.number})
			continue
		}
		first := queue[0]
		b.queues[f.class] = queue[1:]
		first.permit = p
		b.granted(f.class)
		close(first.ready)
	}
	b.failLate()
	for class, queue := range b.queues {
		if len(queue) > 0 && b.asleep[class] == 0 {
			signal(b.wake) // it came during the turn
		}
	}
}

// failLate fails the callers whose place lies beyond their deadline.
func (b *Budget) failLate() {
	now := b.clock()
	for class, queue := range b.queues {
		own := b.known.own(b.process.id, rate.Class(class))
		for place, a := range slices.Clone(queue) {
			if a.deadline.IsZero() {
				continue
			}
			position := place + 1
			if own != nil {
				position = b.known.position(*own) + place
			}
			at, why := b.known.meter.Earliest(now, position)
			if !b.wall(at).After(a.deadline) {
				continue
			}
			a.err = &scriptix.BudgetError{Class: scriptix.Class(class), At: b.wall(at), Reason: why}
			b.remove(a)
			close(a.ready)
		}
	}
}

// notified hears of a notice that a process's ticket may go.
func (b *Budget) notified(n note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil || n.about == budgetNote && n.name != b.process.id {
		return
	}
	b.noticed = true
	for class := range b.asleep {
		if len(b.queues[class]) > 0 {
			b.asleep[class] = 0
		}
	}
	signal(b.wake)
}

// close refuses requests of a class from now on, those that wait included.
func (b *Budget) closeClass(class rate.Class, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed[class] = true
	for _, a := range b.queues[class] {
		a.err = cause
		close(a.ready)
	}
	b.queues[class] = nil
	signal(b.wake)
}

// stop ends the goroutine's work: what has landed is stored, if the database
// lets it.
func (b *Budget) stop(ctx context.Context) error {
	b.mu.Lock()
	started := b.process != nil
	b.mu.Unlock()
	if !started {
		return nil
	}
	for class := range rate.Classes {
		b.closeClass(class, fmt.Errorf("fleet: stopped: %w", errNotStarted))
	}
	var err error
	if t, idle := b.prepare(); idle < 0 {
		if _, err = b.turn(ctx, t); err == nil {
			b.mu.Lock()
			b.landed = b.landed[len(t.landed):]
			b.mu.Unlock()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process = nil
	return err
}
