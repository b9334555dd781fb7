package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// dialect is the one of the API that this process speaks.
func (w *work) dialect() string { return w.client.Dialect().String() }

// foreign says that a record's job was made in another dialect than this process
// speaks, so that nothing can be asked about it.
func (w *work) foreign(r ledger.Record) error { return ledger.CheckDialect(r, w.dialect()) }

// leaveForeign leaves such a record to a process that speaks its dialect, and
// reports that once: there may be none any more.
func (w *work) leaveForeign(ctx context.Context, key string) {
	_, err := w.fleet.store.apply(ctx, key, changing{
		change: func(r ledger.Record) (ledger.Record, error) {
			if err := w.foreign(r); err != nil && r.Failure == "" {
				r.Failure = err.Error()
			}
			return r, nil
		},
		adjust: func(old row, _ ledger.Record, f *follows) {
			if err := w.foreign(old.Record); err != nil {
				f.due, f.number = longestPause, old.Failure == ""
			}
		},
	})
	if err != nil && ctx.Err() == nil {
		w.fleet.store.log.WarnContext(ctx, "fleet: that a job is of another dialect was not stored", "key", key, "error", err)
	}
}

// foreignError is the error that leaveForeign stored in a record, or nil.
func foreignError(failure string) error {
	if rest, found := strings.CutPrefix(failure, ledger.ErrDialect.Error()); found {
		return fmt.Errorf("%w%s", ledger.ErrDialect, rest)
	}
	return nil
}
