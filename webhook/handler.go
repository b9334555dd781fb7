package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxBody         = 64 << 10
	readTimeout     = 5 * time.Second
	deliverTimeout  = 10 * time.Second // with readTimeout: within the 20 s that the strictest sender waits
	retryAfter      = "60"             // seconds: the sender's first retry comes after a minute
	defaultInFlight = 64
)

// Handler receives callbacks over HTTP. Make one with [NewHandler]; nil and the zero value answer 404.
//
// Every answer has an empty body:
//
//	200  deliver returned nil
//	400  authentic, but [Parse] refuses it
//	401  the signature is missing, malformed (told before the body is read) or does not match
//	405  not a POST
//	408  the body took longer than 5 s
//	413  the body is larger than 64 KiB
//	503  with Retry-After: deliver failed, panicked or took longer than 10 s, too many deliveries are in flight, or
//	     the body broke off
//
// The 5 s are a read deadline on the connection, in place of the server's ReadTimeout for this request. Where the
// ResponseWriter supports no deadline the handler keeps the time itself.
type Handler struct {
	deliver  func(context.Context, Event) error
	verifier *Verifier
	slots    chan struct{} // one element for each deliver that runs
	config   handlerConfig
}

// HandlerOption is an option of [NewHandler].
type HandlerOption func(*handlerConfig) error

type handlerConfig struct {
	maxInFlight int
	onReject    func(*http.Request, error)
}

// MaxInFlight is how many calls of deliver may run at once, 64 unless this says otherwise; an authentic callback
// beyond that is answered with 503 and comes again. A call that goes on after its deadline still counts.
func MaxInFlight(n int) HandlerOption {
	return func(c *handlerConfig) error {
		if n < 1 {
			return fmt.Errorf("webhook: MaxInFlight(%d): must be at least 1", n)
		}
		c.maxInFlight = n
		return nil
	}
}

// OnReject is told of each request that is not answered with 200, just before it is answered. The error is a
// [*RejectError] around the reason: one of this package's errors, a [*PanicError], [context.DeadlineExceeded], or what
// deliver returned.
//
// It runs on the request's goroutine, so it must be quick and safe for concurrent use; a panic of its own is swallowed.
// If deliver panics when its deadline has passed and the sender has its 503, fn is called once more for that request,
// from another goroutine.
func OnReject(fn func(r *http.Request, err error)) HandlerOption {
	return func(c *handlerConfig) error {
		if fn == nil {
			return errors.New("webhook: OnReject: the function is nil")
		}
		c.onReject = fn
		return nil
	}
}

// NewHandler makes a handler that calls deliver with each authentic event, duplicates and unknown events included,
// several at once. The secrets are one, or several while you rotate them; the error is [ErrNoSecret] if there is none
// or if any of them is empty or blank.
//
// The sender gets its 200 after deliver returned nil and not before, so deliver stores what must not be lost and
// leaves slow work for later. Its context ends after 10 s. It does not end when the sender goes away: the event is
// here and authentic, and what was begun is better finished than left to a retry that may never come. It carries
// the values of the request's context.
//
// A deliver that does not heed its context keeps its place among those in flight until it returns, but the sender has
// its 503 in time. A panic in it is recovered and answered with 503.
func NewHandler(deliver func(context.Context, Event) error, secrets []string, opts ...HandlerOption) (*Handler, error) {
	if deliver == nil {
		return nil, errors.New("webhook: NewHandler: deliver is nil")
	}
	v, err := NewVerifier(secrets...)
	if err != nil {
		return nil, err
	}
	c := handlerConfig{maxInFlight: defaultInFlight}
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("webhook: NewHandler: an option is nil")
		}
		if err := o(&c); err != nil {
			return nil, err
		}
	}
	return &Handler{deliver: deliver, verifier: v, slots: make(chan struct{}, c.maxInFlight), config: c}, nil
}

