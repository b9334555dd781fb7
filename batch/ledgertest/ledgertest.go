// Package ledgertest checks that an implementation of [batch.Ledger] keeps what
// the interface promises, so that a batch on it pays for nothing twice and
// loses nothing.
package ledgertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// T is what a check needs of a [*testing.T].
type T interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
	Context() context.Context
}

// Check is one promise of the interface.
type Check struct {
	Name string
	// Run checks it on the ledger, which is new and empty. It does not close it.
	Run func(t T, l batch.Ledger)
}

// Run runs all checks, each on a ledger of its own that open makes, empty. It
// closes them.
func Run(t *testing.T, open func(t *testing.T) batch.Ledger) {
	t.Helper()
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			l := open(t)
			c.Run(t, l)
			if err := l.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Checks returns all of them.
func Checks() []Check {
	return []Check{
		{"a claim stores a record once, and says who was first", claimOnce},
		{"one of many that claim at once gets it", claimRace},
		{"a claim that makes no sense is refused", claimRefused},
		{"a record is found by key, job and token", getByAll},
		{"a change is stored with the next revision, and no change is not", applyStores},
		{"no change is lost when many come at once", applyRace},
		{"an error of the change stores nothing", applyError},
		{"an end is never overwritten", terminalStays},
		{"a text with a NUL does not hold a record up", textKept},
		{"a job is bound to one record, and stays bound", jobBound},
		{"a parked event is found when its job appears, and once", parkedFound},
		{"an event for a job that is known is not parked", parkKnown},
		{"no order of parking and learning loses an event", parkRace},
		{"a watcher hears of an end, of a job and of an earlier due time", watchWakes},
		{"a watch ends with its context and with the ledger", watchEnds},
		{"records come when they are due, the most overdue first, and leased", dueLeased},
		{"all records are walked over", recordsAll},
		{"the budget comes back as it was stored", budgetKept},
		{"what follows the handing over is kept for each place", followedUp},
		{"what is forgotten is found by its old token no more, and not paid for again", forgotten},
		{"an ended context stores nothing", contextEnded},
		{"a closed ledger says so", closed},
	}
}

func claimOnce(t T, l batch.Ledger) {
	first := newRecord("a")
	stored := claim(t, l, first)
	if stored.Revision != 1 || stored.Token != first.Token || stored.Phase != batch.Claimed {
		fatal(t, "the new record is %+v, want revision 1, its own token and phase claimed", stored)
	}
	second := newRecord("a")
	second.Token = "another"
	stored, claimed, err := l.Claim(t.Context(), second)
	if err != nil || claimed || stored.Token != first.Token {
		fatal(t, "a second claim of the key: claimed %v, token %q, error %v; want false, the first one's token, none", claimed, stored.Token, err)
	}
}

func claimRace(t T, l batch.Ledger) {
	const rounds, rivals = 10, 8
	for round := range rounds {
		var mu sync.Mutex
		var wg sync.WaitGroup
		winners := 0
		for i := range rivals {
			wg.Go(func() {
				r := newRecord(fmt.Sprint("race ", round))
				r.Token = fmt.Sprint("token ", round, " ", i)
				_, claimed, err := l.Claim(t.Context(), r)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("Claim: %v", err)
				}
				if claimed {
					winners++
				}
			})
		}
		wg.Wait()
		if winners != 1 {
			fatal(t, "%d of %d claims of one key succeeded, want 1", winners, rivals)
		}
	}
}

func claimRefused(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	for what, r := range map[string]batch.Record{
		"an empty key":            {Token: "t", Phase: batch.Claimed},
		"an empty token":          {Key: "k", Phase: batch.Claimed},
		"a key that is no UTF-8":  {Key: "caf\xe9", Token: "t", Phase: batch.Claimed},
		"another record's token":  {Key: "k", Token: newRecord("a").Token, Phase: batch.Claimed},
		"a record that has a job": {Key: "k", Token: "t", Phase: batch.Submitted, JobID: "j"},
	} {
		if _, claimed, err := l.Claim(t.Context(), r); err == nil || claimed {
			t.Errorf("Claim of %s: claimed %v, error %v; want an error", what, claimed, err)
		}
	}
}

