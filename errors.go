package scriptix

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/budget"
	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// Error is a failed call: what the service answered, or why no answer came.
//
// It is safe in every verb of fmt, in JSON and in slog: it holds no key, no
// URL with a query and no body. Find it with [errors.AsType], and its kind
// with [errors.Is] and one of the sentinels.
type Error struct {
	Op         string            // the call: "stt.submit", "stt.status", ...
	JobID      string            // the job it was about, if known
	StatusCode int               // 0 when no answer came; 3xx for a refused redirect
	Code       string            // the service's own code, as RATE_LIMIT_EXCEEDED
	Message    string            // the service's words, or ours when it had none
	Fields     map[string]string // the field at fault, and what is wrong with it
	RequestID  string            // to quote to the service's support
	RetryAfter time.Duration     // what the service asked for; 0 when it did not
	Attempts   int               // requests sent for this call
	Err        error             // the cause below, or nil

	raw func() []byte // a function, so that nothing prints it; nil: there is none
}

// Sentinels for [errors.Is] on an [*Error], by what the answer's status means.
var (
	ErrUnauthorized   = errors.New("scriptix: unauthorized")         // 401
	ErrQuota          = errors.New("scriptix: quota used up")        // 402
	ErrForbidden      = errors.New("scriptix: forbidden")            // 403
	ErrNotFound       = errors.New("scriptix: not found")            // 404
	ErrConflict       = errors.New("scriptix: conflicts with state") // 409
	ErrTooLarge       = errors.New("scriptix: file too large")       // 413
	ErrInvalid        = errors.New("scriptix: invalid request")      // 400, 415, 422, and what is refused before it is sent
	ErrRateLimited    = errors.New("scriptix: rate limited")         // 429
	ErrServer         = errors.New("scriptix: server or gateway")    // 408 and 5xx
	ErrAudio          = audio.Err                                    // the local file is missing, empty, unreadable or changing
	ErrOtherAudio     = audio.ErrOther                               // of those, a recording that a resumable upload did not begin with
	ErrBudget         = budget.ErrNoRoom                             // cannot be sent before the deadline
	ErrBadAnswer      = errors.New("scriptix: unreadable answer")    // a 2xx that is no answer to the question
	ErrNotReady       = errors.New("scriptix: result not ready")     // asked for before the job ended
	ErrJobFailed      = errors.New("scriptix: transcription failed") // see JobFailedError
	ErrWaitEnded      = errors.New("scriptix: stopped waiting")      // see WaitError
	ErrUnknownOutcome = errors.New("scriptix: unknown outcome")      // see UnknownOutcomeError
)

// Error returns "op: status code: message (request id)", with the parts that
// are known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.JobID != "" {
		b.WriteString(" " + strconv.Quote(e.JobID))
	}
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": %d", e.StatusCode)
		if e.Code != "" && e.Code != strconv.Itoa(e.StatusCode) {
			b.WriteString(" " + e.Code)
		}
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	separator := ": "
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		b.WriteString(separator + name + ": " + e.Fields[name])
		separator = "; "
	}
	if e.Err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), "scriptix: "))
	}
	if e.RequestID != "" {
		b.WriteString(" (" + e.RequestID + ")")
	}
	return b.String()
}

// RawBody returns the body of an answer that could not be read ([ErrBadAnswer]),
// as it came; nil for every other error. What was paid for may be in it, so it
// is never printed.
func (e *Error) RawBody() []byte {
	if e.raw == nil {
		return nil
	}
	return e.raw()
}

// Unwrap returns the cause below.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of the answer's status.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrQuota:
		return e.StatusCode == http.StatusPaymentRequired
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrTooLarge:
		return e.StatusCode == http.StatusRequestEntityTooLarge
	case ErrInvalid:
		return e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusUnprocessableEntity || e.StatusCode == http.StatusUnsupportedMediaType
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode == http.StatusRequestTimeout || e.StatusCode >= 500
	}
	return false
}

// endedBy is e with what ended the call before its next attempt could tell more.
func (e *Error) endedBy(cause error) *Error {
	kept := *e
	kept.Err = cause
	if e.Err != nil {
		kept.Err = fmt.Errorf("%w (before that: %w)", cause, e.Err)
	}
	return &kept
}

