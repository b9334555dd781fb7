package scriptix_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// told is one call of OnProgress's function.
type told struct {
	sent, total int64
	at          time.Time
}

// listen returns an OnProgress option and what it was told.
func listen() (scriptix.SubmitOption, *[]told) {
	calls := new([]told)
	return scriptix.OnProgress(func(sent, total int64) { *calls = append(*calls, told{sent, total, time.Now()}) }), calls
}

func TestProgressNeverGoesBackAndIsToldAtMostTwentyTimesASecond(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptix.SubmitOption{
		"in one request": nil,
		"resumable":      {scriptix.Resumable()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const size = 400_000
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{Skip: len(opts), Cut: scriptixtest.WithinBody}) // the creation is let pass
				c := newClient(t, fake)
				audio := scriptix.Opener("a.wav", size, func(_ context.Context, offset int64) (io.ReadCloser, error) {
					return &paced{Reader: io.NewSectionReader(tape{size}, offset, size-offset), most: 1000, pause: 7 * time.Millisecond}, nil
				})
				progress, calls := listen()

				_, err := c.STT.Submit(t.Context(), audio, english, append(opts, progress)...)

				require.NoError(t, err)
				require.Greater(t, len(fake.Requests()), 1, "an attempt was repeated")
				got := *calls
				require.Greater(t, len(got), 20)
				for i, call := range got {
					assert.Equal(t, int64(size), call.total)
					if i == 0 {
						continue
					}
					assert.Greater(t, call.sent, got[i-1].sent)
					if i < len(got)-1 {
						assert.GreaterOrEqual(t, call.at.Sub(got[i-1].at), time.Second/20, "call %d", i)
					}
				}
				assert.Equal(t, int64(size), got[len(got)-1].sent, "the last call says all")
			})
		})
	}
}

func TestProgressOfAReaderHasNoTotal(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	progress, calls := listen()
	_, err := newClient(t, fake).STT.Submit(t.Context(), scriptix.Reader("a.wav", io.NewSectionReader(tape{90_000}, 0, 90_000)), english, progress)
	require.NoError(t, err)
	last := (*calls)[len(*calls)-1]
	assert.Equal(t, int64(90_000), last.sent)
	assert.Equal(t, int64(-1), last.total)
}

func TestProgressEndsWithWhatWasReachedWhenTheUploadFails(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 401, IgnoreBody: true})
	progress, calls := listen()
	_, err := newClient(t, fake).STT.Submit(t.Context(), tape{64 << 20}.audio(), english, progress)
	require.ErrorIs(t, err, scriptix.ErrUnauthorized)
	require.NotEmpty(t, *calls)
	last := (*calls)[len(*calls)-1]
	assert.Equal(t, int64(64<<20), last.total)
	assert.Less(t, last.sent, last.total, "a refusal before the body keeps most of it at home")
}

func TestProgressOfAResumableUploadNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 2, Times: 3, Cut: scriptixtest.WithinBody, Delay: time.Second})
		c := newClient(t, fake, scriptix.WithChunkSize(100_000))
		p := tape{450_000}
		var told []int64
		_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable(), scriptix.OnProgress(func(sent, total int64) {
			told = append(told, sent)
			assert.Equal(t, p.size, total)
		}))
		require.NoError(t, err)
		require.Greater(t, len(told), 2)
		for i := range told[1:] {
			assert.Greater(t, told[i+1], told[i])
		}
		assert.Equal(t, p.size, told[len(told)-1])
	})
}