func getByAll(t T, l batch.Ledger) {
	a, b := claim(t, l, newRecord("a")), claim(t, l, newRecord("b"))
	submit(t, l, a.Key, "job a")
	submit(t, l, b.Key, "job b")
	for _, c := range []struct {
		by    batch.Index
		value string
		want  string
	}{{batch.ByKey, "a", "a"}, {batch.ByKey, "b", "b"}, {batch.ByJob, "job b", "b"}, {batch.ByToken, a.Token, "a"}} {
		r, err := l.Get(t.Context(), c.by, c.value)
		if err != nil || r.Key != c.want {
			t.Errorf("Get by %s %q: key %q, error %v; want %q", c.by, c.value, r.Key, err, c.want)
		}
	}
	for _, by := range []batch.Index{batch.ByKey, batch.ByJob, batch.ByToken} {
		for _, value := range []string{"nobody", ""} {
			_, err := l.Get(t.Context(), by, value)
			is(t, fmt.Sprintf("Get by %s %q", by, value), err, batch.ErrNoRecord)
		}
	}
}

func applyStores(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	r, err := l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
		r.Phase, r.Attempts, r.Owner, r.Revision = batch.Sent, 1, "me", 99
		return r, nil
	})
	if err != nil || r.Revision != 2 || r.Phase != batch.Sent || r.Owner != "me" {
		fatal(t, "Apply returned %+v, error %v; want revision 2 and phase sent", r, err)
	}
	if got := get(t, l, "a"); got != r {
		fatal(t, "stored is %+v, want what Apply returned: %+v", got, r)
	}
	r, err = l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) { return r, nil })
	if err != nil || r.Revision != 2 {
		fatal(t, "a change that changes nothing: revision %d, error %v; want 2 as before", r.Revision, err)
	}
	_, err = l.Apply(t.Context(), "nobody", func(r batch.Record) (batch.Record, error) { return r, nil })
	is(t, "Apply to a key that is not there", err, batch.ErrNoRecord)
}

func applyRace(t T, l batch.Ledger) {
	const writers, each = 8, 12
	claim(t, l, newRecord("a"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				_, err := l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
					r.Duplicates++
					return r, nil
				})
				if err != nil {
					t.Errorf("Apply: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if r := get(t, l, "a"); r.Duplicates != writers*each || r.Revision != writers*each+1 {
		fatal(t, "after %d changes the counter is %d and the revision %d: changes were lost", writers*each, r.Duplicates, r.Revision)
	}
}

func applyError(t T, l batch.Ledger) {
	before := claim(t, l, newRecord("a"))
	_, err := l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
		r.Phase = batch.Sent
		return r, errOwn
	})
	is(t, "Apply", err, errOwn)
	if got := get(t, l, "a"); got != before {
		fatal(t, "a change that failed left %+v, want %+v", got, before)
	}
}

func terminalStays(t T, l batch.Ledger) {
	end := func(key string, p batch.Phase) {
		submit(t, l, claim(t, l, newRecord(key)).Key, "job "+key)
		apply(t, l, key, func(r *batch.Record) { r.Phase = p })
	}
	end("completed", batch.Completed)
	end("failed", batch.Failed)
	end("done", batch.Completed)
	apply(t, l, "done", func(r *batch.Record) { r.Phase = batch.Done })
	for key, to := range map[string][]batch.Phase{
		"completed": {batch.Claimed, batch.Sent, batch.Unknown, batch.Submitted, batch.Rejected},
		"failed":    {batch.Claimed, batch.Submitted, batch.Completed, batch.Done},
		"done":      {batch.Claimed, batch.Submitted, batch.Completed, batch.Failed},
	} {
		for _, p := range to {
			_, err := l.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) {
				r.Phase = p
				return r, nil
			})
			is(t, fmt.Sprintf("%s to %s", key, p), err, batch.ErrRule)
			if got := get(t, l, key); string(got.Phase) != key {
				fatal(t, "the end %q was overwritten with %q", key, got.Phase)
			}
		}
	}
}

