package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// hookGrace is how long a callback may stay out after a poll has found that its
// job has ended.
const hookGrace = 30 * time.Second

// mostEnds bounds what is kept to find out whether callbacks come.
const mostEnds = 10_000

// hookHealth knows whether callbacks arrive.
type hookHealth struct {
	ends   map[string]time.Time // jobs whose end a poll found, and when
	called map[string]bool      // jobs that a callback told of
	told   bool
}

// polled notes an end that a poll found.
func (h *hookHealth) polled(job string, now time.Time) {
	if h.ends == nil {
		h.ends = make(map[string]time.Time)
	}
	if len(h.ends) >= mostEnds {
		clear(h.ends)
		clear(h.called)
	}
	h.ends[job] = now
}

// overdue reports, once, that a job's callback stays out.
func (h *hookHealth) overdue(now time.Time) (job string, overdue bool) {
	if h.told {
		return "", false
	}
	for id, ended := range h.ends {
		if !h.called[id] && now.Sub(ended) >= hookGrace {
			h.told = true
			return id, true
		}
	}
	return "", false
}

// called notes a callback.
func (h *health) called(_ context.Context, e webhook.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hooks.called == nil {
		h.hooks.called = make(map[string]bool)
	}
	if len(h.hooks.called) >= mostEnds {
		clear(h.hooks.called)
		clear(h.hooks.ends)
	}
	h.hooks.called[e.Data.ID] = true
	return nil
}

// warnOfHooks says that callbacks do not come, where polls show it.
func (t *transcription) warnOfHooks(now time.Time) {
	if t.hooks == nil || !t.client.Dialect().SignedCallbacks() {
		return // a hint is no callback that could be waited for
	}
	t.health.mu.Lock()
	job, overdue := t.health.hooks.overdue(now)
	t.health.mu.Unlock()
	if overdue {
		t.view.complain("job %s has ended, and no callback came within %s: the service does not reach --webhook-url, or that does not lead to --listen; jobs are polled; scriptix doctor --webhook-url URL checks it", oneLine(job), durationText(hookGrace))
	}
}

// checkHooks says at once that callbacks cannot arrive, where that can be seen
// from here, and returns nil then: the jobs are polled.
func checkHooks(ctx context.Context, e *env, c *callbacks, r *receiver) *receiver {
	if r == nil {
		return nil
	}
	nonce := randomHex()
	r.serve(probed(nonce, http.HandlerFunc(r.handle)))
	if c.WebhookURL == "" || !onLoopback(c.WebhookURL) {
		return r
	}
	if err := reaches(ctx, c.WebhookURL, nonce); err != nil {
		e.complain("--webhook-url %s does not lead to --listen %s: %s; jobs are polled instead", c.WebhookURL, c.Listen, explain(err))
		r.close() //nolint:contextcheck // requests that are under way may end
		return nil
	}
	return r
}

// probeHeader marks a request of this program to its own receiver.
const probeHeader = "X-Scriptix-Probe"

// probed answers probes that carry the nonce, and hands all else on.
func probed(nonce string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(probeHeader) == nonce {
			w.Header().Set(probeHeader, nonce)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// reaches says why a callback URL on this machine does not lead to the receiver
// that answers the nonce.
func reaches(ctx context.Context, url, nonce string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set(probeHeader, nonce)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s", network(err.Error()))
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is wanted
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	if resp.Header.Get(probeHeader) != nonce {
		return fmt.Errorf("something else answers there, with %d", resp.StatusCode)
	}
	return nil
}
