package ledgertest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledgertest"
)

func TestTheLedgerInMemoryConforms(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(*testing.T) batch.Ledger { return batch.Memory() })
}

func TestTheLedgerInAFileConforms(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) batch.Ledger {
		t.Helper()
		l, err := batch.Open(filepath.Join(t.TempDir(), "ledger"))
		require.NoError(t, err)
		return l
	})
}

// handle is one of several on a store, which outlives it.
type handle struct{ batch.Ledger }

func (handle) Close() error { return nil }

func TestTwoHandlesOnOneStoreConform(t *testing.T) {
	t.Parallel()
	ledgertest.RunShared(t, func(*testing.T) (a, b batch.Ledger) {
		l := batch.Memory()
		return handle{l}, handle{l}
	})
}

func TestTheSharedChecksFindAHandleThatKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	for _, check := range ledgertest.SharedChecks() {
		if check.Name == "a due record is handed to one of both handles" {
			continue // neither of two stores hands out what the other has
		}
		r := &recorder{ctx: t.Context()}
		done := make(chan struct{})
		go func() {
			defer close(done)
			check.Run(r, batch.Memory(), batch.Memory())
		}()
		<-done
		assert.NotEmpty(t, r.messages, check.Name)
	}
}

func TestTheSuiteFindsEachBrokenLedger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ledger func() batch.Ledger
		found  string // the check that must fail
	}{
		"lost update":          {func() batch.Ledger { return &lostUpdate{Ledger: batch.Memory()} }, "no change is lost when many come at once"},
		"double claim":         {func() batch.Ledger { return &doubleClaim{Ledger: batch.Memory()} }, "one of many that claim at once gets it"},
		"forgotten park":       {func() batch.Ledger { return &forgottenPark{Ledger: batch.Memory()} }, "a parked event is found when its job appears, and once"},
		"terminal overwritten": {func() batch.Ledger { return &overwritten{Ledger: batch.Memory()} }, "an end is never overwritten"},
		"token kept":           {func() batch.Ledger { return &tokenKept{Ledger: batch.Memory()} }, "what is forgotten is found by its old token no more, and not paid for again"},
		"watch never wakes":    {func() batch.Ledger { return &deaf{Ledger: batch.Memory()} }, "a watcher hears of an end, of a job and of an earlier due time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var failed []string
			for _, check := range ledgertest.Checks() {
				if messages := observe(t.Context(), check, c.ledger()); len(messages) > 0 {
					failed = append(failed, check.Name)
					t.Logf("%s: %s", check.Name, messages[0])
				}
			}
			assert.Contains(t, failed, c.found)
			assert.Less(t, len(failed), 4, "a ledger broken in one way fails few checks: %v", failed)
		})
	}
}

// observe runs a check and returns how it failed.
func observe(ctx context.Context, check ledgertest.Check, l batch.Ledger) []string {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check.Run(r, l)
	}()
	<-done
	return slices.Clone(r.messages)
}

// recorder is a T that keeps what failed.
type recorder struct {
	ctx      context.Context //nolint:containedctx // as in testing.T
	mu       sync.Mutex
	messages []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) FailNow()                 { runtime.Goexit() }
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

// lostUpdate stores what the change made of a record that may be old by then.
type lostUpdate struct{ batch.Ledger }

func (l *lostUpdate) Apply(ctx context.Context, key string, change func(batch.Record) (batch.Record, error)) (batch.Record, error) {
	old, err := l.Get(ctx, batch.ByKey, key)
	if err != nil {
		return old, err
	}
	made, err := change(old)
	if err != nil {
		return old, err
	}
	runtime.Gosched()
	return l.Ledger.Apply(ctx, key, func(batch.Record) (batch.Record, error) { return made, nil })
}

// doubleClaim lets the first two who claim a key believe that they have it, as
// one that looks first and stores later does to two that come at once.
type doubleClaim struct {
	batch.Ledger
	mu     sync.Mutex
	claims map[string]int
}

func (l *doubleClaim) Claim(ctx context.Context, r batch.Record) (batch.Record, bool, error) {
	stored, claimed, err := l.Ledger.Claim(ctx, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims == nil {
		l.claims = make(map[string]int)
	}
	l.claims[r.Key]++
	return stored, claimed || err == nil && l.claims[r.Key] == 2, err
}

// forgottenPark keeps no event.
type forgottenPark struct{ batch.Ledger }

func (l *forgottenPark) Park(ctx context.Context, e batch.Event) (string, error) {
	if r, err := l.Get(ctx, batch.ByJob, e.JobID); err == nil {
		return r.Key, nil
	}
	return "", ctx.Err()
}

// overwritten stores any change of a record that has ended.
type overwritten struct {
	batch.Ledger
	mu    sync.Mutex
	after map[string]batch.Record
}

func (l *overwritten) Apply(ctx context.Context, key string, change func(batch.Record) (batch.Record, error)) (batch.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, err := l.get(ctx, batch.ByKey, key)
	if err != nil || !old.Phase.Ended() {
		return l.Ledger.Apply(ctx, key, change)
	}
	made, err := change(old)
	if err != nil || made == old {
		return old, err
	}
	if made.JobID != old.JobID {
		return old, batch.ErrRule
	}
	made.Revision = old.Revision + 1
	if l.after == nil {
		l.after = make(map[string]batch.Record)
	}
	l.after[key] = made
	return made, nil
}

func (l *overwritten) Get(ctx context.Context, by batch.Index, value string) (batch.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.get(ctx, by, value)
}

func (l *overwritten) get(ctx context.Context, by batch.Index, value string) (batch.Record, error) {
	r, err := l.Ledger.Get(ctx, by, value)
	if made, ok := l.after[r.Key]; ok {
		r = made
	}
	return r, err
}

// tokenKept stores the token of a claim and no other.
type tokenKept struct {
	batch.Ledger
	tokens sync.Map // keys by the first token
}

func (l *tokenKept) Claim(ctx context.Context, r batch.Record) (batch.Record, bool, error) {
	stored, claimed, err := l.Ledger.Claim(ctx, r)
	if claimed {
		l.tokens.Store(r.Token, r.Key)
	}
	return stored, claimed, err
}

func (l *tokenKept) Get(ctx context.Context, by batch.Index, value string) (batch.Record, error) {
	if key, ok := l.tokens.Load(value); ok && by == batch.ByToken {
		return l.Ledger.Get(ctx, batch.ByKey, key.(string)) //nolint:forcetypeassert // it holds nothing else
	}
	return l.Ledger.Get(ctx, by, value)
}

// deaf has watchers that hear nothing.
type deaf struct{ batch.Ledger }

func (l *deaf) Watch(ctx context.Context) (<-chan string, error) {
	heard, err := l.Ledger.Watch(ctx)
	if err != nil {
		return nil, err
	}
	silent := make(chan string)
	go func() {
		defer close(silent)
		for range heard { //nolint:revive // nothing is passed on
		}
	}()
	return silent, nil
}
