package step_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

func answered(op string, status int, kind error) error {
	return &scriptix.Error{Op: op, StatusCode: status, Err: kind}
}

func cut(err error) error {
	return &scriptix.UploadInterruptedError{Token: "token of the upload", Err: err}
}

func TestClassifySaysWhatAnUploadCameTo(t *testing.T) {
	t.Parallel()
	unanswered := &scriptix.Error{Op: "stt.submit", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		err     error
		stopped bool
		want    step.Kind
	}{
		"an answer with a job":                    {nil, false, step.JobMade},
		"one that came while stopping":            {nil, true, step.JobMade},
		"a mark that came too late":               {fmt.Errorf("%w: %w", ledger.ErrStore, ledger.ErrMoved), false, step.Overtaken},
		"a mark that could not be stored":         {fmt.Errorf("%w: %w", ledger.ErrStore, errors.New("disk full")), false, step.StoreFailed},
		"an unknown outcome":                      {&scriptix.UnknownOutcomeError{Err: unanswered}, false, step.OutcomeUnknown},
		"an unknown outcome while stopping":       {&scriptix.UnknownOutcomeError{Err: unanswered}, true, step.OutcomeUnknown},
		"an upload that is not there":             {cut(answered("files.head", 404, scriptix.ErrNotFound)), false, step.UploadVanished},
		"one that could not be asked for":         {answered("files.head", 404, scriptix.ErrNotFound), false, step.UploadVanished},
		"a job of an upload that is not there":    {cut(answered("files.info", 404, scriptix.ErrNotFound)), false, step.UploadCut},
		"a submit that is not there":              {answered("stt.submit", 404, scriptix.ErrNotFound), false, step.Refused},
		"an upload that was cut":                  {cut(unanswered), false, step.UploadCut},
		"an upload that was cut by stopping":      {cut(context.Canceled), true, step.UploadCut},
		"an upload of a key that is refused":      {cut(answered("files.patch", 401, scriptix.ErrUnauthorized)), false, step.UploadStuck},
		"an upload whose file changed":            {cut(scriptix.ErrAudio), false, step.UploadStuck},
		"a submit that was stopped":               {context.Canceled, true, step.Interrupted},
		"a refusal":                               {answered("stt.submit", 422, scriptix.ErrInvalid), false, step.Refused},
		"a file that cannot be read":              {fmt.Errorf("%w: gone", scriptix.ErrAudio), false, step.Refused},
		"a key that is refused":                   {answered("stt.submit", 401, scriptix.ErrUnauthorized), false, step.Refused},
		"an error of nobody's":                    {errors.New("odd"), false, step.Refused},
		"a service that is busy":                  {answered("stt.submit", 429, scriptix.ErrRateLimited), false, step.Deferred},
		"a service that is down":                  {answered("stt.submit", 503, scriptix.ErrServer), false, step.Deferred},
		"an answer of no sense":                   {answered("files.create", 200, scriptix.ErrBadAnswer), false, step.Deferred},
		"a budget without room":                   {scriptix.ErrBudget, false, step.Deferred},
		"a connection that was not made":          {unanswered, false, step.Deferred},
		"a reason that trying again will not end": {&scriptix.Error{Op: "stt.submit", Err: scriptix.ErrInvalid}, false, step.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, step.Classify(c.err, c.stopped))
		})
	}
}

