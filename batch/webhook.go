package batch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// TokenParam is the parameter of the callback URL's query that names the
// recording. It lets a callback tell of a job whose id never arrived.
const TokenParam = step.TokenParam

// NewHandler makes the handler that receives the callbacks of a batch. It
// verifies each one, stores it in the ledger, wakes whoever waits for it in this
// process, and only then answers 200: what was acknowledged outlives the
// process. What cannot be stored is answered with 503 and comes again.
//
// A client made with [scriptix.WithWebhook] needs none while a [Run] is under
// way, for Run stores what the client's own handler receives. This one takes
// callbacks between runs too. A nil client is fine for a service that does
// nothing but receive. The secrets are one, or several while they are rotated.
func NewHandler(c *scriptix.Client, l Ledger, secrets ...string) (http.Handler, error) {
	if l == nil {
		return nil, errors.New("batch: NewHandler: the ledger is nil")
	}
	return webhook.NewHandler(func(ctx context.Context, e webhook.Event) error {
		if err := store(ctx, l, e); err != nil {
			return err
		}
		if c == nil {
			return nil
		}
		return c.Deliver(context.WithValue(ctx, storedIn{}, l), e)
	}, secrets)
}

// storedIn is the key under which a context names the ledger that has its event
// already, so that a Run on that ledger does not count it as a duplicate.
type storedIn struct{}

// storeOnce stores an event that the ledger does not have yet.
func storeOnce(ctx context.Context, l Ledger, e webhook.Event) error {
	if reflect.ValueOf(l).Comparable() && ctx.Value(storedIn{}) == l {
		return nil
	}
	return store(ctx, l, e)
}

// store makes an authentic event durable: in its record, or parked until that
// is known. Events that tell of no end are not kept.
func store(ctx context.Context, l Ledger, e webhook.Event) error {
	end := e.Type == webhook.TranscriptionCompleted || e.Type == webhook.TranscriptionFailed
	if known := ledger.CheckName(e.Data.ID) == nil && e.Data.ID != ""; !end || !known {
		return nil
	}
	heard := Event{
		JobID: e.Data.ID, Token: tokenOf(e.Target), Failed: e.Type == webhook.TranscriptionFailed,
		Duration: e.Data.Duration, At: time.Now().UTC(),
	}
	for range 3 {
		key, err := addressee(ctx, l, heard)
		if err != nil || key == "" {
			return err
		}
		_, err = l.Apply(ctx, key, func(r Record) (Record, error) { return ledger.Heard(r, heard), nil })
		if !errors.Is(err, ErrJobTaken) {
			return err
		}
		// Somebody bound the job to its own record since it was looked for.
	}
	return fmt.Errorf("batch: a callback about job %q: %w", heard.JobID, ErrJobTaken)
}

// addressee finds the record that an event is about, by its job and then by its
// token; "" if the event was parked. The job goes first: the token is not
// signed, so it must not bring a job to another record than its own.
func addressee(ctx context.Context, l Ledger, e Event) (key string, err error) {
	r, err := l.Get(ctx, ByJob, e.JobID)
	if errors.Is(err, ErrNoRecord) && e.Token != "" {
		r, err = l.Get(ctx, ByToken, e.Token)
	}
	if errors.Is(err, ErrNoRecord) {
		return l.Park(ctx, e)
	}
	return r.Key, err
}

// tokenOf reads the token from the target that a callback was posted to.
func tokenOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	if token := u.Query().Get(TokenParam); ledger.CheckName(token) == nil {
		return token
	}
	return ""
}

// newToken returns 128 random bits, because nobody may guess a token.
func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
