package batch

import (
	"context"
	"encoding/json"
	"fmt"

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
func Budget(l Ledger, limits scriptix.Limits) (scriptix.Budget, error) {
	b, err := scriptix.NewBudget(limits)
	if err != nil {
		return nil, err
	}
	ahead := 10
	if limits.PerMinute > 0 {
		ahead = min(max(1, limits.PerMinute/10), ahead)
	}
	stop, err := keep(l, b, ahead)
	if err != nil {
		return nil, err
	}
	if c, ok := l.(interface{ onClose(f func() error) }); ok {
		c.onClose(stop) // the last state has nothing reserved
	}
	return b, nil
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
