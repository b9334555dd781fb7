package ledgertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

func parkedFound(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	claim(t, l, newRecord("b"))
	for _, id := range []string{"job", "job", "other"} {
		if key, err := l.Park(t.Context(), event(id)); err != nil || key != "" {
			fatal(t, "Park: key %q, error %v; want none: nobody knows the job", key, err)
		}
	}
	r := submit(t, l, "a", "job")
	if r.Phase != batch.Completed || r.Duplicates != 1 || r.Source != "webhook" {
		fatal(t, "the record that learned the job's id is %+v; want completed by the parked event, with one duplicate", r)
	}
	if got := get(t, l, "a"); got != r {
		fatal(t, "stored is %+v, want %+v", got, r)
	}
	if r := submit(t, l, "b", "job b"); r.Phase != batch.Submitted {
		fatal(t, "a record with another job is %s: it heard of somebody else's end", r.Phase)
	}
}

func parkKnown(t T, l batch.Ledger) {
	claim(t, l, newRecord("a"))
	submit(t, l, "a", "job")
	if key, err := l.Park(t.Context(), event("job")); err != nil || key != "a" {
		fatal(t, "Park of an event whose job is known: key %q, error %v; want \"a\"", key, err)
	}
	if r := get(t, l, "a"); r.Phase != batch.Submitted {
		fatal(t, "Park changed the record to %s; that is for Apply", r.Phase)
	}
}

func parkRace(t T, l batch.Ledger) {
	for round := range 25 {
		key, job := fmt.Sprint("k", round), fmt.Sprint("j", round)
		claim(t, l, newRecord(key))
		var wg sync.WaitGroup
		var known string
		wg.Go(func() {
			var err error
			if known, err = l.Park(t.Context(), event(job)); err != nil {
				t.Errorf("Park: %v", err)
			}
		})
		wg.Go(func() { submit(quiet{t}, l, key, job) })
		wg.Wait()
		if phase := get(t, l, key).Phase; (phase == batch.Completed) == (known == key) {
			fatal(t, "the record is %s and Park named %q: want completed by the parked event, or named, and not both", phase, known)
		}
	}
}

func watchWakes(t T, l batch.Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	claim(t, l, newRecord("a"))
	claim(t, l, newRecord("b"))
	heard, err := l.Watch(ctx)
	if err != nil {
		fatal(t, "Watch: %v", err)
	}
	second, err := l.Watch(ctx)
	if err != nil {
		fatal(t, "a second Watch: %v", err)
	}
	wait := func(what string, ch <-chan string, key string) {
		t.Helper()
		timeout := time.After(patience)
		for {
			select {
			case got := <-ch:
				if got == key || got == "" {
					return
				}
			case <-timeout:
				fatal(t, "a watcher was not woken by %s", what)
			}
		}
	}
	submit(t, l, "a", "job")
	wait("a job that became known", heard, "a")
	wait("a job that became known", second, "a")
	apply(t, l, "a", func(r *batch.Record) { r.Due = time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond) })
	wait("a due time", heard, "a")
	apply(t, l, "a", func(r *batch.Record) { r.Due = r.Due.Add(-time.Minute) })
	wait("an earlier due time", heard, "a")
	apply(t, l, "a", func(r *batch.Record) { r.Phase = batch.Completed })
	wait("an end", heard, "a")
	apply(t, l, "b", func(r *batch.Record) { r.Phase = batch.Sent })
	wait("a change of another record", heard, "b")
}

func watchEnds(t T, l batch.Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	first, err := l.Watch(ctx)
	if err != nil {
		fatal(t, "Watch: %v", err)
	}
	second, err := l.Watch(t.Context())
	if err != nil {
		fatal(t, "Watch: %v", err)
	}
	ended := func(ch <-chan string, what string) {
		t.Helper()
		timeout := time.After(patience)
		for {
			select {
			case _, open := <-ch:
				if !open {
					return
				}
			case <-timeout:
				fatal(t, "the channel was not closed after %s", what)
			}
		}
	}
	cancel()
	ended(first, "its context ended")
	if err := l.Close(); err != nil {
		fatal(t, "Close: %v", err)
	}
	ended(second, "the ledger was closed")
}

func dueLeased(t T, l batch.Ledger) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i, key := range []string{"second", "first", "third", "later", "never"} {
		claim(t, l, newRecord(key))
		if key == "never" {
			continue
		}
		apply(t, l, key, func(r *batch.Record) {
			r.Due = now.Add([]time.Duration{-20 * time.Second, -30 * time.Second, -10 * time.Second, 10 * time.Minute}[i])
		})
	}
	due := func(limit int, want ...string) {
		t.Helper()
		got, err := l.Due(t.Context(), limit, time.Minute)
		if err != nil {
			fatal(t, "Due: %v", err)
		}
		var keys []string
		for _, r := range got {
			keys = append(keys, r.Key)
			if stored := get(t, l, r.Key); stored != r || r.Due.Before(now.Add(50*time.Second)) {
				fatal(t, "a leased record is due at %v, and stored as due at %v; want a minute from %v", r.Due, stored.Due, now)
			}
		}
		if fmt.Sprint(keys) != fmt.Sprint(want) {
			fatal(t, "due are %v, want %v", keys, want)
		}
	}
	due(0)
	due(2, "first", "second")
	due(10, "third")
	due(10)
	apply(t, l, "first", func(r *batch.Record) { r.Due = time.Time{} })
	apply(t, l, "later", func(r *batch.Record) { r.Due = now.Add(-time.Second) })
	due(10, "later")
}
