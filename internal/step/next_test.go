package step_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// record is one in a phase, as it is an hour after its upload.
func record(p ledger.Phase, change ...func(*ledger.Record)) ledger.Record {
	r := ledger.Record{Key: "k", Token: "t0ken", Phase: p, Owner: "owner", SentAt: now.Add(-time.Hour)}
	switch p {
	case ledger.Submitted, ledger.Completed, ledger.Failed, ledger.Done:
		r.JobID = "job"
	case ledger.Claimed, ledger.Rejected:
		r.SentAt = time.Time{}
	case ledger.Sent, ledger.Unknown, ledger.Abandoned:
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func uploading(r *ledger.Record)  { r.Upload = "upload" }
func confirming(r *ledger.Record) { r.Confirm = true }

func TestNextSaysWhatARecordNeeds(t *testing.T) {
	t.Parallel()
	day := step.Patience{UnknownAfter: 24 * time.Hour}
	for name, c := range map[string]struct {
		record   ledger.Record
		alive    bool
		patience step.Patience
		want     step.Action
	}{
		"what is claimed is sent":                               {record(ledger.Claimed), false, day, step.Action{Do: step.Send}},
		"unless its owner is at it":                             {record(ledger.Claimed), true, day, step.Action{Do: step.Leave}},
		"what is sent belongs to its owner":                     {record(ledger.Sent), true, day, step.Action{Do: step.Leave}},
		"what a dead owner sent is taken over":                  {record(ledger.Sent), false, day, step.Action{Do: step.TakeOver}},
		"a resumable upload of a dead owner goes on":            {record(ledger.Sent, uploading), false, day, step.Action{Do: step.Send}},
		"one of a living owner does not":                        {record(ledger.Sent, uploading), true, day, step.Action{Do: step.Leave}},
		"an unknown one goes on as well":                        {record(ledger.Unknown, uploading), false, day, step.Action{Do: step.Send}},
		"unless its owner is at that":                           {record(ledger.Unknown, uploading), true, day, step.Action{Do: step.Leave}},
		"an unknown outcome is waited for":                      {record(ledger.Unknown), false, day, step.Action{Do: step.Await, After: 23 * time.Hour}},
		"whoever owned it":                                      {record(ledger.Unknown), true, day, step.Action{Do: step.Await, After: 23 * time.Hour}},
		"until it is reported":                                  {record(ledger.Unknown), false, step.Patience{UnknownAfter: time.Hour}, step.Action{Do: step.Report}},
		"or sent again":                                         {record(ledger.Unknown), false, step.Patience{UnknownAfter: time.Minute, ResubmitAfter: time.Hour}, step.Action{Do: step.Resend}},
		"a wait is as long as the first of both":                {record(ledger.Unknown), false, step.Patience{UnknownAfter: 24 * time.Hour, ResubmitAfter: 2 * time.Hour}, step.Action{Do: step.Await, After: time.Hour}},
		"a clock that was ahead is not waited for":              {record(ledger.Unknown, func(r *ledger.Record) { r.SentAt = now.Add(9999 * time.Hour) }), false, step.Patience{UnknownAfter: time.Hour, Since: now.Add(-time.Hour)}, step.Action{Do: step.Report}},
		"a job that runs is followed":                           {record(ledger.Submitted), true, day, step.Action{Do: step.Follow}},
		"a failure that a callback told is confirmed":           {record(ledger.Submitted, confirming), false, day, step.Action{Do: step.Confirm}},
		"a result is collected":                                 {record(ledger.Completed), false, day, step.Action{Do: step.Collect}},
		"done is the end":                                       {record(ledger.Done), false, day, step.Action{Do: step.End}},
		"failed is the end":                                     {record(ledger.Failed), false, day, step.Action{Do: step.End}},
		"rejected is the end, unless somebody takes it over":    {record(ledger.Rejected), false, day, step.Action{Do: step.End}},
		"abandoned is the end":                                  {record(ledger.Abandoned), false, day, step.Action{Do: step.End}},
		"a phase of a later version is none that is dealt with": {record("archived"), false, day, step.Action{Do: step.End}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, step.Next(c.record, now, c.alive, c.patience))
		})
	}
}

func TestADeadOwnersUploadIsAnUnknownOutcomeAndALivingOnesIsLeftAlone(t *testing.T) {
	t.Parallel()
	r, err := step.TakenOver(record(ledger.Sent), "me", nil, now)
	require.NoError(t, err)
	assert.Equal(t, ledger.Unknown, r.Phase)
	assert.Contains(t, r.Failure, "the process ended")
	assert.Equal(t, now, r.Due)

	r, err = step.TakenOver(record(ledger.Sent), "me", func(owner string) bool { return owner == "owner" }, now)
	require.NoError(t, err)
	assert.Equal(t, record(ledger.Sent), r)

	r, err = step.TakenOver(record(ledger.Sent, uploading), "me", nil, now)
	require.NoError(t, err)
	assert.Equal(t, record(ledger.Sent, uploading), r, "it goes on")

	r, err = step.TakenOver(record(ledger.Rejected), "me", nil, now)
	require.NoError(t, err)
	assert.Equal(t, ledger.Claimed, r.Phase)
	assert.Equal(t, "me", r.Owner)
}

func TestAnUnknownOutcomeIsSentAgainUnlessItsJobWasReported(t *testing.T) {
	t.Parallel()
	for _, p := range []ledger.Phase{ledger.Unknown, ledger.Sent} {
		r, err := step.Resent(record(p), "me", now)
		require.NoError(t, err)
		assert.Equal(t, ledger.Claimed, r.Phase)
		assert.Equal(t, "me", r.Owner)
	}
	_, err := step.Resent(record(ledger.Completed), "me", now)
	require.ErrorIs(t, err, ledger.ErrMoved)
}
