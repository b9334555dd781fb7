package scriptix_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

var oneAttempt = scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1})

// finished makes a job that has ended.
func finished(t *testing.T, c *scriptix.Client) string {
	t.Helper()
	job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.NoError(t, err)
	time.Sleep(time.Hour)
	return job.ID
}

func TestSlowAnswersEndAndSayWhatWasSlow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault scriptixtest.Fault
		call  func(ctx context.Context, c *scriptix.Client, id string) error
		took  time.Duration
		says  string // "": it succeeds
	}{
		"a poll of a byte now and then":               {scriptixtest.Fault{On: scriptixtest.Status, Trickle: 45 * time.Second}, status, 2 * time.Minute, "was not whole within 2m0s"},
		"a poll in silence":                           {scriptixtest.Fault{On: scriptixtest.Status, Delay: time.Hour}, status, time.Minute, "no answer within 1m0s"},
		"a poll that goes silent":                     {scriptixtest.Fault{On: scriptixtest.Status, Stall: time.Hour}, status, time.Minute, "no byte of the answer moved for 1m0s"},
		"a poll of interim answers":                   {scriptixtest.Fault{On: scriptixtest.Status, Delay: time.Hour, Interim: 20 * time.Second}, status, 2 * time.Minute, "was not whole within 2m0s"},
		"a poll that takes 90 s with interim ones":    {scriptixtest.Fault{On: scriptixtest.Status, Delay: 90 * time.Second, Interim: 30 * time.Second}, status, 90 * time.Second, ""},
		"a result in silence for 90 s":                {scriptixtest.Fault{On: scriptixtest.Result, Delay: 90 * time.Second}, result, 90 * time.Second, ""},
		"a result in silence for 9 minutes":           {scriptixtest.Fault{On: scriptixtest.Result, Delay: 9 * time.Minute}, result, 9 * time.Minute, ""},
		"a result in silence for an hour":             {scriptixtest.Fault{On: scriptixtest.Result, Delay: time.Hour}, result, 10 * time.Minute, "no answer within 10m0s"},
		"a result of a byte now and then":             {scriptixtest.Fault{On: scriptixtest.Result, Trickle: 45 * time.Second}, result, 135 * time.Second, "less than 1024 bytes a second"},
		"a result that goes silent":                   {scriptixtest.Fault{On: scriptixtest.Result, Stall: time.Hour}, result, time.Minute, "no byte of the answer moved for 1m0s"},
		"a submit with interim answers":               {scriptixtest.Fault{On: scriptixtest.Submit, Delay: 25 * time.Minute, Interim: 5 * time.Minute}, submit, 25 * time.Minute, ""},
		"a submit in silence":                         {scriptixtest.Fault{On: scriptixtest.Submit, Delay: 25 * time.Minute}, submit, 10 * time.Minute, "no answer within 10m0s of the last byte"},
		"a submit's answer of a byte now and then":    {scriptixtest.Fault{On: scriptixtest.Submit, Trickle: 45 * time.Second}, submit, 135 * time.Second, "less than 1024 bytes a second"},
		"a refusal of a byte now and then":            {scriptixtest.Fault{On: scriptixtest.Result, Status: http.StatusForbidden, Trickle: 45 * time.Second}, result, 135 * time.Second, "403"},
		"a submit whose body is not read":             {scriptixtest.Fault{On: scriptixtest.Submit, BodyStall: time.Hour}, submit, time.Minute, "no byte moved for 1m0s while the request was sent"},
		"an upload's creation of a byte now and then": {scriptixtest.Fault{On: scriptixtest.FilesCreate, Body: "nothing that is needed", Trickle: 45 * time.Second}, resumable, time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				c := newClient(t, fake, oneAttempt)
				id := finished(t, c)
				fake.Fault(tt.fault)
				before, start := len(fake.Requests()), time.Now()

				err := tt.call(t.Context(), c, id)

				assert.Equal(t, tt.took, time.Since(start))
				if tt.says == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tt.says)
				}
				if tt.fault.On != scriptixtest.FilesCreate {
					assert.Len(t, fake.Requests(), before+1)
				}
			})
		})
	}
}

func status(ctx context.Context, c *scriptix.Client, id string) error {
	_, err := c.STT.Status(ctx, id)
	return err
}

func result(ctx context.Context, c *scriptix.Client, id string) error {
	_, err := c.STT.Result(ctx, id)
	return err
}

// submit sends more than the in-memory network holds.
func submit(ctx context.Context, c *scriptix.Client, _ string) error {
	_, err := c.STT.Submit(ctx, scriptix.Bytes("b.wav", makeWAV(time.Minute)), english)
	return err
}

func resumable(ctx context.Context, c *scriptix.Client, _ string) error {
	_, err := c.STT.Submit(ctx, scriptix.Bytes("b.wav", wav), english, scriptix.Resumable())
	return err
}

func TestPollThatNeverEndsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 5 * time.Minute, Callback: scriptixtest.Callback{Lose: true}}
		})
		c := newClient(t, fake)
		stuck, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
		require.NoError(t, err)
		job, err := c.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), english)
		require.NoError(t, err)
		fake.Fault(scriptixtest.Fault{On: variantOf(t).poll, JobID: stuck.ID, Trickle: 45 * time.Second, Times: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()

		ended := map[string]bool{}
		for job, err := range c.STT.Watch(ctx, stuck.ID, job.ID) {
			if err == nil && job.Status.Terminal() {
				ended[job.ID] = true
				break
			}
		}
		assert.True(t, ended[job.ID])
	})
}
