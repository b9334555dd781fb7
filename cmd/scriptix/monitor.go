package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

const monitorGap = 250 * time.Millisecond

// watch keeps saying what a run waits for, until stop. The context it returns
// ends when the service was never reached.
func (t *transcription) watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stopping := context.AfterFunc(parent, func() {
		t.view.complain("stopping: nothing new is sent, uploads that are all out get 5 s for their answer; Ctrl-C again ends at once")
	})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(monitorGap)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				if err := t.health.exhausted(now, t.flags.Patience); err != nil {
					cancel(err)
				}
				t.causes.flush(false)
				t.view.status(t.status(now))
				t.warnOfHooks(now)
			}
		}
	}()
	return ctx, func() {
		stopping()
		close(done)
		<-ended
	}
}

// status says what the run waits for: what stands in the way, a full window, or
// the jobs.
func (t *transcription) status(now time.Time) status {
	if s := t.health.obstacle(now); s.obstacle != "" {
		return s
	}
	if s := t.window(now); s.obstacle != "" {
		return s
	}
	return status{text: t.jobsText(now)}
}

// window tells when a window of the key's budget is full.
func (t *transcription) window(time.Time) status {
	b := t.client.Budget()
	for _, w := range []struct {
		name        string
		limit, left int
	}{{"minute", b.Minute.Limit, b.Minute.Left}, {"hour", b.Hour.Limit, b.Hour.Left}, {"day", b.Day.Limit, b.Day.Left}} {
		if w.limit > 0 && w.left <= 0 {
			return status{"full " + w.name, fmt.Sprintf("the %s's %d requests are used up, goes on when there is room", w.name, w.limit)}
		}
	}
	return status{}
}

// jobsText counts what is under way.
func (t *transcription) jobsText(time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := 0
	for _, list := range t.waiting {
		if len(list) > 0 {
			open++
		}
	}
	running := t.client.Stats().Waiting
	var parts []string
	if running > 0 {
		parts = append(parts, fmt.Sprintf("%d transcribing", running))
	}
	if other := open - running; other > 0 {
		parts = append(parts, fmt.Sprintf("%d being sent or fetched", other))
	}
	if n := t.counts[batch.StateUnknown]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d without an answer", n))
	}
	return strings.Join(parts, ", ")
}