// GoString keeps %#v from printing what lies below the cause.
func (e *Error) GoString() string { return "&scriptix.Error{" + strconv.Quote(e.Error()) + "}" }

// LogValue groups the error's fields for slog.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("op", e.Op), slog.String("error", e.Error()), slog.Int("attempts", e.Attempts)}
	if e.JobID != "" {
		attrs = append(attrs, slog.String("job_id", e.JobID))
	}
	if e.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", e.RequestID))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON encodes the error for a log; the cause becomes its text.
func (e *Error) MarshalJSON() ([]byte, error) {
	var cause string
	if e.Err != nil {
		cause = e.Err.Error()
	}
	return json.Marshal(struct {
		Op         string            `json:"op"`
		JobID      string            `json:"job_id,omitempty"`
		StatusCode int               `json:"status,omitempty"`
		Code       string            `json:"code,omitempty"`
		Message    string            `json:"message,omitempty"`
		Fields     map[string]string `json:"fields,omitempty"`
		RequestID  string            `json:"request_id,omitempty"`
		RetryAfter float64           `json:"retry_after_seconds,omitempty"`
		Attempts   int               `json:"attempts"`
		Cause      string            `json:"cause,omitempty"`
	}{e.Op, e.JobID, e.StatusCode, e.Code, e.Message, e.Fields, e.RequestID, e.RetryAfter.Seconds(), e.Attempts, cause})
}

// UnknownOutcomeError says that the audio went out whole and that nothing
// proves or excludes a job: the answer was lost, cut or unreadable, or a
// gateway spoke in the service's place. Sending it again may be billed again,
// so the SDK never does; see the README on what to do.
type UnknownOutcomeError struct {
	Sent int64 // bytes of the audio handed to the network
	Size int64 // bytes of the audio; -1 when it was not known beforehand
	Err  error // an *Error; its StatusCode is 0 when no answer came
}

func (e *UnknownOutcomeError) Error() string {
	size := strconv.FormatInt(e.Size, 10)
	if e.Size < 0 {
		size = "an unknown number of"
	}
	return fmt.Sprintf("unknown outcome: %d of %s bytes of audio went out and a job may exist, so it is not sent again: %v", e.Sent, size, e.Err)
}

// Unwrap returns the [*Error] below.
func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrUnknownOutcome].
func (e *UnknownOutcomeError) Is(target error) bool { return target == ErrUnknownOutcome }

// JobFailedError says that the service ended the job without a transcript.
type JobFailedError struct{ Job Job }

func (e *JobFailedError) Error() string {
	reason := e.Job.Failure
	if reason == "" {
		reason = "the service gave no reason"
	}
	return fmt.Sprintf("transcription %q failed: %s", e.Job.ID, reason)
}

// GoString keeps %#v from printing the answer.
func (e *JobFailedError) GoString() string {
	return "&scriptix.JobFailedError{" + strconv.Quote(e.Error()) + "}"
}

// Is reports whether target is [ErrJobFailed].
func (e *JobFailedError) Is(target error) bool { return target == ErrJobFailed }

// WaitError says that the caller's context ended before the job did. The job
// goes on; [STTService.Wait] with the same id resumes.
type WaitError struct {
	JobID   string   // the job; of several, one of them
	Last    Status   // the last status seen, "" when none was
	Pending []string // all jobs still waited for
	Err     error    // the context's end, and the last failed poll beside it
}

func (e *WaitError) Error() string {
	what := strconv.Quote(e.JobID)
	if n := len(e.Pending); n > 1 {
		what = fmt.Sprintf("%q and %d more", e.JobID, n-1)
	}
	if e.Last != "" {
		what += " (" + string(e.Last) + ")"
	}
	return fmt.Sprintf("stopped waiting for %s, which goes on; wait for the id again to resume: %v", what, e.Err)
}

// Unwrap returns the context's error.
func (e *WaitError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrWaitEnded].
func (e *WaitError) Is(target error) bool { return target == ErrWaitEnded }

// invalid is the error of a call that is refused before anything is sent.
func invalid(op, field, problem string) *Error {
	return &Error{Op: op, Fields: map[string]string{field: problem}, Err: ErrInvalid}
}
