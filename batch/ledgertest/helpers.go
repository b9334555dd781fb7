package ledgertest

import (
	"errors"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// patience is how long something may take that should happen at once.
const patience = 5 * time.Second

var errOwn = errors.New("the change's own error")

// quiet is a T for goroutines: it cannot end the test, only fail it.
type quiet struct{ T }

func (quiet) FailNow() {}

func newRecord(key string) batch.Record {
	return batch.Record{
		Key: key, Name: key + ".wav", Token: "token of " + key, Phase: batch.Claimed,
		ClaimedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func event(jobID string) batch.Event {
	return batch.Event{JobID: jobID, Duration: time.Minute, At: time.Now().UTC().Truncate(time.Millisecond)}
}

func claim(t T, l batch.Ledger, r batch.Record) batch.Record {
	t.Helper()
	stored, claimed, err := l.Claim(t.Context(), r)
	if err != nil || !claimed {
		fatal(t, "Claim of the new key %q: claimed %v, error %v", r.Key, claimed, err)
	}
	return stored
}

func get(t T, l batch.Ledger, key string) batch.Record {
	t.Helper()
	r, err := l.Get(t.Context(), batch.ByKey, key)
	if err != nil {
		fatal(t, "Get of key %q: %v", key, err)
	}
	return r
}

func apply(t T, l batch.Ledger, key string, change func(*batch.Record)) batch.Record {
	t.Helper()
	r, err := l.Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) {
		change(&r)
		return r, nil
	})
	if err != nil {
		fatal(t, "Apply to %q: %v", key, err)
	}
	return r
}

func submit(t T, l batch.Ledger, key, jobID string) batch.Record {
	t.Helper()
	return apply(t, l, key, func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, jobID })
}

func is(t T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func fatal(t T, format string, args ...any) {
	t.Helper()
	t.Errorf(format, args...)
	t.FailNow()
}