// ServeHTTP answers one callback.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h == nil || h.deliver == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if rejected := h.serve(w, r); rejected != nil {
		h.reject(w, r, rejected)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) *RejectError {
	// Before anything is refused: the server reads what is left of a refused body too, to use the connection again.
	// Its next request finds the deadline gone: the server sets its own.
	conn := http.NewResponseController(w)
	ownClock := conn.SetReadDeadline(time.Now().Add(readTimeout)) != nil

	if r.Method != http.MethodPost {
		return &RejectError{http.StatusMethodNotAllowed, fmt.Errorf("webhook: method %.16q: want POST", r.Method)}
	}
	signature := strings.Join(r.Header.Values(SignatureHeader), ",")
	if _, err := parseSignatures(signature, new([maxSignatures][sha256.Size]byte)); err != nil {
		return &RejectError{http.StatusUnauthorized, err}
	}
	payload, rejected := readBody(r, ownClock)
	if rejected != nil {
		return rejected
	}
	_ = conn.SetReadDeadline(time.Time{}) // deliver may take longer, and the connection lives on
	if err := h.verifier.Verify(payload, signature); err != nil {
		return &RejectError{http.StatusUnauthorized, err}
	}
	e, err := Parse(payload)
	if err != nil {
		return &RejectError{http.StatusBadRequest, err}
	}
	e.Target = target(r)
	if err := h.run(r, e); err != nil {
		return &RejectError{http.StatusServiceUnavailable, err}
	}
	return nil
}

// run calls deliver on a goroutine of its own, so that the sender is answered in time whatever deliver does. A place
// is taken only now, for an authentic event: nobody without the secret can fill them.
func (h *Handler) run(r *http.Request, e Event) error {
	select {
	case h.slots <- struct{}{}:
	default:
		return fmt.Errorf("%w: %d", ErrBusy, cap(h.slots))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), deliverTimeout)
	defer cancel()

	var settled atomic.Bool // by whoever comes first: deliver's end or its deadline
	done := make(chan error, 1)
	go func() {
		var err error = &PanicError{} // what stays if deliver ends this goroutine
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			<-h.slots // before the answer, so that a sender that has it finds the place free
			if settled.CompareAndSwap(false, true) {
				done <- err
			} else if _, panicked := errors.AsType[*PanicError](err); panicked {
				h.report(r, &RejectError{http.StatusServiceUnavailable, err})
			}
		}()
		if err = h.deliver(ctx, e); err != nil {
			err = fmt.Errorf("webhook: deliver: %w", err)
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if !settled.CompareAndSwap(false, true) {
		return <-done
	}
	return fmt.Errorf("webhook: deliver did not return within %v: %w", deliverTimeout, context.DeadlineExceeded)
}

func (h *Handler) reject(w http.ResponseWriter, r *http.Request, err *RejectError) {
	h.report(r, err)
	switch err.StatusCode {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
	w.WriteHeader(err.StatusCode)
}

func (h *Handler) report(r *http.Request, err *RejectError) {
	if h.config.onReject == nil {
		return
	}
	// On the late goroutine nobody else would recover it, and elsewhere it would cost the sender its answer.
	defer func() { _ = recover() }()
	h.config.onReject(r, err)
}

// readBody reads the whole body, up to the limit. With ownClock nothing beneath ends a read that takes too long.
func readBody(r *http.Request, ownClock bool) ([]byte, *RejectError) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	read := readAll
	if ownClock {
		read = readWithin
	}
	payload, err := read(r.Body)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &RejectError{http.StatusRequestTimeout, fmt.Errorf("webhook: body not read within %v: %w", readTimeout, err)}
	case err != nil:
		return nil, &RejectError{http.StatusServiceUnavailable, fmt.Errorf("webhook: read body: %w", err)}
	case len(payload) > maxBody:
		return nil, tooLarge()
	}
	return payload, nil
}

func tooLarge() *RejectError {
	return &RejectError{http.StatusRequestEntityTooLarge, fmt.Errorf("webhook: body larger than %d bytes", maxBody)}
}

func readAll(body io.ReadCloser) ([]byte, error) {
	return io.ReadAll(io.LimitReader(body, maxBody+1))
}

// readWithin reads on another goroutine and leaves it behind when the time is up. Closing ends the read of an
// in-memory pipe; net/http's own body waits for the read first, so it is not waited for.
func readWithin(body io.ReadCloser) ([]byte, error) {
	var payload []byte
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if v := recover(); v != nil { // the body of a caller's own, which no server could recover here
				err = fmt.Errorf("it panicked: %v", v)
			}
			done <- err
		}()
		payload, err = readAll(body)
	}()
	timer := time.NewTimer(readTimeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return payload, err
	case <-timer.C:
		go func() { _ = body.Close() }()
		return nil, os.ErrDeadlineExceeded
	}
}

// target is the path and query of the request line. A router may have cut the URL's path, and a request made by hand
// or in the form that proxies use holds only the URL.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") || r.URL == nil {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
