package webhook

import (
	"errors"
	"fmt"
)

// What is wrong with a callback, or with the secrets it is checked against. Find them with errors.Is. None of their
// texts holds a secret or a signature.
var (
	// ErrNoSecret means that no secret was given, or that one of them is empty or blank. Anyone can sign with an
	// empty secret, so none is ever used.
	ErrNoSecret = errors.New("webhook: no secret, or an empty one: pass the webhook secret of your Scriptix account")
	// ErrNoSignature means that the signature is missing, empty or blank.
	ErrNoSignature = errors.New("webhook: no signature: the callback is unsigned, or " + SignatureHeader + " was not passed on")
	// ErrMalformedSignature means that the header holds no signature of the form "sha256=" and 64 hex digits, or is
	// longer than 4096 bytes.
	ErrMalformedSignature = errors.New(`webhook: malformed signature: want "sha256=" and 64 hex digits`)
	// ErrMismatch means that no signature fits the body and any of the secrets: another secret, or a body that was
	// changed on its way.
	ErrMismatch = errors.New("webhook: signature does not match: check the secret, and verify the body as it was received")
	// ErrPayload means that the body, authentic or not, is no event: see [Parse].
	ErrPayload = errors.New("webhook: unreadable payload")
	// ErrBusy means that an authentic callback was answered with 503, because [MaxInFlight] deliveries were running.
	// The service sends it again.
	ErrBusy = errors.New("webhook: too many deliveries in flight")
)

// RejectError is what [OnReject] gets: the status that the sender was answered with, and why.
type RejectError struct {
	StatusCode int
	Err        error
}

func (e *RejectError) Error() string { return fmt.Sprintf("%v (answered %d)", e.Err, e.StatusCode) }

func (e *RejectError) Unwrap() error { return e.Err }

// PanicError is a panic of the function given to [NewHandler]; [OnReject] gets it within a [RejectError].
type PanicError struct {
	Value any    // what was passed to panic; nil if the function ended its goroutine with runtime.Goexit
	Stack []byte // of the goroutine that panicked; empty for runtime.Goexit
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "webhook: deliver ended its goroutine without returning"
	}
	return fmt.Sprintf("webhook: deliver panicked: %v", e.Value)
}

// Unwrap returns the value of the panic if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
