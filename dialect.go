package scriptix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/dialect"
	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// Dialect is one of the APIs that the service documents. They differ in paths,
// fields and answers, and in where the key goes; the calls of this package and
// what they promise are the same. What a dialect lacks is [ErrUnsupported].
//
// A Dialect is a value: its methods return a changed one.
type Dialect struct {
	table     *table
	unit      time.Duration // of word times; 0: found in each answer
	keyHeader string        // "": learned
}

// The dialects. "scriptix doctor" tells which of them a server speaks.
var (
	// DialectSTT is POST /api/v3/stt with signed callbacks, which is what a
	// client speaks without [WithDialect].
	DialectSTT = Dialect{table: &sttTable}

	// DialectSession is /api/v3/speech-to-text/session with unsigned callbacks.
	// It alone fetches media from a URL ([FromURL]) and deletes
	// ([STTService.Delete]). Its files always go as resumable uploads. Which of
	// its two variants a server speaks, and in which header it takes the key, is
	// learned by requests that cost nothing, and remembered by the client.
	DialectSession = Dialect{table: &sessionTable}
)

// ErrUnsupported is [errors.ErrUnsupported]: the dialect has no such call, and
// nothing was sent.
var ErrUnsupported = errors.ErrUnsupported

// String returns "stt" or "session".
func (d Dialect) String() string {
	if d.table == nil {
		return ""
	}
	return d.table.name
}

// SignedCallbacks reports whether the dialect's callbacks are signed, and can so
// tell of a job. Unsigned ones are hints: see [Client.HintHandler].
func (d Dialect) SignedCallbacks() bool { return d.table != nil && d.table.signed }

// TimeUnit names the unit of the times of words, [time.Second] or
// [time.Millisecond], for a service whose answers do not show it. It concerns
// the session dialect alone.
func (d Dialect) TimeUnit(unit time.Duration) Dialect {
	d.unit = unit
	return d
}

// KeyHeader names the header in which the key goes; no other one is ever sent.
// In Authorization it stands after "Bearer ", in any other header by itself.
func (d Dialect) KeyHeader(name string) Dialect {
	d.keyHeader = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
	if d.keyHeader == "" {
		d.keyHeader = " " // refused by WithDialect, where an error can be told
	}
	return d
}

// WithDialect speaks d instead of [DialectSTT].
func WithDialect(d Dialect) Option {
	return func(c *config) error {
		switch {
		case d.table == nil:
			return errors.New("dialect: is empty; use DialectSTT or DialectSession")
		case d.unit != 0 && d.unit != time.Second && d.unit != time.Millisecond:
			return fmt.Errorf("dialect: the unit of times is a second or a millisecond, not %v", d.unit)
		case strings.ContainsFunc(d.keyHeader, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }):
			return errors.New("dialect: KeyHeader is no name of a header")
		}
		c.dialect = d
		return nil
	}
}

// Dialect returns the dialect that the client speaks.
func (c *Client) Dialect() Dialect { return c.core.dialect.Dialect }

// table is what tells a dialect from another. Nothing else asks which one it is.
type table struct {
	name     string
	headers  []string                                               // where the key may go, in the order of trying
	probe    func() []string                                        // the path of a free GET that tries a header before a submit does; nil: there is one header
	signed   bool                                                   // callbacks are signed, and expected
	chunks   bool                                                   // files always go as resumable uploads
	own      []string                                               // fields that Extra may not name
	adapt    func(op string, p SubmitParams, f url.Values) error    // makes the fields of a submit its own; nil: they are
	metadata func(c *core, f url.Values)                            // adds to the fields what only an upload says; nil: nothing
	fetch    func(c *core, a Audio, f url.Values) []byte            // the JSON of a submit of a URL; nil: there is none
	made     func(data []byte) (*Job, error)                        // the answer to it
	fileJob  func(data []byte, fileID string) (string, error)       // which job an upload became
	status   []reading                                              // in the order of trying
	result   func(jobID string) []string                            // its path
	decode   func(data []byte, u time.Duration) (outcome, error)    // and its answer
	fallback func(context.Context, *STTService, string) *Transcript // for a result that is a 404; nil: there is none
	remove   func(jobID string) []string                            // the path of a DELETE; nil: there is none
	document documentTable
}

// reading is a GET about a job, and how its answer is read.
type reading struct {
	path  func(jobID string) []string
	limit int64                      // bytes of the answer; 0: maxAnswer
	job   func([]byte) (*Job, error) // what it says of the job
	early bool                       // a 202 or 409 says that the job runs
}

// outcome is a result, or what was sent in its place.
type outcome struct {
	transcript *Transcript
	job        Job  // the status that the answer carries, "" when it has none
	held       bool // a transcript is in it, which is empty where nobody speaks
}

// spoken is the dialect of a client, with what it has learned of the service.
type spoken struct {
	Dialect
	learned *dialect.Learned
}

func (d Dialect) speak() *spoken {
	headers := d.table.headers
	if d.keyHeader != "" {
		headers = []string{d.keyHeader}
	}
	return &spoken{d, dialect.NewLearned(headers)}
}

