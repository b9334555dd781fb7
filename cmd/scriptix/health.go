package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// health knows what stands between a run and the service. It listens to the
// client's log, in which every attempt of a request stands with its end.
type health struct {
	url string

	mu       sync.Mutex
	started  time.Time
	answered bool      // the service has answered, whatever it said
	took     bool      // bytes of an upload went out
	heard    time.Time // the last answer, failure or byte
	failure  failure   // of the latest attempt; zero when that went well
	hooks    hookHealth
}

// failure is why the latest attempt of a request failed.
type failure struct {
	status int    // 0: no answer
	text   string // of the error, when there was no answer
	next   time.Time
}

func newHealth(s *service) *health {
	now := time.Now()
	return &health{url: s.BaseURL, started: now, heard: now}
}

// logger is one for the client. What next takes, if there is one, it gets as well.
func (h *health) logger(next slog.Handler) *slog.Logger { return slog.New(listener{h, next}) }

// listener is a handler that a health learns from.
type listener struct {
	h    *health
	next slog.Handler
}

func (l listener) Enabled(context.Context, slog.Level) bool { return true }

func (l listener) WithAttrs(attrs []slog.Attr) slog.Handler {
	if l.next != nil {
		l.next = l.next.WithAttrs(attrs)
	}
	return l
}

func (l listener) WithGroup(name string) slog.Handler {
	if l.next != nil {
		l.next = l.next.WithGroup(name)
	}
	return l
}

func (l listener) Handle(ctx context.Context, r slog.Record) error {
	seen := attempt{}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "status":
			seen.status = int(a.Value.Int64())
		case "error":
			seen.text = a.Value.String()
		case "wait":
			seen.wait = a.Value.Duration()
		case "op":
			seen.op = a.Value.String()
		}
		return true
	})
	l.h.learn(r.Message, seen)
	if l.next == nil || !l.next.Enabled(ctx, r.Level) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// attempt is what a record of the log says of one.
type attempt struct {
	op     string
	status int
	text   string
	wait   time.Duration
}

func (h *health) learn(message string, a attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	switch {
	case strings.HasSuffix(message, "attempt succeeded"):
		h.answered, h.heard, h.failure = true, now, failure{}
	case strings.HasSuffix(message, "attempt failed"):
		local := strings.Contains(a.text, scriptix.ErrAudio.Error()) || strings.Contains(a.text, scriptix.ErrBudget.Error()) || strings.Contains(a.text, context.Canceled.Error())
		if a.status == 0 && local {
			return
		}
		h.heard = now
		h.answered = h.answered || a.status != 0
		h.failure = failure{status: a.status, text: a.text}
	case strings.HasSuffix(message, "trying again"), strings.HasSuffix(message, "going on"):
		h.failure.next = now.Add(a.wait)
	}
}

// wake tells that something is asked of the service after a time in which nothing
// was.
func (h *health) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = time.Now()
}

// moved tells that bytes of an upload went out.
func (h *health) moved() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took, h.heard = true, time.Now()
}

// retried tells that an upload is tried again by the batch, after a wait of its own.
func (h *health) retried(err error, after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure.status != 0 || h.failure.text != "" {
		h.failure.next = time.Now().Add(after)
		return
	}
	if errors.Is(err, scriptix.ErrAudio) || errors.Is(err, scriptix.ErrBudget) {
		return
	}
	h.failure = failure{text: err.Error(), next: time.Now().Add(after)}
	if e, ok := errors.AsType[*scriptix.Error](err); ok {
		h.failure.status = e.StatusCode
	}
}

// ended takes in the outcome of a recording.
func (h *health) ended(o batch.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.Source == scriptix.SourcePoll && o.JobID != "" && o.State != batch.StateSkipped {
		h.hooks.polled(o.JobID, time.Now())
	}
}

// silence is how long nothing may be heard before that is said.
const silence = 4 * time.Second

// obstacle says what stands in the way of the run, if something does.
func (h *health) obstacle(now time.Time) status {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := ""
	if wait := h.failure.next.Sub(now); wait > 0 {
		next = "; next try in " + waitText(wait)
	}
	const doctor = "; scriptix doctor checks it"
	switch s := h.failure.status; {
	case s == 0 && h.failure.text != "":
		return status{"unreachable", fmt.Sprintf("%s does not answer: %s%s%s", h.url, network(h.failure.text), next, doctor)}
	case s == http.StatusUnauthorized:
		return status{"key", "the service refuses the key (401); check $" + keyVariable + " or its file, or run scriptix doctor"}
	case s == http.StatusForbidden, s == http.StatusPaymentRequired:
		return status{} // told with the recording
	case s == http.StatusTooManyRequests:
		return status{"refused", "the service asks for patience (429)" + next}
	case s >= 500:
		return status{"failing", fmt.Sprintf("the service answers %d%s%s", s, next, doctor)}
	}
	if quiet := now.Sub(h.heard); !h.answered && quiet >= silence {
		if h.took {
			return status{"silent", fmt.Sprintf("%s took an upload and has not answered for %s%s", h.url, waitText(quiet), doctor)}
		}
		return status{"silent", fmt.Sprintf("%s does not answer, for %s now%s", h.url, waitText(quiet), doctor)}
	}
	return status{}
}

// exhausted returns why a run should give up that has never reached its service.
func (h *health) exhausted(now time.Time, patience time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if patience <= 0 || h.answered || h.took || now.Sub(h.started) < patience {
		return nil
	}
	return &patienceError{url: h.url, after: patience, last: network(h.failure.text)}
}

// patienceError says that the service was never reached.
type patienceError struct {
	url   string
	after time.Duration
	last  string
}

func (e *patienceError) Error() string {
	text := fmt.Sprintf("gave up, since %s has not answered for %s", e.url, durationText(e.after))
	if e.last != "" {
		text += ": " + e.last
	}
	return text + "; scriptix doctor checks it"
}

// network shortens the error of a connection to what went wrong with it.
func network(text string) string {
	text = plain(oneLine(text))
	for _, start := range []string{"dial tcp", "lookup ", "read tcp", "write tcp", "tls: ", "x509: "} {
		if at := strings.LastIndex(text, start); at >= 0 {
			text = text[at:]
		}
	}
	for _, known := range []string{"connection refused", "no such host", "no route to host", "network is unreachable", "i/o timeout", "connection reset by peer"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return unrepeated(text)
}
