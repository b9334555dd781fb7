package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
)

// process is a started fleet as the others see it: a lease in the database that
// it renews, and with it all that it holds.
type process struct {
	*store
	id   string // never used again
	info processInfo

	mu      sync.Mutex
	renewed time.Time                       // when the renewal that succeeded last was begun
	busy    map[string]bool                 // keys that this process works on
	cut     map[int]context.CancelCauseFunc // uploads that are not all out
	nextID  int

	over chan struct{} // closed when the process has left
}

// processInfo is what a process tells of itself.
type processInfo struct {
	Account string          `json:"account"`
	Host    string          `json:"host"`
	PID     int             `json:"pid"`
	Started time.Time       `json:"started"`
	Limits  scriptix.Limits `json:"limits"`
	Works   bool            `json:"works"`
}

var (
	errLeaseOver  = errors.New("fleet: this process was not heard of for longer than its lease, so others take over")
	errNotStarted = errors.New("fleet: not started")
)

func newProcess(s *store, limits scriptix.Limits, works bool) *process {
	host, _ := os.Hostname()
	return &process{
		store: s, id: newToken(), over: make(chan struct{}), busy: make(map[string]bool), cut: make(map[int]context.CancelCauseFunc),
		info: processInfo{Account: s.account, Host: host, PID: os.Getpid(), Started: time.Now().UTC(), Limits: limits, Works: works},
	}
}

// renew extends the lease, and the due times of what the process holds.
func (p *process) renew(ctx context.Context) error {
	began := time.Now()
	info, err := json.Marshal(p.info)
	if err != nil {
		return err
	}
	renew := p.sql(`
		with renewed as (
			insert into {s}.scriptix_process (id, until, info) values ($1, clock_timestamp() + make_interval(secs => $2), $3)
			on conflict (id) do update set until = excluded.until)
		update {s}.scriptix_record set due = clock_timestamp() + make_interval(secs => $2)
		where owner = $1 and phase in ('claimed', 'sent') and owner <> ''`)
	if _, err := p.pool.Exec(ctx, renew, p.id, p.lease.Seconds(), info); err != nil {
		return err
	}
	if keys := p.working(); len(keys) > 0 {
		finishing := p.sql(`
			update {s}.scriptix_record set due = clock_timestamp() + make_interval(secs => $3)
			where account = $1 and key = any($2) and owner = $4 and phase in ('submitted', 'completed', 'erasing')`)
		if _, err := p.pool.Exec(ctx, finishing, p.account, keys, p.lease.Seconds(), p.id); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.renewed = began
	p.mu.Unlock()
	return nil
}

// beat renews the lease until ctx ends. Past the lease whatever is not all out
// is cut, because others begin it anew.
func (p *process) beat(ctx context.Context) {
	ticker := time.NewTicker(p.lease / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		limited, cancel := context.WithTimeout(ctx, p.lease)
		err := p.renew(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "fleet: the lease was not renewed", "error", err)
		}
	}
}

// watchLease cuts uploads when the lease is over, also while the database hangs.
func (p *process) watchLease(ctx context.Context) {
	ticker := time.NewTicker(p.lease / 8)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if !p.leased() {
				p.cutAll(errLeaseOver)
			}
		case <-ctx.Done():
			return
		}
	}
}

// leased reports whether the others still take this process for alive.
func (p *process) leased() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.renewed) < p.lease
}

// leave gives back what the process holds, and its lease.
func (p *process) leave(ctx context.Context) error {
	release := p.sql(`
		with released as (
			update {s}.scriptix_record set owner = '', due = clock_timestamp(), rev = rev + 1
			where owner = $1 and phase = 'claimed' and owner <> '' returning 1),
		gone as (delete from {s}.scriptix_process where id = $1 returning 1),
		lead as (delete from {s}.scriptix_lease where owner = $1 returning 1)
		select pg_notify($2, $3) from gone`)
	_, err := p.pool.Exec(ctx, release, p.id, channel(p.schema), note{}.payload(p.account))
	return err
}

// take marks a key as worked on, unless it is.
func (p *process) take(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[key] {
		return false
	}
	p.busy[key] = true
	return true
}

func (p *process) release(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, key)
}

func (p *process) working() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := make([]string, 0, len(p.busy))
	for key := range p.busy {
		keys = append(keys, key)
	}
	return keys
}

// uploading registers an upload, which may be cut as long as it is not all out.
// The function says whether it is.
func (p *process) uploading(cut context.CancelCauseFunc) (whole func(bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.nextID
	p.nextID++
	p.cut[id] = cut
	return func(out bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if out {
			delete(p.cut, id)
		} else {
			p.cut[id] = cut
		}
	}
}

func (p *process) cutAll(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cut := range p.cut {
		cut(cause)
	}
}

// living returns the processes that hold their lease.
func (s *store) living(ctx context.Context, tx pgx.Tx) (map[string]bool, error) {
	rows, err := tx.Query(ctx, s.sql("select id from {s}.scriptix_process where until > (select clock_timestamp())"))
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	living := make(map[string]bool, len(ids))
	for _, id := range ids {
		living[id] = true
	}
	return living, nil
}

// join enters the account with this process's limits, or takes over those of
// the others where it has none. Members with different limits would each keep
// a plan that the key does not have.
func (p *process) join(ctx context.Context) error {
	return p.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended('scriptix limits ' || $1 || chr(10) || $2, 0))", p.schema, p.account); err != nil {
			return err
		}
		find := p.sql(`
			select info from {s}.scriptix_process
			where until > (select clock_timestamp()) and info ->> 'account' = $1 and id <> $2`)
		rows, err := tx.Query(ctx, find, p.account, p.id)
		if err != nil {
			return err
		}
		others, err := pgx.CollectRows(rows, pgx.RowTo[processInfo])
		if err != nil {
			return err
		}
		for _, other := range others {
			if other.Limits == (scriptix.Limits{}) {
				continue
			}
			if p.info.Limits == (scriptix.Limits{}) {
				p.info.Limits = other.Limits
			}
			if other.Limits != p.info.Limits {
				return fmt.Errorf("the members of account %q have different limits: %s here (process %d on %s), and %s there (process %d on %s)",
					p.account, describe(p.info.Limits), p.info.PID, p.info.Host, describe(other.Limits), other.PID, other.Host)
			}
		}
		return p.enroll(ctx, tx)
	})
}

func (p *process) enroll(ctx context.Context, tx pgx.Tx) error {
	began := time.Now()
	info, err := json.Marshal(p.info)
	if err != nil {
		return err
	}
	insert := p.sql("insert into {s}.scriptix_process (id, until, info) values ($1, clock_timestamp() + make_interval(secs => $2), $3)")
	if _, err := tx.Exec(ctx, insert, p.id, p.lease.Seconds(), info); err != nil {
		return err
	}
	p.mu.Lock()
	p.renewed = began
	p.mu.Unlock()
	return nil
}

func describe(l scriptix.Limits) string {
	return fmt.Sprintf("%d a minute, %d an hour, %d a day, %d at once", l.PerMinute, l.PerHour, l.PerDay, l.Concurrent)
}
