package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/scriptix-io/scriptix-go"
)

// Budget returns a request budget whose windows live in the ledger, for
// [scriptix.WithBudget]: whatever the client sends, a batch or not, counts in
// the minute, the hour and the day that earlier processes have begun. A client
// without it has its own limits kept in the ledger by [Run], while that lasts.
//
// The ledger knows of each request before it is sent. That costs one write for
// ten requests, fewer on small plans; after a crash as many may be counted that
// were never sent. When the ledger fails, no request is sent. Close the ledger
// when the client is not used any more.
//
// A ledger of this package is of one key and keeps one budget: called again, it
// returns the same one, for a second client; other limits are an error.
func Budget(l Ledger, limits scriptix.Limits) (scriptix.Budget, error) {
	if own, ok := l.(interface{ budgetsOf() *budgets }); ok {
		return own.budgetsOf().get(l, limits)
	}
	b, _, err := newBudget(l, limits)
	return b, err
}

// budgets is the one budget that a ledger keeps: two would each store a state
// that knows nothing of the other's requests.
type budgets struct {
	mu     sync.Mutex
	budget scriptix.Budget
	limits scriptix.Limits
	stop   func() error
	runs   int // that have their client's own budget kept here; 0: it is that of Budget
}

func (b *budgets) budgetsOf() *budgets { return b }

func (b *budgets) get(l Ledger, limits scriptix.Limits) (scriptix.Budget, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.budget == nil:
	case b.runs > 0:
		return nil, errors.New("batch: budget: a run keeps that of its client in the ledger; ask for the ledger's before")
	case b.limits != limits:
		return nil, errors.New("batch: budget: the ledger keeps one with other limits already")
	default:
		return b.budget, nil
	}
	budget, stop, err := newBudget(l, limits)
	if err != nil {
		return nil, err
	}
	b.budget, b.limits, b.stop = budget, limits, stop
	return budget, nil
}

// lend keeps a client's own budget in the ledger until it is given back. A
// ledger that keeps another one already is left alone: two would overwrite each
// other's windows.
func (b *budgets) lend(l Ledger, k *scriptix.KeyBudget) (giveBack func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.budget == scriptix.Budget(k)
	switch {
	case b.budget == nil:
		stop, err := keep(l, k, ahead(k))
		if err != nil {
			return nil, err
		}
		b.budget, b.stop = k, stop
	case !own || b.runs == 0:
		return func() {}, nil
	}
	b.runs++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.runs--; b.runs == 0 && b.stop != nil {
			_ = b.stop() // what is stored already counts a few too many at worst
			b.budget, b.stop = nil, nil
		}
	}, nil
}

// keepBudget has a run's ledger keep its client's own budget, so that the next
// process does not begin the day anew. A budget of another kind looks after
// itself.
func keepBudget(c *scriptix.Client, l Ledger) (giveBack func(), err error) {
	k := c.KeyBudget()
	if k == nil {
		return func() {}, nil
	}
	if own, ok := l.(interface{ budgetsOf() *budgets }); ok {
		return own.budgetsOf().lend(l, k)
	}
	stop, err := keep(l, k, ahead(k))
	if err != nil {
		return nil, err
	}
	return func() { _ = stop() }, nil
}

// stopBudget stores the last state, which has nothing reserved, before the
// ledger closes.
func (b *budgets) stopBudget() error {
	b.mu.Lock()
	stop := b.stop
	b.stop = nil
	b.mu.Unlock()
	if stop == nil {
		return nil
	}
	return stop()
}

func newBudget(l Ledger, limits scriptix.Limits) (b scriptix.Budget, stop func() error, err error) {
	k, err := scriptix.NewBudget(limits)
	if err != nil {
		return nil, nil, err
	}
	stop, err = keep(l, k, ahead(k))
	if err != nil {
		return nil, nil, err
	}
	return k, stop, nil
}

// ahead is how many requests are stored before they are sent.
func ahead(k *scriptix.KeyBudget) int {
	const most = 10
	if perMinute := k.Snapshot().Minute.Limit; perMinute > 0 {
		return min(max(1, perMinute/10), most)
	}
	return most
}

// keep restores a budget from the ledger, and stores it there from now on.
func keep(l Ledger, b *scriptix.KeyBudget, ahead int) (stop func() error, err error) {
	ctx := context.Background() // a budget belongs to no one call
	stored, err := l.LoadBudget(ctx)
	if err != nil {
		return nil, fmt.Errorf("batch: budget: %w", err)
	}
	if len(stored) > 0 {
		var s scriptix.BudgetState
		if err := json.Unmarshal(stored, &s); err != nil {
			return nil, fmt.Errorf("batch: budget: what the ledger holds cannot be read: %w", err)
		}
		b.Merge(s)
	}
	return b.Keep(ahead, func(s scriptix.BudgetState) error {
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := l.StoreBudget(ctx, data); err != nil {
			return fmt.Errorf("%w: %w", ErrLedger, err)
		}
		return nil
	}), nil
}
