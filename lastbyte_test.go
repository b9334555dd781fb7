package scriptix_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestNoJobIsMadeWhileTheLastByteIsHeldBack(t *testing.T) {
	t.Parallel()
	errNotNow := errors.New("the ledger is away")
	wav := makeWAV(2 * time.Second)
	for name, c := range map[string]struct {
		audio func() scriptix.Audio
		opts  []scriptix.SubmitOption
	}{
		"of a form":             {func() scriptix.Audio { return scriptix.Bytes("a.wav", wav) }, nil},
		"of a stream":           {func() scriptix.Audio { return scriptix.Reader("a.wav", strings.NewReader(string(wav))) }, nil},
		"of a resumable upload": {func() scriptix.Audio { return scriptix.Bytes("a.wav", wav) }, []scriptix.SubmitOption{scriptix.Resumable()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				client := newClient(t, fake)
				held := scriptix.BeforeLastByte(func(context.Context) error { return errNotNow })
				_, err := client.STT.Submit(t.Context(), c.audio(), scriptix.SubmitParams{Language: "en"}, append(c.opts, held)...)
				require.ErrorIs(t, err, errNotNow)
				require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
				require.NotErrorIs(t, err, scriptix.ErrAudio, "the recording is not at fault")
				assert.Empty(t, fake.Jobs())

				var asked atomic.Int32
				released := scriptix.BeforeLastByte(func(context.Context) error {
					asked.Add(1)
					assert.Empty(t, fake.Jobs())
					return nil
				})
				_, err = client.STT.Submit(t.Context(), c.audio(), scriptix.SubmitParams{Language: "en"}, append(c.opts, released)...)
				require.NoError(t, err)
				assert.Equal(t, int32(1), asked.Load())
				assert.Len(t, fake.Jobs(), 1)
			})
		})
	}
}

func TestTheLastByteIsNotAskedForWhenTheRecordingIsAnother(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	expected := expect(t, scriptix.Bytes("a.wav", makeWAV(time.Second)))
	_, err := newClient(t, fake).STT.Submit(t.Context(), scriptix.Bytes("a.wav", append(makeWAV(time.Second), 0, 0)), scriptix.SubmitParams{Language: "en"},
		expected, scriptix.BeforeLastByte(func(context.Context) error {
			assert.Fail(t, "it was asked for")
			return nil
		}))
	require.ErrorIs(t, err, scriptix.ErrAudio)
	assert.Empty(t, fake.Jobs())
}

func TestARefusalIsToldBeforeItIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 429, RetryAfter: "40"})
		began, calls := time.Now(), 0
		_, err := newClient(t, fake).STT.Submit(t.Context(), sourceOf(t, makeWAV(time.Second)), scriptix.SubmitParams{Language: "en"},
			scriptix.OnRepeat(func(_ context.Context, err error) {
				calls++
				require.ErrorIs(t, err, scriptix.ErrRateLimited)
				assert.Less(t, time.Since(began), time.Second)
			}))
		require.NoError(t, err)
		assert.Equal(t, 1, calls)
		assert.GreaterOrEqual(t, time.Since(began), 40*time.Second)

		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 422})
		_, err = newClient(t, fake).STT.Submit(t.Context(), sourceOf(t, makeWAV(time.Second)), scriptix.SubmitParams{Language: "en"},
			scriptix.OnRepeat(func(context.Context, error) { calls++ }))
		require.ErrorIs(t, err, scriptix.ErrInvalid)
		assert.Equal(t, 1, calls, "what is not repeated is no repetition")
	})
}
