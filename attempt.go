package scriptix

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// attempt is the transport of one call's attempts. Between the caller's
// transport and the retry policy it asks the budget, opens the body, and ends
// an attempt in which nothing moves.
//
// It has no CloseIdleConnections, so that a failed call leaves the connections
// of others alone.
type attempt struct{ x *exchange }

// RoundTrip sends one request.
func (a attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	x := a.x
	x.attempts++
	x.sent = nil
	permit := x.call.permit
	x.call.permit = nil // a redirect is another request
	if permit == nil {
		var err error
		permit, err = x.core.budget.Acquire(req.Context(), x.call.class)
		if permit == nil && err == nil {
			err = errors.New("the budget gave neither a permit nor an error")
		}
		if err != nil {
			x.attempts--
			return nil, err
		}
	}
	idle, answer := x.core.cfg.idleTimeout, x.core.cfg.answerTimeout
	if x.call.prompt {
		answer = idle
	}
	g := audio.NewWatchdog(req.Context(), idle, answer)
	resp, err := a.send(g, req)
	if err == nil {
		err = settle(resp)
	}
	if err != nil {
		if cause := g.Stalled(req.Context()); cause != nil {
			err = cause
		}
		g.End()
		permit.Done(RateInfo{Sent: x.call.body == nil || x.sent != nil})
		return nil, err
	}
	g.Moved()
	info := budget.ParseRateInfo(resp.Header, resp.StatusCode, time.Now())
	info.Sent = true
	resp.Body = &incoming{ReadCloser: resp.Body, guard: g, parent: req.Context(), permit: permit, info: info}
	return resp, nil
}

// settle makes an answer one that http.Client hands on as it came: a body that
// can be read to its end, and no Location that it would fail on.
func settle(resp *http.Response) error {
	if resp == nil {
		return errors.New("the RoundTripper returned neither an answer nor an error")
	}
	switch {
	case resp.Body == nil:
		resp.Body = http.NoBody
	case resp.StatusCode == http.StatusSwitchingProtocols:
		// This body is the connection, which ends with no context.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	if location := resp.Header.Get("Location"); location != "" {
		if _, err := url.Parse(location); err != nil {
			resp.Header.Del("Location")
		}
	}
	return nil
}

func (a attempt) send(g *audio.Watchdog, req *http.Request) (*http.Response, error) {
	x := a.x
	out := req.WithContext(g.Context())
	if !x.call.chunk { // what is set below is this attempt's alone
		out.Header = req.Header.Clone()
	}
	if x.call.body == nil {
		return x.core.transport.RoundTrip(out)
	}
	body, err := x.call.body(g.Context())
	if err != nil {
		x.attempts--
		return nil, err
	}
	x.sent = audio.NewOutgoing(body, g)
	out.Body, out.ContentLength = x.sent, body.Length
	if body.ContentType != "" {
		out.Header.Set("Content-Type", body.ContentType)
	}
	if x.asksFirst(body.Length) {
		out.Header.Set("Expect", "100-continue")
	}
	return x.core.uploads.RoundTrip(out)
}

// asksFirst reports whether a body waits for the service's word. A refusal then
// costs none of it, but every other upload a round trip, which a smaller body
// may take itself: those ask after they were refused once.
func (x *exchange) asksFirst(length int64) bool {
	least := int64(64 << 20)
	if x.attempts > 1 {
		least = 1 << 20
	}
	return length >= least && !x.noExpect && !x.call.chunk
}

// incoming is an answer's body. Closing it ends the attempt.
type incoming struct {
	io.ReadCloser
	guard  *audio.Watchdog
	parent context.Context //nolint:containedctx // lives as long as the attempt
	permit Permit
	info   RateInfo // what the answer teaches the budget
	once   sync.Once
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.guard.Moved()
	}
	if cause := b.guard.Stalled(b.parent); err != nil && cause != nil {
		err = cause
	}
	return n, err
}

func (b *incoming) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() {
		b.guard.End()
		b.permit.Done(b.info)
	})
	return err
}
