package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// pgLedger is one handle on an account's records.
type pgLedger struct {
	*store
	hub   ledger.Hub
	ended chan struct{} // closed with the handle
	close func()
	wg    sync.WaitGroup
}

func newLedger(s *store) *pgLedger {
	l := &pgLedger{store: s, ended: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.ended) })
	return l
}

// enter refuses a call on a closed handle, and one whose context is over.
func (l *pgLedger) enter(ctx context.Context) error {
	if isClosed(l.ended) {
		return ledger.ErrClosed
	}
	return ctx.Err()
}

func (l *pgLedger) Claim(ctx context.Context, r batch.Record) (batch.Record, bool, error) {
	if err := ledger.CheckClaim(r); err != nil {
		return batch.Record{}, false, err
	}
	if hasNUL(r.Key, r.Token, r.Owner) {
		return batch.Record{}, false, errNUL
	}
	if err := l.enter(ctx); err != nil {
		return batch.Record{}, false, err
	}
	r.Revision = 1
	rest, err := encodeRest(r)
	if err != nil {
		return batch.Record{}, false, err
	}
	insert := l.sql(`
		insert into {s}.scriptix_record (account, key, rev, phase, token, owner, due, rec)
		values ($1, $2, 1, $3, $4, $5, $6, $7)
		on conflict (account, key) do nothing
		returning ` + rowColumns + `, pg_notify($8, $9)::text is null`)
	var told bool
	stored, err := scanRow(withMore{l.pool.QueryRow(ctx, insert, l.account, r.Key, string(r.Phase), r.Token, r.Owner,
		dueColumn(r.Due), rest, channel(l.schema), note{recordNote, r.Key}.payload(l.account)), []any{&told}})
	switch {
	case err == nil:
		return stored.Record, true, nil
	case isCode(err, "23505"): // unique violation
		return batch.Record{}, false, ledger.ErrTokenTaken
	case !errors.Is(err, ledger.ErrNoRecord):
		return batch.Record{}, false, err
	}
	stored, err = l.find(ctx, "key", r.Key)
	return stored.Record, false, err
}

func (l *pgLedger) Get(ctx context.Context, by batch.Index, value string) (batch.Record, error) {
	if err := l.enter(ctx); err != nil {
		return batch.Record{}, err
	}
	column := map[batch.Index]string{batch.ByKey: "key", batch.ByJob: "job_id", batch.ByToken: "token"}[by]
	if column == "" {
		return batch.Record{}, ledger.ErrNoRecord
	}
	found, err := l.find(ctx, column, value)
	return found.Record, err
}

func (l *pgLedger) Apply(ctx context.Context, key string, change func(batch.Record) (batch.Record, error)) (batch.Record, error) {
	if err := l.enter(ctx); err != nil {
		return batch.Record{}, err
	}
	var old row
	return l.apply(ctx, key, changing{
		change: change,
		before: func(_ pgx.Tx, r row) error {
			old = r
			return nil
		},
		after: func(tx pgx.Tx, r batch.Record) error {
			again := r.Phase == ledger.Claimed && old.Phase != ledger.Claimed
			if !again || r.Owner != "" || old.enqueued { // an owner has the audio
				return nil
			}
			return l.checkSource(ctx, tx, key)
		},
	})
}

// checkSource refuses to have a record wait for a worker if its source was
// erased: it would wait for ever.
func (s *store) checkSource(ctx context.Context, tx pgx.Tx, key string) error {
	var erased bool
	find := s.sql("select coalesce(jsonb_typeof(params) = 'null', false) from {s}.scriptix_record where account = $1 and key = $2")
	err := tx.QueryRow(ctx, find, s.account, key).Scan(&erased)
	if err == nil && erased {
		err = ErrSourceErased
	}
	return err
}

func (l *pgLedger) Park(ctx context.Context, e batch.Event) (key string, err error) {
	if err := ledger.CheckName(e.JobID); err != nil {
		return "", err
	}
	if err := l.enter(ctx); err != nil {
		return "", err
	}
	if hasNUL(e.JobID) {
		return "", nil // no record can ever have this job
	}
	e.Token = storable(e.Token)
	data, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	err = l.inTx(ctx, func(tx pgx.Tx) error {
		if err := l.lockJob(ctx, tx, e.JobID); err != nil {
			return err
		}
		// A statement of its own: its snapshot is younger than the lock.
		find := l.sql("select coalesce((select key from {s}.scriptix_record where account = $1 and job_id = $2), '')")
		if err := tx.QueryRow(ctx, find, l.account, e.JobID).Scan(&key); err != nil || key != "" {
			return err
		}
		park := l.sql(`
			insert into {s}.scriptix_parked (account, job_id, event) select $1, $2, $3
			where (select count(*) from {s}.scriptix_parked where account = $1 and job_id = $2) < $4`)
		_, err := tx.Exec(ctx, park, l.account, e.JobID, data, ledger.MaxPerJob)
		return err
	})
	if err == nil && rand.N(100) == 0 {
		err = l.trimParked(ctx)
	}
	return key, err
}

