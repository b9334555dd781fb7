package ledgertest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// SharedCheck is one promise of a ledger that several processes use at once.
type SharedCheck struct {
	Name string
	// Run checks it on two handles of one store, which is new and empty. It does
	// not close them.
	Run func(t T, a, b batch.Ledger)
}

// RunShared runs all shared checks, each on two handles of a store of its own
// that open makes, empty, as two processes have them. It closes them. What Run
// checks is checked of each handle by that.
func RunShared(t *testing.T, open func(t *testing.T) (a, b batch.Ledger)) {
	t.Helper()
	for _, c := range SharedChecks() {
		t.Run(c.Name, func(t *testing.T) {
			a, b := open(t)
			c.Run(t, a, b)
			for _, l := range []batch.Ledger{a, b} {
				if err := l.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
}

// SharedChecks returns all of them.
func SharedChecks() []SharedCheck {
	return []SharedCheck{
		{"what one handle stores the other one has at once", sharedAtOnce},
		{"of claims on both handles one gets the record", sharedClaim},
		{"no change is lost when both handles change a record", sharedApply},
		{"no order of parking here and learning there loses an event", sharedPark},
		{"a job is bound once, whichever handle binds it", sharedJob},
		{"a due record is handed to one of both handles", sharedDue},
		{"a watcher hears of what the other handle stores", sharedWatch},
		{"the budget is one", sharedBudget},
	}
}

func sharedAtOnce(t T, a, b batch.Ledger) {
	for i := range 20 {
		key := fmt.Sprint("k", i)
		claim(t, a, newRecord(key))
		if got := get(t, b, key); got.Revision != 1 {
			fatal(t, "the other handle has revision %d, want 1", got.Revision)
		}
		submit(t, b, key, "job of "+key)
		if got := get(t, a, key); got.Phase != batch.Submitted || got.Revision != 2 {
			fatal(t, "the first handle has %s at revision %d, want submitted at 2", got.Phase, got.Revision)
		}
	}
}

func sharedClaim(t T, a, b batch.Ledger) {
	for round := range 20 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		winners := 0
		for i := range 8 {
			l := []batch.Ledger{a, b}[i%2]
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
			fatal(t, "%d claims of one key succeeded, want 1", winners)
		}
	}
}

func sharedApply(t T, a, b batch.Ledger) {
	const writers, each = 6, 10
	claim(t, a, newRecord("a"))
	var wg sync.WaitGroup
	for i := range writers {
		l := []batch.Ledger{a, b}[i%2]
		wg.Go(func() {
			for range each {
				if _, err := l.Apply(t.Context(), "a", func(r batch.Record) (batch.Record, error) {
					r.Duplicates++
					return r, nil
				}); err != nil {
					t.Errorf("Apply: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if r := get(t, b, "a"); r.Duplicates != writers*each {
		fatal(t, "after %d changes the counter is %d: changes were lost", writers*each, r.Duplicates)
	}
}

func sharedPark(t T, a, b batch.Ledger) {
	for round := range 40 {
		key, job := fmt.Sprint("k", round), fmt.Sprint("j", round)
		claim(t, a, newRecord(key))
		var wg sync.WaitGroup
		var known string
		wg.Go(func() {
			var err error
			if known, err = b.Park(t.Context(), event(job)); err != nil {
				t.Errorf("Park: %v", err)
			}
		})
		wg.Go(func() { submit(quiet{t}, a, key, job) })
		wg.Wait()
		if phase := get(t, a, key).Phase; (phase == batch.Completed) == (known == key) {
			fatal(t, "the record is %s and Park named %q: want completed by the parked event, or named, and not both", phase, known)
		}
	}
}

func sharedJob(t T, a, b batch.Ledger) {
	for round := range 10 {
		job := fmt.Sprint("job ", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		bound := 0
		for i, l := range []batch.Ledger{a, b} {
			key := fmt.Sprint(round, " ", i)
			claim(t, l, newRecord(key))
			wg.Go(func() {
				_, err := l.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) {
					r.Phase, r.JobID = batch.Submitted, job
					return r, nil
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					bound++
				} else {
					is(t, "binding a job of another record", err, batch.ErrJobTaken)
				}
			})
		}
		wg.Wait()
		if bound != 1 {
			fatal(t, "%d records are bound to one job", bound)
		}
	}
}

func sharedDue(t T, a, b batch.Ledger) {
	const n = 30
	for i := range n {
		key := fmt.Sprint("k", i)
		claim(t, a, newRecord(key))
		apply(t, a, key, func(r *batch.Record) { r.Due = time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond) })
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	handed := make(map[string]int)
	for i := range 4 {
		l := []batch.Ledger{a, b}[i%2]
		wg.Go(func() {
			for range n { // bounded: each call that is not the last one hands out three
				due, err := l.Due(t.Context(), 3, time.Hour)
				if err != nil {
					t.Errorf("Due: %v", err)
				}
				mu.Lock()
				for _, r := range due {
					handed[r.Key]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for key, times := range handed {
		if times != 1 {
			fatal(t, "%q was handed out %d times within its lease", key, times)
		}
	}
	if len(handed) != n {
		fatal(t, "%d of %d due records were handed out", len(handed), n)
	}
}

func sharedWatch(t T, a, b batch.Ledger) {
	claim(t, a, newRecord("a"))
	heard, err := b.Watch(t.Context())
	if err != nil {
		fatal(t, "Watch: %v", err)
	}
	submit(t, a, "a", "job")
	timeout := time.After(patience)
	for {
		select {
		case key := <-heard:
			if key == "a" || key == "" {
				return
			}
		case <-timeout:
			fatal(t, "a watcher was not woken by a change that the other handle stored")
		}
	}
}

func sharedBudget(t T, a, b batch.Ledger) {
	if err := a.StoreBudget(t.Context(), []byte("state")); err != nil {
		fatal(t, "StoreBudget: %v", err)
	}
	if got, err := b.LoadBudget(t.Context()); err != nil || string(got) != "state" {
		fatal(t, "the other handle has the budget %q, error %v; want what was stored", got, err)
	}
}

// textKept is one of the checks of a single handle: what a service says of a
// failure may hold what a database's text or JSON does not.
func textKept(t T, l batch.Ledger) {
	submit(t, l, claim(t, l, newRecord("a")).Key, "job")
	r := apply(t, l, "a", func(r *batch.Record) { r.Phase, r.Failure = batch.Failed, "before\x00between\xffafter" })
	if got := get(t, l, "a"); got != r {
		fatal(t, "stored is %+v, want what Apply returned: %+v", got, r)
	}
	if r.Phase != batch.Failed || !strings.HasPrefix(r.Failure, "before") || !strings.HasSuffix(r.Failure, "after") {
		fatal(t, "a failure with a NUL and a byte that is no UTF-8 became %s with %q; want failed, and its readable parts", r.Phase, r.Failure)
	}
}
