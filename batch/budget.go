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
// [scriptix.WithBudget]: a batch that is run again goes on with the minute, the
// hour and the day it has already used. Without it each process begins with
// empty windows, and may send twice what the plan allows in a day.
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
}

func (b *budgets) budgetsOf() *budgets { return b }

func (b *budgets) get(l Ledger, limits scriptix.Limits) (scriptix.Budget, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.budget == nil:
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
	ahead := 10
	if limits.PerMinute > 0 {
		ahead = min(max(1, limits.PerMinute/10), ahead)
	}
	stop, err = keep(l, k, ahead)
	if err != nil {
		return nil, nil, err
	}
	return k, stop, nil
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
		return l.StoreBudget(ctx, data)
	}), nil
}
