package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
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
	if t.watched != nil && t.idle() {
		return status{} // nothing was asked of the service, so nothing is missed
	}
	if s := t.health.obstacle(now); s.obstacle != "" {
		return s
	}
	if s := t.window(now); s.obstacle != "" {
		return s
	}
	looks := t.looks()
	if s := looks.obstacle(now, t.fullWindow()); s.obstacle != "" {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	open := 0
	for _, list := range t.waiting {
		if len(list) > 0 {
			open++
		}
	}
	return status{text: looks.text(now, open, t.counts[batch.StateUnknown])}
}

// looks is when running jobs are looked at next.
type looks struct {
	jobs   int
	next   time.Time // the first of them
	reason string    // what that waits for
	err    error     // why the last look failed
}

func (t *transcription) looks() (l looks) {
	for s := range t.client.Waiting() { // the next one first
		if l.jobs++; l.jobs == 1 {
			l.next, l.reason, l.err = s.Next, s.Reason, s.Err
		}
	}
	return l
}

// obstacle says what keeps all jobs from being looked at, if something does.
func (l looks) obstacle(now time.Time, window string) status {
	if l.jobs == 0 {
		return status{}
	}
	wait := waitText(l.next.Sub(now))
	switch l.reason {
	case scriptix.WaitsForService:
		why := ""
		if l.err != nil {
			why = ": " + network(l.err.Error())
		}
		return status{"down", fmt.Sprintf("the service does not answer%s; next try in %s; scriptix doctor checks it", why, wait)}
	case scriptix.WaitsForBudget:
		return status{"full " + window, window + " full, goes on in " + wait}
	}
	return status{}
}

// text says how many recordings are where, of so many that are open, and when
// the jobs are looked at.
func (l looks) text(now time.Time, open, unanswered int) string {
	var parts []string
	if l.jobs > 0 {
		text := fmt.Sprintf("%d transcribing", l.jobs)
		switch wait := l.next.Sub(now); {
		case l.next.IsZero():
		case wait < time.Second:
			text += ", looking now"
		default:
			text += ", next look in " + waitText(wait)
		}
		parts = append(parts, text)
	}
	if other := open - l.jobs; other > 0 {
		parts = append([]string{fmt.Sprintf("%d being sent or fetched", other)}, parts...)
	}
	if unanswered > 0 {
		parts = append(parts, fmt.Sprintf("%d without an answer", unanswered))
	}
	return strings.Join(parts, "; ")
}

// fullWindow names the window of the key's budget that has no room.
func (t *transcription) fullWindow() string {
	b := t.client.Budget()
	for _, w := range []struct {
		name string
		use  scriptix.WindowUse
	}{{"day", b.Day}, {"hour", b.Hour}} {
		if w.use.Limit > 0 && w.use.Left == 0 {
			return w.name
		}
	}
	return "minute"
}

// window tells when a window of the key's budget is full, and requests wait for
// it.
func (t *transcription) window(now time.Time) status {
	b := t.client.Budget()
	if b.Results+b.Submits+b.Polls == 0 || b.NextPoll.Sub(now) < time.Second {
		return status{}
	}
	if wait := b.BlockedUntil.Sub(now); wait > 0 {
		return status{"refused", "the service asks for patience (429), goes on in " + waitText(wait)}
	}
	k := t.client.KeyBudget()
	if k == nil {
		return status{}
	}
	used := k.State()
	for _, w := range []struct {
		name  string
		use   scriptix.WindowUse
		slots []scriptix.BudgetSlot
		long  time.Duration
	}{{"day", b.Day, used.Day, 24 * time.Hour}, {"hour", b.Hour, used.Hour, time.Hour}, {"minute", b.Minute, used.Minute, time.Minute}} {
		// The oldest request leaves its window first, which makes room for the next one.
		if w.use.Limit > 0 && w.use.Left == 0 && len(w.slots) > 0 {
			wait := time.UnixMilli(w.slots[0][1]).Add(w.long).Sub(now)
			return status{"full " + w.name, w.name + " full, goes on in " + waitText(wait)}
		}
	}
	return status{}
}
