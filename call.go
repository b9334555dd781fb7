package scriptix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// call describes one API call. It is made, sent and forgotten.
type call struct {
	op     string
	jobID  string
	method string
	path   []string    // elements below apiPath, escaped one by one
	url    *url.URL    // instead of path: one that the service named
	header http.Header // beside the ones every call has
	class  Class
	limit  int64   // bytes of a 2xx's body that are read; 0: maxAnswer
	body   payload // nil: none
	billed bool    // a second one costs money: rule 1 of retry.go
	single bool    // one attempt, whatever comes
	chunk  bool    // of an upload that can go on from anywhere: sent unasked
	prompt bool    // no work follows the body: its answer is due like any byte
	permit Permit  // of the budget, if the caller has it already; for a single attempt
}

// payload is a request body that is opened afresh for each attempt, for the
// length of ctx.
type payload func(ctx context.Context) (*audio.Body, error)

// answer is a 2xx, read whole.
type answer struct {
	status     int
	header     http.Header
	body       []byte
	attempts   int
	sent, size int64 // of the audio, when there was one
}

// Bounds of what is read of an answer.
const (
	maxError  = 64 << 10
	maxAnswer = 1 << 20
	maxResult = 256 << 20
)

// do makes a call and decodes its answer as a T that passes check.
func do[T any](ctx context.Context, c *core, k call, check func(*T) error) (*T, error) {
	ans, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return decode(c, k, ans, check)
}

// decode reads an answer as a T. What is none, or does not pass check, is
// [ErrBadAnswer].
func decode[T any](c *core, k call, ans *answer, check func(*T) error) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(ans.body, v); err != nil {
		return nil, c.badAnswer(k, ans, err)
	}
	if err := check(v); err != nil {
		return nil, c.badAnswer(k, ans, err)
	}
	return v, nil
}

// send makes a call under the retry policy.
func (c *core) send(ctx context.Context, k call) (*answer, error) {
	x := &exchange{core: c, call: k, ctx: ctx}
	target, err := c.target(k)
	if err != nil {
		return nil, &Error{Op: k.op, JobID: k.jobID, Err: err}
	}
	return x.run(target)
}

// target is the call's URL. Elements are escaped one by one and never joined
// as text, so that an id cannot climb to another endpoint.
func (c *core) target(k call) (*url.URL, error) {
	if k.url != nil {
		return k.url, nil
	}
	escaped := strings.TrimRight(c.base.EscapedPath(), "/") + apiPath
	for _, element := range k.path {
		if element == "." || element == ".." {
			return nil, fmt.Errorf("%w: %q is no id", ErrInvalid, element)
		}
		escaped += "/" + url.PathEscape(element)
	}
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: plain, RawPath: escaped}, nil
}

// badAnswer is a 2xx that is no answer to the question.
func (c *core) badAnswer(k call, ans *answer, cause error) *Error {
	e := decodeError(ans.status, ans.header, nil, c.redact)
	e.Op, e.JobID, e.Attempts = k.op, k.jobID, ans.attempts
	e.Message = "the answer cannot be read"
	if syntax, ok := errors.AsType[*json.SyntaxError](cause); ok {
		// The offset helps; the text itself stays out.
		cause = fmt.Errorf("no valid JSON at byte %d of %d", syntax.Offset, len(ans.body))
	}
	e.Err = c.redact.Error(fmt.Errorf("%w: %w", ErrBadAnswer, cause))
	return e
}
