package batch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// wholeUpload leaves a resumable upload of which every byte is at the service,
// and whose job nobody was told of.
func wholeUpload(t *testing.T, fake *scriptixtest.Server, c *scriptix.Client, l batch.Ledger, input batch.Input) batch.Record {
	t.Helper()
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesInfo, Status: 500, Times: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	o := one(t, collect(ctx, c, only(input), batch.Options{Ledger: l}))
	require.Equal(t, batch.StateInterrupted, o.State)
	r, err := l.Get(t.Context(), batch.ByKey, o.Key)
	require.NoError(t, err)
	require.Equal(t, batch.Sent, r.Phase)
	require.NotEmpty(t, r.Upload)
	require.Len(t, fake.Jobs(), 1)
	fake.ClearFaults()
	return r
}

func mute(scriptixtest.Upload) scriptixtest.Outcome {
	return scriptixtest.Outcome{Callback: scriptixtest.Callback{Lose: true}}
}

func TestAWholeUploadIsNotPaidForAgainThoughItsFileWasAwayForOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(mute)
		c, l := newClient(t, fake, scriptix.WithResumableAbove(1000)), batch.Memory()
		path := filepath.Join(t.TempDir(), "long.wav")
		require.NoError(t, os.WriteFile(path, makeWAV(1, 5000), 0o600))
		input := batch.Input{Audio: scriptix.File(path), Params: english, Key: "long"}
		wholeUpload(t, fake, c, l, input)

		require.NoError(t, os.Rename(path, path+".away"))
		o := one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateUnknown, o.State, "a job may exist")
		require.ErrorIs(t, o.Err, scriptix.ErrUnknownOutcome)
		require.ErrorIs(t, o.Err, scriptix.ErrAudio)

		require.NoError(t, os.Rename(path+".away", path))
		o = one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestAWholeUploadThatVanishedIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(mute)
		c, l := newClient(t, fake, scriptix.WithResumableAbove(1000)), batch.Memory()
		input := batch.Input{Audio: scriptix.Bytes("long.wav", makeWAV(1, 5000)), Params: english}
		r := wholeUpload(t, fake, c, l, input)

		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Vanish: true})
		began := time.Now()
		o := one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateUnknown, o.State)
		if variantOf(t).dialect.SignedCallbacks() {
			assert.InDelta(t, 30*time.Minute, time.Since(began), float64(time.Minute), "the callback may still come")
		}
		require.ErrorIs(t, o.Err, scriptix.ErrUnknownOutcome)
		require.NoError(t, batch.Abandon(t.Context(), l, r.Key), "the caller can decide")
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestAKeyThatIsRefusedStopsAResumableUploadAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		want   error
	}{
		"401": {401, scriptix.ErrUnauthorized},
		"402": {402, scriptix.ErrQuota},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				client, l := newClient(t, fake, scriptix.WithResumableAbove(1000)), batch.Memory()
				fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: c.status, Times: -1})
				began := time.Now()
				outcomes := collect(t.Context(), client, only(
					batch.Input{Audio: scriptix.Bytes("a.wav", makeWAV(1, 5000)), Params: english},
					batch.Input{Audio: scriptix.Bytes("b.wav", makeWAV(2, 5000)), Params: english},
				), batch.Options{Ledger: l, Concurrency: 1})
				assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 1, batch.StateRejected: 1}, states(outcomes))
				for _, o := range outcomes {
					require.ErrorIs(t, o.Err, c.want)
				}
				assert.Equal(t, 1, count(fake, scriptixtest.FilesPatch))
				assert.Less(t, time.Since(began), time.Minute)

				fake.ClearFaults()
				outcomes = collect(t.Context(), client, only(outcomes[0].Input, outcomes[1].Input), batch.Options{Ledger: l})
				assert.Equal(t, map[batch.State]int{batch.StateDone: 2}, states(outcomes))
				assert.Equal(t, 2, count(fake, scriptixtest.FilesCreate), "the upload that had begun goes on")
			})
		})
	}
}

func TestAnUploadIsNotContinuedWithAnotherRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake, scriptix.WithResumableAbove(1000)), batch.Memory()
		input := batch.Input{Audio: scriptix.Bytes("long.wav", makeWAV(1, 50_000)), Params: english, Key: "by name"}
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: 500, Times: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.Equal(t, batch.StateInterrupted, one(t, collect(ctx, c, only(input), batch.Options{Ledger: l})).State)
		fake.ClearFaults()

		changed := makeWAV(2, 50_001)
		input.Audio = scriptix.Bytes("long.wav", changed)
		o := one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		require.Len(t, fake.Jobs(), 1)
		assert.Equal(t, sum(changed), fake.Jobs()[0].SHA256, "half of the one and half of the other is nobody's recording")
	})
}

func TestAnUploadThatIsAbandonedMeanwhileIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake, scriptix.WithResumableAbove(1000)), batch.Memory()
		input := batch.Input{Audio: scriptix.Bytes("long.wav", makeWAV(1, 50_000)), Params: english, Key: "k"}
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: 500, Times: -1})
		time.AfterFunc(time.Second, func() { assert.NoError(t, batch.Abandon(t.Context(), l, "k")) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		o := one(t, collect(ctx, c, only(input), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateUnknown, o.State)
		require.NotErrorIs(t, o.Err, context.DeadlineExceeded)
		assert.Empty(t, fake.Jobs())
	})
}

func TestNoErrorOrRecordShowsTheTokenThatTheServiceQuotes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		in := recording(t, 1)
		in.Key = "k"
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 422, Times: -1, Body: `{"message":"bad"}`})
		secret := claim(t.Context(), t, l, "k").Token
		fake.ClearFaults()
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 422, Body: `{"message":"cannot reach ` + secret + `","details":{"webhook_url":"?scriptix_token=` + secret + `"}}`})
		o := one(t, collect(t.Context(), c, only(in), batch.Options{Ledger: l}))
		require.Equal(t, batch.StateRejected, o.State)
		require.ErrorContains(t, o.Err, "cannot reach")
		assert.NotContains(t, o.Err.Error(), secret)
		e, ok := errors.AsType[*scriptix.Error](o.Err)
		require.True(t, ok)
		assert.NotContains(t, e.Fields["webhook_url"], secret)
		r, err := l.Get(t.Context(), batch.ByKey, "k")
		require.NoError(t, err)
		assert.NotContains(t, r.Failure, secret)

		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Failure: "no answer from " + secret}
		})
		o = one(t, collect(t.Context(), c, only(in), batch.Options{Ledger: l}))
		require.Equal(t, batch.StateFailed, o.State)
		require.ErrorContains(t, o.Err, "no answer from")
		assert.NotContains(t, o.Err.Error(), secret)
	})
}
