package record_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/record"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func fresh() record.Record { return record.New("key", "a.wav", "token", "me", now) }

func sent(t *testing.T) record.Record {
	t.Helper()
	r, err := record.Sending(fresh(), "me", now)
	require.NoError(t, err)
	return r
}

func TestTheAnswerAndTheCallbackMeetInEitherOrder(t *testing.T) {
	t.Parallel()
	e := record.Event{JobID: "job", At: now, Duration: time.Minute}
	answerFirst := record.Heard(record.Accepted(sent(t), "job", 0, now, now), e)
	callbackFirst := record.Accepted(record.Heard(sent(t), e), "job", 0, now, now)
	for _, r := range []record.Record{answerFirst, callbackFirst} {
		assert.Equal(t, record.Completed, r.Phase)
		assert.Equal(t, "job", r.JobID)
		assert.Equal(t, "webhook", r.Source)
		assert.Equal(t, time.Minute, r.Duration)
		assert.Zero(t, r.Contradictions)
	}
}

func TestTheFirstEndStaysAndLaterOnesAreCounted(t *testing.T) {
	t.Parallel()
	r := record.Heard(record.Accepted(sent(t), "job", 0, now, now), record.Event{JobID: "job", At: now})
	r = record.Heard(r, record.Event{JobID: "job", At: now})
	r = record.Heard(r, record.Event{JobID: "job", Failed: true, At: now})
	r = record.Polled(r, false, "no speech", "poll", 0, now)
	r = record.Heard(r, record.Event{JobID: "another", At: now})
	assert.Equal(t, record.Completed, r.Phase)
	assert.Equal(t, 1, r.Duplicates)
	assert.Equal(t, 3, r.Contradictions)
}

func TestACallbackThatSaysFailedAsksForAConfirmation(t *testing.T) {
	t.Parallel()
	r := record.Heard(record.Lost(sent(t), "cut", now), record.Event{JobID: "job", Failed: true, At: now})
	assert.Equal(t, record.Submitted, r.Phase)
	assert.True(t, r.Confirm)
	assert.Equal(t, now, r.Due)
	r = record.Polled(r, false, "no speech", "poll", 0, now)
	assert.Equal(t, record.Failed, r.Phase)
	assert.Equal(t, "no speech", r.Failure)
	assert.False(t, r.Confirm)
}

func TestOnlyOneOfTwoRunsSendsARecord(t *testing.T) {
	t.Parallel()
	r := sent(t)
	_, err := record.Sending(r, "other", now)
	require.ErrorIs(t, err, record.ErrMoved)
	again, err := record.Sending(r, "me", now.Add(time.Second))
	require.NoError(t, err)
	assert.Equal(t, 2, again.Attempts)
	_, err = record.Sending(record.Lost(r, "cut", now), "me", now)
	require.ErrorIs(t, err, record.ErrMoved, "an unknown outcome is not sent again by itself")
}

func TestAnUnknownOutcomeIsSentAgainOnlyAfterADecision(t *testing.T) {
	t.Parallel()
	r, err := record.Reclaimed(record.Lost(sent(t), "cut", now), "me")
	require.NoError(t, err)
	assert.Equal(t, record.Claimed, r.Phase)
	assert.Equal(t, "token", r.Token, "a late callback about the first upload is still found")
	_, err = record.Reclaimed(sent(t), "me")
	require.ErrorIs(t, err, record.ErrMoved)
}

func TestNoSequenceOfEventsTakesARecordBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		r := fresh()
		var ended record.Phase
		for range 25 {
			old := r
			job := []string{"job", "other"}[random.IntN(2)]
			var err error
			switch random.IntN(11) {
			case 0:
				r, err = record.Sending(r, "me", now)
			case 1:
				r = record.Unsent(r, r.Owner)
			case 2:
				r = record.Lost(r, "cut", now)
			case 3:
				r = record.Accepted(r, job, 0, now, now)
			case 4, 5:
				r = record.Heard(r, record.Event{JobID: job, Failed: random.IntN(2) == 0, At: now})
			case 6:
				r = record.Polled(r, random.IntN(2) == 0, "why", "poll", 0, now)
			case 7:
				r = record.Finished(r)
			case 8:
				r = record.Refused(r, "why", r.Owner)
			case 9:
				r, err = record.Reclaimed(r, "me")
			case 10:
				r, err = record.GivenUp(r)
			}
			if err != nil {
				require.ErrorIs(t, err, record.ErrMoved)
				require.Equal(t, old, r)
			}
			require.NoError(t, record.Check(old, r), "%s to %s", old.Phase, r.Phase)
			if ended == record.Completed {
				require.Contains(t, []record.Phase{record.Completed, record.Done}, r.Phase)
			}
			if ended == record.Failed {
				require.Equal(t, record.Failed, r.Phase)
			}
			if r.Phase.Ended() {
				ended = r.Phase
				if ended == record.Done {
					ended = record.Completed
				}
			}
		}
	}
}

func TestWhatAnotherRunSendsIsNeitherTakenBackNorRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r, err := record.Sending(record.New("key", "a.wav", "token", "mine", now), "mine", now)
	require.NoError(t, err)
	assert.Equal(t, r, record.Unsent(r, "theirs"))
	assert.Equal(t, r, record.Refused(r, "why", "theirs"))
	assert.Equal(t, record.Claimed, record.Unsent(r, "mine").Phase)
	assert.Equal(t, record.Rejected, record.Refused(r, "why", "mine").Phase)

	r.Upload = "an upload that goes on"
	assert.Equal(t, r, record.Unsent(r, "mine"))
	assert.Equal(t, r, record.Refused(r, "why", "mine"), "all of it may be at the service")
}

func TestASecondUploadOfARecordingIsRefusedWhileAnotherRunHasOne(t *testing.T) {
	t.Parallel()
	r, err := record.Uploading(fresh(), "upload 1", "", "me")
	require.NoError(t, err)
	_, err = record.Uploading(r, "upload 2", "", "they")
	require.ErrorIs(t, err, record.ErrMoved)
	for token, owner := range map[string]string{"upload 1, and it is whole": "me", "upload 1": "they"} {
		_, err = record.Uploading(r, token, "", owner)
		require.NoError(t, err)
	}
}
