package batch

import (
	"context"
	"errors"
	"fmt"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Forget takes the names, the tokens and the service's words of recordings out
// of a ledger, and keeps what is needed not to pay for them again: key, phase,
// job id and times. It asks the service nothing; [Options.Erase] erases there.
//
// Only what is over can be forgotten: the error names every key that is still
// open, [ErrMoved], or that the ledger does not know, [ErrNoRecord]; the others are
// forgotten all the same. A ledger in a file has the old bytes overwritten before
// Forget returns.
func Forget(ctx context.Context, l Ledger, keys ...string) error {
	if l == nil {
		return errors.New("batch: forget: the ledger is nil")
	}
	var failed []error
	for _, key := range keys {
		token := newToken()
		if _, err := l.Apply(ctx, key, func(r Record) (Record, error) { return ledger.Forgotten(r, token) }); err != nil {
			failed = append(failed, fmt.Errorf("batch: forget %q: %w", key, err))
		}
	}
	if s, ok := l.(ledger.Scrubber); ok && len(keys) > len(failed) {
		if err := s.Scrub(ctx); err != nil {
			failed = append(failed, fmt.Errorf("batch: forget: the old bytes are not overwritten: %w", err))
		}
	}
	return errors.Join(failed...)
}
