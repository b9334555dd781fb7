package scriptix

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/watch"
	"github.com/scriptix-io/scriptix-go/observe"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// Observer is told what a client does, for traces and metrics: [observe.Observer].
type Observer = observe.Observer

// Observe has o told of every call, job and callback from now on. Stop ends that.
// A client has one observer; another one takes its place, and nil none. Without
// one nothing is spent on it.
func (c *Client) Observe(o Observer) (stop func()) {
	var current *Observer
	if o != nil {
		current = &o
	}
	c.core.observer.Store(current)
	return func() { c.core.observer.CompareAndSwap(current, nil) }
}

// sendIn makes a call under the retry policy, the key in the header of that
// number.
func (c *core) sendIn(ctx context.Context, header int, k call) (*answer, error) {
	o := c.observer.Load()
	if o == nil {
		return c.exchange(ctx, header, k)
	}
	ctx, ended := (*o).Call(ctx, observe.Call{
		Op: k.op, Method: k.method, Route: k.route(), Scheme: c.base.Scheme, Host: c.base.Host, JobID: k.jobID,
	})
	ans, err := c.exchange(ctx, header, k)
	if ended == nil {
		return ans, err
	}
	told := observe.Answer{Err: err, Unknown: errors.Is(err, ErrUnknownOutcome)}
	if e, ok := errors.AsType[*Error](err); ok {
		told.StatusCode, told.Attempts, told.RequestID = e.StatusCode, e.Attempts, e.RequestID
	} else if ans != nil {
		told.StatusCode, told.Attempts, told.RequestID = ans.status, ans.attempts, ans.header.Get("X-Request-Id")
	}
	ended(told)
	return ans, err
}

// route is the call's path with {id} in place of ids, which is all that is no
// word of the API's own.
func (k call) route() string {
	if k.url != nil {
		return apiPath + "/files/{id}"
	}
	elements := slices.Clone(k.path)
	for i, element := range elements {
		switch element {
		case "", "stt", "status", "result", "files", "speech-to-text", "session", "documents", "document", "export", "custom_models", "glossaries":
		default:
			elements[i] = "{id}"
		}
	}
	return apiPath + "/" + strings.Join(elements, "/")
}

// accepted takes in that the service has accepted a recording.
func (c *core) accepted(ctx context.Context, job *Job) {
	if o := c.observer.Load(); o != nil {
		(*o).Submitted(ctx, observe.Submitted{JobID: job.ID, At: time.Now()})
	}
	c.waits.Submitted(toWatch(*job))
}

// Ended tells the observer of a job's end.
func (p poller) Ended(e watch.End) {
	o := p.core.observer.Load()
	if o == nil {
		return
	}
	ended := observe.Ended{JobID: e.JobID, Submitted: e.Submitted, At: time.Now(), Source: observe.ByPoll, Succeeded: e.Succeeded, Late: e.Late}
	if e.CalledBack {
		ended.Source = observe.ByCallback
	}
	(*o).Ended(ended)
}

// observeCallback tells the observer of a callback that was taken in, or was not.
func (c *core) observeCallback(ctx context.Context, e webhook.Event, verdict observe.Verdict, err error) {
	if o := c.observer.Load(); o != nil {
		(*o).Callback(ctx, observe.Callback{Verdict: verdict, Event: string(e.Type), JobID: e.Data.ID, Err: err})
	}
}

// rejected tells the observer of a callback that Deliver has not told it of.
func (c *core) rejected(r *http.Request, err error) {
	_, panicked := errors.AsType[*webhook.PanicError](err)
	rejected, _ := errors.AsType[*webhook.RejectError](err)
	switch {
	case panicked, errors.Is(err, webhook.ErrBusy):
		c.observeCallback(r.Context(), webhook.Event{}, observe.Failed, err)
	case rejected.StatusCode < http.StatusInternalServerError:
		c.observeCallback(r.Context(), webhook.Event{}, observe.Refused, err)
	}
}
