package main

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// runDay plays a day without callbacks on Silver: more recordings of 5 to 60
// minutes than the plan can bear, at a steady rate or all at once, of which batch
// brings home as many as it can.
func runDay(t *testing.T, seed uint64) error {
	t.Helper()
	const supply = 9_600
	jobs := play(seed, supply, 0, 0, 1)
	for _, come := range []struct {
		how   string
		every time.Duration
	}{{"one in 9 s", 24 * time.Hour / supply}, {"all at midnight", 0}} {
		var o outcome
		var err error
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			s := &stand{begin: time.Now(), jobs: jobs}
			o, err = s.bring(ctx, seed, scriptix.PlanSilver, everything(supply, come.every))
		})
		if err != nil {
			return err
		}
		fmt.Printf("A day without callbacks on Silver, recordings come %s: %s transcripts of jobs of 5 to 60 minutes, %s requests, %.2f a job; late p50 %s, p95 %s.\n\n",
			come.how, number(len(o.late)), number(o.requests), float64(o.requests)/float64(max(len(o.late), 1)), short(percentile(o.late, 50)), short(percentile(o.late, 95)))
	}
	return nil
}
