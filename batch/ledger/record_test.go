package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func fresh() ledger.Record { return ledger.New("key", "a.wav", "token", "me", now) }

func sent(t *testing.T) ledger.Record {
	t.Helper()
	r, err := ledger.Sending(fresh(), "me", now)
	require.NoError(t, err)
	return r
}

func TestTheAnswerAndTheCallbackMeetInEitherOrder(t *testing.T) {
	t.Parallel()
	e := ledger.Event{JobID: "job", At: now, Duration: time.Minute}
	answerFirst := ledger.Heard(ledger.Accepted(sent(t), "job", 0, now, now), e)
	callbackFirst := ledger.Accepted(ledger.Heard(sent(t), e), "job", 0, now, now)
	for _, r := range []ledger.Record{answerFirst, callbackFirst} {
		assert.Equal(t, ledger.Completed, r.Phase)
		assert.Equal(t, "job", r.JobID)
		assert.Equal(t, "webhook", r.Source)
		assert.Equal(t, time.Minute, r.Duration)
		assert.Zero(t, r.Contradictions)
	}
}

func TestTheFirstEndStaysAndLaterOnesAreCounted(t *testing.T) {
	t.Parallel()
	r := ledger.Heard(ledger.Accepted(sent(t), "job", 0, now, now), ledger.Event{JobID: "job", At: now})
	r = ledger.Heard(r, ledger.Event{JobID: "job", At: now})
	r = ledger.Heard(r, ledger.Event{JobID: "job", Failed: true, At: now})
	r = ledger.Polled(r, false, "no speech", "poll", 0, now)
	r = ledger.Heard(r, ledger.Event{JobID: "another", At: now})
	assert.Equal(t, ledger.Completed, r.Phase)
	assert.Equal(t, 1, r.Duplicates)
	assert.Equal(t, 3, r.Contradictions)
}

func TestACallbackThatSaysFailedAsksForAConfirmation(t *testing.T) {
	t.Parallel()
	r := ledger.Heard(ledger.Lost(sent(t), "me", nil, "cut", now), ledger.Event{JobID: "job", Failed: true, At: now})
	assert.Equal(t, ledger.Submitted, r.Phase)
	assert.True(t, r.Confirm)
	assert.Equal(t, now, r.Due)
	r = ledger.Polled(r, false, "no speech", "poll", 0, now)
	assert.Equal(t, ledger.Failed, r.Phase)
	assert.Equal(t, "no speech", r.Failure)
	assert.False(t, r.Confirm)
}

func TestOnlyOneOfTwoRunsSendsARecord(t *testing.T) {
	t.Parallel()
	r := sent(t)
	_, err := ledger.Sending(r, "other", now)
	require.ErrorIs(t, err, ledger.ErrMoved)
	again, err := ledger.Sending(r, "me", now.Add(time.Second))
	require.NoError(t, err)
	assert.Equal(t, 2, again.Attempts)
	_, err = ledger.Sending(ledger.Lost(r, "me", nil, "cut", now), "me", now)
	require.ErrorIs(t, err, ledger.ErrMoved, "an unknown outcome is not sent again by itself")
}

func TestAnUnknownOutcomeIsSentAgainOnlyAfterADecision(t *testing.T) {
	t.Parallel()
	r, err := ledger.Reclaimed(ledger.Lost(sent(t), "me", nil, "cut", now), "me")
	require.NoError(t, err)
	assert.Equal(t, ledger.Claimed, r.Phase)
	assert.Equal(t, "token", r.Token, "a late callback about the first upload is still found")
	_, err = ledger.Reclaimed(sent(t), "me")
	require.ErrorIs(t, err, ledger.ErrMoved)
}

func TestNoSequenceOfEventsTakesARecordBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		r := fresh()
		var ended ledger.Phase
		for range 25 {
			old := r
			job := []string{"job", "other"}[random.IntN(2)]
			var err error
			switch random.IntN(11) {
			case 0:
				r, err = ledger.Sending(r, "me", now)
			case 1:
				r = ledger.Unsent(r, r.Owner)
			case 2:
				r = ledger.Lost(r, "me", nil, "cut", now)
			case 3:
				r = ledger.Accepted(r, job, 0, now, now)
			case 4, 5:
				r = ledger.Heard(r, ledger.Event{JobID: job, Failed: random.IntN(2) == 0, At: now})
			case 6:
				r = ledger.Polled(r, random.IntN(2) == 0, "why", "poll", 0, now)
			case 7:
				r = ledger.Finished(r)
			case 8:
				r = ledger.Refused(r, "why", r.Owner)
			case 9:
				r, err = ledger.Reclaimed(r, "me")
			case 10:
				r, err = ledger.GivenUp(r)
			}
			if err != nil {
				require.ErrorIs(t, err, ledger.ErrMoved)
				require.Equal(t, old, r)
			}
			require.NoError(t, ledger.Check(old, r), "%s to %s", old.Phase, r.Phase)
			if ended == ledger.Completed {
				require.Contains(t, []ledger.Phase{ledger.Completed, ledger.Done}, r.Phase)
			}
			if ended == ledger.Failed {
				require.Equal(t, ledger.Failed, r.Phase)
			}
			if r.Phase.Ended() {
				ended = r.Phase
				if ended == ledger.Done {
					ended = ledger.Completed
				}
			}
		}
	}
}

func TestWhatAnotherRunSendsIsNeitherTakenBackNorRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r, err := ledger.Sending(ledger.New("key", "a.wav", "token", "mine", now), "mine", now)
	require.NoError(t, err)
	assert.Equal(t, r, ledger.Unsent(r, "theirs"))
	assert.Equal(t, r, ledger.Refused(r, "why", "theirs"))
	assert.Equal(t, ledger.Claimed, ledger.Unsent(r, "mine").Phase)
	assert.Equal(t, ledger.Rejected, ledger.Refused(r, "why", "mine").Phase)

	r.Upload = "an upload that goes on"
	assert.Equal(t, r, ledger.Unsent(r, "mine"))
	assert.Equal(t, r, ledger.Refused(r, "why", "mine"), "all of it may be at the service")
}

func TestASecondUploadOfARecordingIsRefusedWhileAnotherRunHasOne(t *testing.T) {
	t.Parallel()
	r, err := ledger.Uploading(fresh(), "upload 1", "", "me")
	require.NoError(t, err)
	_, err = ledger.Uploading(r, "upload 2", "", "they")
	require.ErrorIs(t, err, ledger.ErrMoved)
	for token, owner := range map[string]string{"upload 1, and it is whole": "me", "upload 1": "they"} {
		_, err = ledger.Uploading(r, token, "", owner)
		require.NoError(t, err)
	}
}