func TestSettleSaysWhatTheRecordBecomesAndWhatIsDoneThen(t *testing.T) {
	t.Parallel()
	busy := &scriptix.Error{Op: "stt.submit", StatusCode: 429, RetryAfter: 3 * time.Minute, Err: scriptix.ErrRateLimited}
	refused := answered("stt.submit", 422, scriptix.ErrInvalid)
	broke := answered("stt.submit", 402, scriptix.ErrQuota)
	unknown := &scriptix.UnknownOutcomeError{Err: errors.New("EOF")}
	gone := answered("files.head", 404, scriptix.ErrNotFound)
	for name, c := range map[string]struct {
		sent  step.Sent
		from  ledger.Record
		try   int
		phase ledger.Phase
		then  step.Then
		after time.Duration
		halt  bool
	}{
		"a job":                                   {step.Sent{Kind: step.JobMade, Job: &scriptix.Job{ID: "job"}}, record(ledger.Sent), 1, ledger.Submitted, step.Advance, 0, false},
		"a callback that was faster":              {step.Sent{Kind: step.JobMade, Job: &scriptix.Job{ID: "job"}}, record(ledger.Completed), 1, ledger.Completed, step.Advance, 0, false},
		"somebody who was faster":                 {step.Sent{Kind: step.Overtaken, Err: ledger.ErrMoved}, record(ledger.Sent), 1, ledger.Sent, step.Advance, 0, false},
		"a ledger that failed":                    {step.Sent{Kind: step.StoreFailed, Err: ledger.ErrStore}, record(ledger.Claimed), 1, ledger.Claimed, step.Interrupt, 0, false},
		"a lost answer":                           {step.Sent{Kind: step.OutcomeUnknown, Err: unknown}, record(ledger.Sent), 1, ledger.Unknown, step.Advance, 0, false},
		"a lost answer whose callback came":       {step.Sent{Kind: step.OutcomeUnknown, Err: unknown}, record(ledger.Submitted), 1, ledger.Submitted, step.Advance, 0, false},
		"an upload of no trace, not all out":      {step.Sent{Kind: step.OutcomeUnknown, Err: unknown}, record(ledger.Claimed, uploading), 1, ledger.Claimed, step.Again, 2 * time.Second, false},
		"an upload of no trace, all out":          {step.Sent{Kind: step.OutcomeUnknown, Err: unknown}, record(ledger.Sent, uploading), 1, ledger.Unknown, step.Advance, 0, false},
		"an upload that vanished, not all out":    {step.Sent{Kind: step.UploadVanished, Err: gone}, record(ledger.Claimed, uploading), 2, ledger.Claimed, step.Again, 4 * time.Second, false},
		"an upload that vanished, all out":        {step.Sent{Kind: step.UploadVanished, Err: gone}, record(ledger.Sent, uploading), 1, ledger.Unknown, step.Again, 2 * time.Second, false},
		"an upload that vanishes each time":       {step.Sent{Kind: step.UploadVanished, Err: gone}, record(ledger.Claimed, uploading), 10, ledger.Rejected, step.Reject, 0, false},
		"an upload that was cut":                  {step.Sent{Kind: step.UploadCut, Err: cut(errors.New("EOF"))}, record(ledger.Claimed), 1, ledger.Claimed, step.Again, 2 * time.Second, false},
		"an upload that is cut each time":         {step.Sent{Kind: step.UploadCut, Err: cut(errors.New("EOF"))}, record(ledger.Claimed), 10, ledger.Claimed, step.Interrupt, 0, false},
		"an upload whose callback came":           {step.Sent{Kind: step.UploadCut, Err: cut(errors.New("EOF"))}, record(ledger.Submitted), 1, ledger.Submitted, step.Again, 2 * time.Second, false},
		"an upload that is stuck":                 {step.Sent{Kind: step.UploadStuck, Err: cut(scriptix.ErrAudio)}, record(ledger.Claimed), 1, ledger.Claimed, step.Interrupt, 0, false},
		"an upload of a key that is refused":      {step.Sent{Kind: step.UploadStuck, Err: cut(scriptix.ErrUnauthorized)}, record(ledger.Claimed), 1, ledger.Claimed, step.Interrupt, 0, true},
		"an end of the context":                   {step.Sent{Kind: step.Interrupted, Err: context.Canceled}, record(ledger.Sent), 1, ledger.Claimed, step.Stop, 0, false},
		"a service that is busy":                  {step.Sent{Kind: step.Deferred, Err: busy}, record(ledger.Sent), 1, ledger.Claimed, step.Again, 3 * time.Minute, false},
		"a service that is busy for long":         {step.Sent{Kind: step.Deferred, Err: busy}, record(ledger.Sent), 9, ledger.Claimed, step.Again, 5 * time.Minute, false},
		"a service that is busy for too long":     {step.Sent{Kind: step.Deferred, Err: busy}, record(ledger.Sent), 10, ledger.Rejected, step.Reject, 0, false},
		"a refusal":                               {step.Sent{Kind: step.Refused, Err: refused}, record(ledger.Sent), 1, ledger.Rejected, step.Reject, 0, false},
		"a refusal of every other, too":           {step.Sent{Kind: step.Refused, Err: broke}, record(ledger.Sent), 1, ledger.Rejected, step.Reject, 0, true},
		"a refusal of what a callback told of":    {step.Sent{Kind: step.Refused, Err: refused}, record(ledger.Completed), 1, ledger.Completed, step.Advance, 0, false},
		"a refusal after an upload was all out":   {step.Sent{Kind: step.Refused, Err: refused}, record(ledger.Sent, uploading), 1, ledger.Sent, step.Doubt, 0, false},
		"a refusal of what another owner uploads": {step.Sent{Kind: step.Refused, Err: refused}, record(ledger.Sent, func(r *ledger.Record) { r.Owner = "other" }), 1, ledger.Sent, step.Advance, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.sent.Owner = "owner"
			r, verdict := c.sent.Settle(c.from, c.try, now)
			assert.Equal(t, c.phase, r.Phase)
			assert.Equal(t, c.then, verdict.Then)
			assert.Equal(t, c.after, verdict.After)
			assert.Equal(t, c.halt, verdict.Halt)
			require.NoError(t, ledger.Check(c.from, r))
			if verdict.Then == step.Reject || verdict.Then == step.Interrupt || verdict.Then == step.Doubt {
				require.ErrorIs(t, verdict.Err, c.sent.Err)
			}
		})
	}
}

func TestARetryAfterBeyondEveryWindowIsNotWaitedOut(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		time.Hour:            time.Hour,
		20 * time.Hour:       20 * time.Hour, // until the day's limit is there again
		365 * 24 * time.Hour: 24 * time.Hour,
	} {
		busy := step.Sent{Kind: step.Deferred, Owner: "me", Err: &scriptix.Error{Op: "stt.submit", StatusCode: 429, RetryAfter: asked}}
		_, verdict := busy.Settle(ledger.Record{Phase: ledger.Claimed}, 1, time.Now())
		assert.Equal(t, step.Again, verdict.Then)
		assert.Equal(t, want, verdict.After)
	}
}
