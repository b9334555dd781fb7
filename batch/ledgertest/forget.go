package ledgertest

import (
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// forgotten checks that [batch.Forget] takes a record's words out of every place
// where the ledger keeps them, its indexes among them.
func forgotten(t T, l batch.Ledger) {
	old := claim(t, l, newRecord("a"))
	claim(t, l, newRecord("b"))
	submit(t, l, "a", "job a")
	is(t, "Forget of what is open", batch.Forget(t.Context(), l, "a"), batch.ErrMoved)
	apply(t, l, "a", func(r *batch.Record) {
		r.Phase, r.Failure, r.EndedAt = batch.Failed, "what was said", time.Now().UTC().Truncate(time.Millisecond)
	})
	is(t, "Forget of a key and of one that is not there", batch.Forget(t.Context(), l, "nobody", "a"), batch.ErrNoRecord)

	kept := get(t, l, "a")
	if kept.Name != "" || kept.Failure != "" || kept.Token == old.Token || kept.Token == "" {
		t.Errorf("the record that was forgotten still tells of the recording: %+v", kept)
	}
	if kept.Phase != batch.Failed || kept.JobID != "job a" || kept.ClaimedAt != old.ClaimedAt {
		t.Errorf("the record that was forgotten lost what keeps it from being paid for again: %+v", kept)
	}
	_, err := l.Get(t.Context(), batch.ByToken, old.Token)
	is(t, "Get by a token that was forgotten", err, batch.ErrNoRecord)
	if found, err := l.Get(t.Context(), batch.ByToken, kept.Token); err != nil || found.Key != "a" {
		t.Errorf("Get by the token in its place: key %q, error %v", found.Key, err)
	}
	if _, claimed, err := l.Claim(t.Context(), newRecord("a")); claimed || err != nil {
		t.Errorf("a claim of a key that was forgotten: claimed %v, error %v; want false, none", claimed, err)
	}
	if other := get(t, l, "b"); other.Token != newRecord("b").Token || other.Name != "b.wav" {
		t.Errorf("another record changed: %+v", other)
	}
	// Whoever was given the old token's place finds nobody in it.
	next := newRecord("c")
	next.Token = old.Token
	claim(t, l, next)
}