// trimParked lets the oldest events go, beyond what a ledger promises to keep.
func (s *store) trimParked(ctx context.Context) error {
	old := s.sql("delete from {s}.scriptix_parked where account = $1 and at < clock_timestamp() - make_interval(secs => $2)")
	if _, err := s.pool.Exec(ctx, old, s.account, ledger.ParkedFor.Seconds()); err != nil {
		return err
	}
	beyond := s.sql(`
		delete from {s}.scriptix_parked where account = $1 and at < (
			select at from {s}.scriptix_parked where account = $1 order by at desc offset $2 limit 1)`)
	_, err := s.pool.Exec(ctx, beyond, s.account, ledger.MaxParked*ledger.MaxPerJob)
	return err
}

func (l *pgLedger) Due(ctx context.Context, limit int, lease time.Duration) ([]batch.Record, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	take := l.sql(`
		with due as (
			select account, key, due as was from {s}.scriptix_record
			where account = $1 and due <= now() order by due, key limit $2 for update skip locked),
		handed as (
			update {s}.scriptix_record r set rev = rev + 1, due = date_trunc('milliseconds', clock_timestamp() + make_interval(secs => $3))
			from due where r.account = due.account and r.key = due.key returning r.*, due.was)
		select ` + rowColumns + ` from handed order by was, key`)
	rows, err := l.pool.Query(ctx, take, l.account, max(limit, 0), lease.Seconds())
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (batch.Record, error) {
		due, err := scanRow(r)
		return due.Record, err
	})
	return found, err
}

func (l *pgLedger) Watch(ctx context.Context) (<-chan string, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	stop, err := l.notes.subscribe(ctx, func(n note) {
		if n.about != budgetNote {
			l.hub.Tell(n.name)
		}
	})
	if err != nil {
		return nil, err
	}
	changes, err := l.hub.Watch(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	out := make(chan string)
	l.wg.Go(func() {
		defer close(out)
		defer stop()
		for key := range changes { // until ctx ends or the handle is closed
			select {
			case out <- key:
			case <-ctx.Done():
			case <-l.ended:
			}
		}
	})
	return out, nil
}

func (l *pgLedger) Records(ctx context.Context) iter.Seq2[batch.Record, error] {
	return func(yield func(batch.Record, error) bool) {
		const page = 500
		next := l.sql("select " + rowColumns + " from {s}.scriptix_record where account = $1 and key > $2 order by key limit $3")
		for last := ""; ; {
			if err := l.enter(ctx); err != nil {
				yield(batch.Record{}, err)
				return
			}
			rows, err := l.pool.Query(ctx, next, l.account, last, page)
			if err != nil {
				yield(batch.Record{}, err)
				return
			}
			found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) { return scanRow(r) })
			if err != nil {
				yield(batch.Record{}, err)
				return
			}
			for _, r := range found {
				if !yield(r.Record, nil) {
					return
				}
				last = r.Key
			}
			if len(found) < page {
				return
			}
		}
	}
}

// LoadBudget returns what StoreBudget stored. It is not the account's shared
// budget, which has a row and a form of its own.
func (l *pgLedger) LoadBudget(ctx context.Context) ([]byte, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	var state []byte
	load := l.sql("select state from {s}.scriptix_budget where account = $1")
	err := l.pool.QueryRow(ctx, load, ownBudget(l.account)).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return state, err
}

func (l *pgLedger) StoreBudget(ctx context.Context, state []byte) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	save := l.sql(`
		insert into {s}.scriptix_budget (account, limits, state) values ($1, '{}', $2)
		on conflict (account) do update set state = excluded.state`)
	_, err := l.pool.Exec(ctx, save, ownBudget(l.account), state)
	return err
}

// ownBudget names the row of a budget that a caller of the ledger keeps. No
// account has a control character in its name.
func ownBudget(account string) string { return "ledger\n" + account }

// Close lets go of the handle. The fleet and its other handles go on.
func (l *pgLedger) Close() error {
	l.close()
	l.hub.Close()
	l.wg.Wait()
	return nil
}

var errNUL = errors.New("fleet: a key, token or owner with a NUL byte: PostgreSQL keeps none")

// withMore scans columns behind those that a record has.
type withMore struct {
	pgx.Row
	more []any
}

func (w withMore) Scan(columns ...any) error { return w.Row.Scan(append(columns, w.more...)...) }
