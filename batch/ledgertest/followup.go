package ledgertest

import (
	"errors"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// followedUp checks that a ledger keeps for which places what a caller does with
// a transcript has succeeded, and why it failed.
func followedUp(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	submit(t, l, "a", "job a")
	is(t, "FollowUp of what was not handed over", batch.FollowUp(t.Context(), l, "a", "one", nil), batch.ErrMoved)
	is(t, "FollowUp of a key that is not there", batch.FollowUp(t.Context(), l, "nobody", "one", nil), batch.ErrNoRecord)
	apply(t, l, "a", func(r *batch.Record) {
		r.Phase, r.EndedAt = batch.Completed, time.Now().UTC().Truncate(time.Millisecond)
	})
	apply(t, l, "a", func(r *batch.Record) { r.Phase = batch.Done })

	is(t, "FollowUp of a place with a blank", batch.FollowUp(t.Context(), l, "a", "one two", nil), batch.ErrRule)
	is(t, "FollowUp that failed", batch.FollowUp(t.Context(), l, "a", "one", errors.New("exit\x00 3")), nil)
	if r := get(t, l, "a"); r.WasFollowed("one") || !strings.HasPrefix(r.FollowFailure, "exit") || strings.Contains(r.FollowFailure, "\x00") {
		t.Errorf("after a failure: followed %q, failure %q", r.Followed, r.FollowFailure)
	}
	for _, place := range []string{"one", "three", "one"} {
		is(t, "FollowUp that succeeded", batch.FollowUp(t.Context(), l, "a", place, nil), nil)
	}
	is(t, "FollowUp that fails after it succeeded", batch.FollowUp(t.Context(), l, "a", "three", errors.New("too late")), nil)
	r := get(t, l, "a")
	if !r.WasFollowed("one") || r.WasFollowed("two") || !r.WasFollowed("three") || r.WasFollowed("thr") || r.FollowFailure != "" {
		t.Errorf("after two successes: followed %q, failure %q", r.Followed, r.FollowFailure)
	}
	if r.Followed != "one three" || r.Phase != batch.Done {
		t.Errorf("followed %q in phase %s, want each place once in phase done", r.Followed, r.Phase)
	}
	is(t, "Forget", batch.Forget(t.Context(), l, "a"), nil)
	if r := get(t, l, "a"); r.Followed != "" || r.FollowFailure != "" {
		t.Errorf("the record that was forgotten still tells what followed: %+v", r)
	}
}