func jobBound(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	claim(t, l, newRecord("b"))
	submit(t, l, "a", "job")
	_, err := l.Apply(t.Context(), "b", func(r batch.Record) (batch.Record, error) {
		r.Phase, r.JobID = batch.Submitted, "job"
		return r, nil
	})
	is(t, "binding a job of another record", err, batch.ErrJobTaken)
	if b := get(t, l, "b"); b.JobID != "" || b.Phase != batch.Claimed {
		fatal(t, "the refused change was stored: %+v", b)
	}
	_, err = l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
		r.JobID = "other"
		return r, nil
	})
	is(t, "changing a record's job", err, batch.ErrRule)
}

func recordsAll(t T, l batch.Ledger) {
	const n = 603
	want := make(map[string]bool)
	var wg sync.WaitGroup
	for part := range 4 {
		for i := part; i < n; i += 4 {
			want[fmt.Sprint("key ", i)] = true
		}
		wg.Go(func() {
			for i := part; i < n; i += 4 {
				claim(quiet{t}, l, newRecord(fmt.Sprint("key ", i)))
			}
		})
	}
	wg.Wait()
	for r, err := range l.Records(t.Context()) {
		if err != nil {
			fatal(t, "Records: %v", err)
		}
		if !want[r.Key] {
			fatal(t, "Records: %q is there twice, or was never stored", r.Key)
		}
		delete(want, r.Key)
	}
	if len(want) > 0 {
		fatal(t, "Records left out %d of %d", len(want), n)
	}
	for _, err := range l.Records(t.Context()) {
		is(t, "Records that is left early", err, nil)
		break
	}
}

func budgetKept(t T, l batch.Ledger) {
	state, err := l.LoadBudget(t.Context())
	if err != nil || state != nil {
		fatal(t, "the budget of a new ledger is %q, error %v; want nil", state, err)
	}
	for _, want := range []string{`{"day":[[1,2,3]]}`, `{}`} {
		data := []byte(want)
		if err := l.StoreBudget(t.Context(), data); err != nil {
			fatal(t, "StoreBudget: %v", err)
		}
		data[0] = 'x'
		if got, err := l.LoadBudget(t.Context()); err != nil || string(got) != want {
			fatal(t, "the budget came back as %q, error %v; want %q", got, err, want)
		}
	}
}

func contextEnded(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := l.Claim(ctx, newRecord("b"))
	is(t, "Claim", err, context.Canceled)
	_, err = l.Get(ctx, batch.ByKey, "a")
	is(t, "Get", err, context.Canceled)
	_, err = l.Apply(ctx, "a", func(r batch.Record) (batch.Record, error) {
		r.Phase = batch.Sent
		return r, nil
	})
	is(t, "Apply", err, context.Canceled)
	_, err = l.Park(ctx, event("job"))
	is(t, "Park", err, context.Canceled)
	if r := get(t, l, "a"); r.Phase != batch.Claimed {
		fatal(t, "Apply with an ended context stored a change")
	}
	_, err = l.Get(t.Context(), batch.ByKey, "b")
	is(t, "Get of what was claimed with an ended context", err, batch.ErrNoRecord)
}

func closed(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	if err := l.Close(); err != nil {
		fatal(t, "Close: %v", err)
	}
	_, _, err := l.Claim(t.Context(), newRecord("b"))
	is(t, "Claim", err, batch.ErrClosed)
	_, err = l.Get(t.Context(), batch.ByKey, "a")
	is(t, "Get", err, batch.ErrClosed)
	_, err = l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) { return r, nil })
	is(t, "Apply", err, batch.ErrClosed)
	_, err = l.Park(t.Context(), event("job"))
	is(t, "Park", err, batch.ErrClosed)
	_, err = l.Due(t.Context(), 1, time.Minute)
	is(t, "Due", err, batch.ErrClosed)
	_, err = l.Watch(t.Context())
	is(t, "Watch", err, batch.ErrClosed)
	is(t, "StoreBudget", l.StoreBudget(t.Context(), nil), batch.ErrClosed)
	for _, err := range l.Records(t.Context()) {
		is(t, "Records", err, batch.ErrClosed)
	}
	if err := l.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
