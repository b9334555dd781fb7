package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// Fleet is one process's part in an account's batch. All its methods may be
// called concurrently.
type Fleet struct {
	store   *store
	options Options
	ledger  *pgLedger // of the fleet's own calls
	results Results
	https   *httpsOpener
	budget  *Budget
	counters

	mu   sync.Mutex
	run  *running             // nil: not started
	work atomic.Pointer[work] // nil: River's workers do nothing
}

// New makes the part of this process in the fleet of an account. It does no I/O:
// the database has to be migrated before the first other call, by [Migrate]. The
// pool stays the caller's, who closes it after Stop.
//
// With a nil Client the fleet can enqueue, receive callbacks and read without
// being started.
func New(pool *pgxpool.Pool, o Options) (*Fleet, error) {
	if pool == nil {
		return nil, errors.New("fleet: New: the pool is nil")
	}
	unheard := step.Patience{UnknownAfter: cmp.Or(o.UnknownAfter, o.ResubmitAfter), ResubmitAfter: o.ResubmitAfter}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	s := &store{pool: pool, schema: o.Schema, account: o.Account, lease: o.Lease, log: o.Logger}
	s.patience, s.unheard = step.Patience{UnknownAfter: o.UnknownAfter, ResubmitAfter: o.ResubmitAfter}, unheard
	s.notes = &listener{pool: pool, schema: o.Schema, account: o.Account, pollOnly: o.PollOnly, log: o.Logger, subs: make(map[int]func(note))}
	f := &Fleet{store: s, options: o, ledger: newLedger(s), results: o.Results, https: newHTTPSOpener(o.AllowPrivate)}
	f.budget = newBudget(s, f.granted)
	if f.results == nil {
		f.results = &pgResults{s}
	}
	if s.river, err = river.NewClient(riverpgxv5.New(pool), f.riverConfig()); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return f, nil
}

// Handler makes the handler that receives the account's callbacks. It verifies
// each one, stores it together with what it calls for, and only then answers
// 200; what cannot be stored is answered with 503 and comes again. It changes
// this account's records alone. The secrets are one, or several while they are
// rotated. Every replica behind a load balancer may have one.
//
// Where the fleet has a Client whose dialect does not sign its callbacks, it is
// [Fleet.HintHandler].
func (f *Fleet) Handler(secrets ...string) (http.Handler, error) {
	if unsigned, err := f.unsigned(); err != nil {
		return nil, fmt.Errorf("fleet: Handler: %w", err)
	} else if unsigned {
		return f.HintHandler(secrets...)
	}
	handler, err := batch.NewHandler(nil, f.ledger, secrets...)
	if err != nil {
		return nil, err
	}
	return f.counted(handler), nil
}

// Ledger returns a handle on the account's records, for [batch.Resubmit],
// [batch.Abandon] and [batch.Export], and for programs of one's own. A change
// made through it has the same effects as one of the fleet. To close it ends
// its watches and nothing else. [batch.Run] is not for records that a fleet
// works on: they would take each other's.
func (f *Fleet) Ledger() batch.Ledger { return newLedger(f.store) }

// Budget returns the request budget of the account's key. It grants while the
// fleet is started.
func (f *Fleet) Budget() *Budget { return f.budget }

// River returns the client of River's queues, for its user interface and for
// metrics. Start and Stop are the fleet's.
func (f *Fleet) River() *river.Client[pgx.Tx] { return f.store.river }

// Status counts the account's records. It reads an index of all of them.
func (f *Fleet) Status(ctx context.Context) (Status, error) {
	s := Status{Counts: make(map[batch.Phase]int)}
	rows, err := f.store.pool.Query(ctx, f.store.sql("select phase, count(*) from {s}.scriptix_record where account = $1 group by phase"), f.store.account)
	if err != nil {
		return s, fmt.Errorf("fleet: status: %w", err)
	}
	var phase string
	var count int
	_, err = pgx.ForEachRow(rows, []any{&phase, &count}, func() error {
		s.Counts[batch.Phase(phase)] = count
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("fleet: status: %w", err)
	}
	return s, nil
}

// queueName is the name that River gets for one of an account's queues. River
// takes fewer names than we do, hence some accounts' are hashed.
func queueName(kind, account string) string {
	if !plainName.MatchString(account) {
		sum := sha256.Sum256([]byte(account))
		account = hex.EncodeToString(sum[:8])
	}
	return kind + "_" + account
}

var plainName = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
