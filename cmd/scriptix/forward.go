package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// forwardTimeout leaves a second of the ten that the service waits for an answer.
const forwardTimeout = 9 * time.Second

// forwarder passes verified callbacks on to a receiver that somebody works on.
type forwarder struct {
	target  *url.URL
	client  *http.Client
	timeout time.Duration
}

// newForwarder refuses what can be no receiver; nil without a URL.
func newForwarder(raw string) (*forwarder, error) {
	if raw == "" {
		return nil, nil
	}
	target, err := url.Parse(raw)
	switch {
	case err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https":
		return nil, usage("--forward-to: want the http or https URL of a receiver")
	case target.User != nil:
		return nil, usage("--forward-to: want a URL without user and password; they would go out with each callback")
	}
	return &forwarder{target: target, client: directly(), timeout: forwardTimeout}, nil
}

// leadsTo reports whether the receiver is this program itself, which would pass
// each callback on to itself.
func (f *forwarder) leadsTo(address net.Addr) bool {
	own, ok := address.(*net.TCPAddr)
	port := f.target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[f.target.Scheme]
	}
	if !ok || port != strconv.Itoa(own.Port) {
		return false
	}
	ip := net.ParseIP(f.target.Hostname())
	switch {
	case strings.EqualFold(f.target.Hostname(), "localhost"):
		return own.IP.IsLoopback() || own.IP.IsUnspecified()
	case ip == nil:
		return false
	}
	return ip.Equal(own.IP) || own.IP.IsUnspecified() && ip.IsLoopback() || ip.IsUnspecified()
}

// forwarded is what became of a callback that was passed on.
type forwarded struct {
	trialAnswer
	said string // the beginning of an answer that was not 200
}

func (f *forwarded) words() string {
	text := f.trialAnswer.words(forwardTimeout)
	if f.said != "" {
		text += ": " + f.said
	}
	return "forwarded, " + text
}

// originalKey is under which a request is found in its own context.
type originalKey struct{}

// keeping lets the handler's deliver see the request that an event came with.
func keeping(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), originalKey{}, r)))
	})
}

// pass posts an event as it came: its bytes, the headers that are about it, and
// the query of the callback URL, in which batches carry a token.
func (f *forwarder) pass(ctx context.Context, event webhook.Event) *forwarded {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	target := *f.target
	if _, query, _ := strings.Cut(event.Target, "?"); query != "" {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query, "&")
	}
	req, err := newCallback(ctx, target.String(), event.Raw, "")
	if err != nil {
		return &forwarded{trialAnswer: trialAnswer{err: errors.New("its URL cannot be called")}}
	}
	if original, ok := ctx.Value(originalKey{}).(*http.Request); ok {
		for name, values := range original.Header {
			if name == "Content-Type" || name == "User-Agent" || strings.HasPrefix(name, "X-Scriptix-") {
				req.Header[name] = values
			}
		}
	}
	start := time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL may hold a token
		}
		return &forwarded{trialAnswer: trialAnswer{err: err}}
	}
	defer func() { _ = resp.Body.Close() }() // the status is the answer
	answer := &forwarded{trialAnswer: trialAnswer{status: resp.StatusCode, took: time.Since(start)}}
	if !answer.accepted() {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // what came of it may help
		answer.said = oneLine(strings.ToValidUTF8(string(said), "?"))
	}
	return answer
}

// errNotTaken makes the service send a callback again that the receiver did not
// take.
var errNotTaken = errors.New("the receiver did not take it")

// forwardedJSON is what --json prints of it.
type forwardedJSON struct {
	Status  int     `json:"status,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Answer  string  `json:"answer,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func (f *forwarded) json() *forwardedJSON {
	if f == nil {
		return nil
	}
	line := &forwardedJSON{Status: f.status, Seconds: f.took.Seconds(), Answer: f.said}
	if f.err != nil {
		line.Error = f.trialAnswer.words(forwardTimeout)
	}
	return line
}