// accepts reports whether an answer shows that the key's header was right: any
// but a 401, and what a gateway says in the service's place.
func accepts(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err == nil
	}
	switch s := e.StatusCode; s {
	case 0, http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return s < 300 || s >= 400 && s < 500
	}
}

// send makes a call under the retry policy. A GET that is answered with a 401 is
// asked once more with the other header that a key may be in, where there is
// one; anything else waits until a GET has found which.
func (c *core) send(ctx context.Context, k call) (*answer, error) {
	if k.method != http.MethodGet {
		if err := c.probe(ctx, k); err != nil {
			return nil, err
		}
	}
	learned := c.dialect.learned
	header, _ := learned.Header()
	ans, err := c.sendIn(ctx, header, k)
	if k.method != http.MethodGet {
		return ans, err
	}
	if errors.Is(err, ErrUnauthorized) && learned.Headers() > 1 {
		header = (header + 1) % learned.Headers()
		k.permit = nil // it was used
		if other, otherErr := c.sendIn(ctx, header, k); accepts(otherErr) {
			ans, err = other, otherErr
		}
	}
	if !k.lax && accepts(err) {
		learned.Accepted(header)
	}
	return ans, err
}

// probe finds the key's header before something is sent that may cost money. It
// asks for the result of a job that does not exist.
func (c *core) probe(ctx context.Context, k call) error {
	if c.dialect.table.probe == nil {
		return nil
	}
	done, err := c.dialect.learned.Probe(ctx)
	switch {
	case err != nil:
		return &Error{Op: k.op, Err: ctxError(ctx)}
	case done == nil:
		return nil
	}
	defer done()
	return c.askAbsent(ctx, k.class)
}

// askAbsent asks for the result of a job that does not exist: an answer shows
// that the key's header is right, and how the service speaks of such a job.
func (c *core) askAbsent(ctx context.Context, class Class) error {
	path := c.dialect.table.probe()
	_, err := c.send(ctx, call{op: "dialect.probe", method: http.MethodGet, path: path, class: class})
	if e, ok := errors.AsType[*Error](err); ok && e.StatusCode == http.StatusNotFound {
		c.dialect.learned.SaysAbsent(absence(e, path[2]))
	}
	if accepts(err) {
		return nil
	}
	return err
}

// absence is what a 404 says, whichever job it is about.
func absence(e *Error, id string) string {
	return strings.ReplaceAll(e.Code+" "+e.Message, id, "ID")
}

// runs reports whether what failed says that the job runs: where the result is
// all that there is to ask for, it is not ready then. A 404 says so where the
// service has other words for a job that it does not know.
func (c *core) runs(ctx context.Context, k call, err error) bool {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return false
	case e.StatusCode == http.StatusConflict:
		return true
	case e.StatusCode != http.StatusNotFound || c.dialect.table.probe == nil:
		return false
	}
	absent := c.dialect.learned.Absent()
	if absent == "" && c.askAbsent(ctx, k.class) == nil {
		absent = c.dialect.learned.Absent()
	}
	return absent != "" && absent != absence(e, k.jobID)
}

// status asks how the job of a call is: by the call that was answered last, and
// by the others where that does not exist.
func (c *core) status(ctx context.Context, k call) (*Job, error) {
	k.op, k.method, k.total = "stt.status", http.MethodGet, pollTotal
	if k.jobID == "" {
		return nil, invalid(k.op, "job id", "is empty")
	}
	readings := c.dialect.table.status
	which := c.dialect.learned.Status()
	for first := true; ; first = false {
		job, err := c.read(ctx, k, readings[which])
		if err == nil {
			c.dialect.learned.Answered(which)
			return job, nil
		}
		e, ok := errors.AsType[*Error](err)
		absent := ok && (e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusMethodNotAllowed)
		if !first || !absent || len(readings) == 1 {
			return nil, err
		}
		which = (which + 1) % len(readings)
		k.permit = nil // it was used
	}
}

// read asks one of the calls that tell of a job.
func (c *core) read(ctx context.Context, k call, r reading) (*Job, error) {
	k.path, k.limit, k.holds = r.path(k.jobID), r.limit, true
	ans, err := c.send(ctx, k)
	if err != nil && r.early && c.runs(ctx, k, err) {
		return &Job{ID: k.jobID, Status: StatusProcessing, Source: SourcePoll}, nil
	}
	if err != nil {
		return nil, err
	}
	defer ans.place.Keep(0)
	job, err := r.job(ans.body)
	switch {
	case r.early && ans.status == http.StatusAccepted && (err != nil || job.Status == ""):
		job = &Job{Status: StatusProcessing}
	case err != nil:
		return nil, c.badAnswer(k, ans, err)
	case job.Status == "":
		return nil, c.badAnswer(k, ans, errors.New("it holds no status"))
	case job.ID != "" && job.ID != k.jobID:
		return nil, c.badAnswer(k, ans, fmt.Errorf("it is about job %q", redact.Line(job.ID, 128)))
	}
	job.ID, job.Source = k.jobID, SourcePoll
	return job, nil
}
