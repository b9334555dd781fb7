package batch

import (
	"context"
	"errors"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// FollowUp stores what came of what a caller does with a transcript after it was
// handed over, such as a program that it starts: failure is nil where it has
// succeeded. The record says so from then on, [Record.WasFollowed], so that a
// later run need not do it again; after a crash before that it is done again.
//
// One recording may go to several places, and each is followed up by itself: place
// is the caller's own word for it, without blanks. [Run] neither starts anything
// nor looks at it. The error is [ErrMoved] before the transcript was handed over.
func FollowUp(ctx context.Context, l Ledger, key, place string, failure error) error {
	if l == nil {
		return errors.New("batch: follow up: the ledger is nil")
	}
	_, err := l.Apply(ctx, key, func(r Record) (Record, error) {
		if failure != nil {
			return ledger.NotFollowed(r, place, failure.Error())
		}
		return ledger.Followed(r, place)
	})
	return err
}
