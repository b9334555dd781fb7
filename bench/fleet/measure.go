package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const secret = "whsec_bench" //nolint:gosec // of no service

// bench is a ledger and what is in it.
type bench struct {
	ledger  batch.Ledger
	records atomic.Int64
}

// all does an operation for each of n numbers, by so many workers, and returns
// how many of them there are a second.
func all(workers, n int, do func(i int) error) (perSecond float64, err error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func (b *bench) claim(ctx context.Context, key string) error {
	r := ledger.New(key, key+".wav", "token of "+key, "", time.Now())
	_, claimed, err := b.ledger.Claim(ctx, r)
	if err == nil && !claimed {
		err = fmt.Errorf("%s was there before", key)
	}
	return err
}

// fill claims records until there are n.
func (b *bench) fill(ctx context.Context, n int) error {
	missing := n - int(b.records.Load())
	if missing <= 0 {
		return nil
	}
	_, err := all(16, missing, func(int) error { return b.claim(ctx, fmt.Sprint("fill ", b.records.Add(1))) })
	return err
}

// measure takes n recordings through their life, each step by itself.
func (b *bench) measure(ctx context.Context, workers, n int) (figures [3]float64, err error) {
	base := b.records.Add(int64(n))
	key := func(i int) string { return fmt.Sprint("key ", base, " ", i) }
	if figures[0], err = all(workers, n, func(i int) error { return b.claim(ctx, key(i)) }); err != nil {
		return figures, err
	}
	// Their jobs are made, which is not measured.
	_, err = all(16, n, func(i int) error {
		_, err := b.ledger.Apply(ctx, key(i), func(r batch.Record) (batch.Record, error) {
			return ledger.Accepted(r, "job of "+key(i), time.Minute, time.Now().Add(time.Hour), time.Now()), nil
		})
		return err
	})
	if err != nil {
		return figures, err
	}
	handler, err := batch.NewHandler(nil, b.ledger, secret)
	if err != nil {
		return figures, err
	}
	if figures[1], err = all(workers, n, func(i int) error { return post(ctx, handler, "job of "+key(i)) }); err != nil {
		return figures, err
	}
	figures[2], err = all(workers, n, func(i int) error {
		_, err := b.ledger.Apply(ctx, key(i), func(r batch.Record) (batch.Record, error) { return ledger.Finished(r), nil })
		return err
	})
	return figures, err
}

// post hands a signed callback to the handler, without a network.
func post(ctx context.Context, handler http.Handler, jobID string) error {
	body := fmt.Appendf(nil, `{"event":"transcription.completed","timestamp":"2026-01-17T10:30:00Z","data":{"id":%q,"status":"completed"}}`, jobID)
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body))
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, body))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, req)
	if answer.Code != http.StatusOK {
		return fmt.Errorf("the callback about %s was answered with %d", jobID, answer.Code)
	}
	return nil
}
