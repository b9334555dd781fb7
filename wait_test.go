package scriptix_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestTranscriptsOnATightPlanComeWithoutARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const jobs = 500 // a sixth of 3,000 on Silver
		fake := newFake(t, scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits{PerMinute: 10, PerHour: 333, PerDay: 3333, Concurrent: 10}))
		var took atomic.Int64
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: time.Duration(took.Add(7)%60) * time.Minute, Text: "Hello."}
		})
		c := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{PerMinute: 10, PerHour: 333, PerDay: 3333, Concurrent: 10}))
		begin := time.Now()
		var all sync.WaitGroup
		for range jobs {
			all.Go(func() {
				_, err := c.STT.Transcribe(t.Context(), sourceOf(t, wav), scriptix.SubmitParams{Language: "en"})
				assert.NoError(t, err)
			})
		}
		all.Wait()

		stats := fake.Stats()
		t.Logf("%d transcripts after %v: %+v", jobs, time.Since(begin).Round(time.Second), stats)
		assert.Equal(t, jobs, stats.Jobs)
		assert.Zero(t, stats.Refused)
		assert.Less(t, time.Since(begin), 5*time.Hour)
	})
}

func TestWaitsOfWhatNewDidNotMakeAndOfANilContextAreErrors(t *testing.T) {
	t.Parallel()
	var none context.Context
	for name, tt := range map[string]struct {
		service *scriptix.STTService
		ctx     context.Context //nolint:containedctx // that is what is tested
	}{
		"a nil service":  {nil, t.Context()},
		"a zero service": {&scriptix.STTService{}, t.Context()},
		"a nil context":  {answering(t, 200, nil, `{}`).STT, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.service.Wait(tt.ctx, "stt_1")
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			_, err = tt.service.WaitResult(tt.ctx, "stt_1")
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			for _, err := range tt.service.Watch(tt.ctx, "stt_1") {
				require.ErrorIs(t, err, scriptix.ErrInvalid)
			}
			w := tt.service.NewWatcher()
			w.Add(scriptix.Job{ID: "stt_1"})
			w.Remove("stt_2")
			n := 0
			for _, err := range w.All(tt.ctx) {
				n++
				require.ErrorIs(t, err, scriptix.ErrInvalid)
			}
			assert.Equal(t, 1, n)
		})
	}
}

func TestWhatNewDidNotMakeAndANilContextAreErrorsAndNoPanics(t *testing.T) {
	t.Parallel()
	var none context.Context
	for name, tt := range map[string]struct {
		service *scriptix.STTService
		ctx     context.Context //nolint:containedctx // that is what is tested
	}{
		"a nil service":  {nil, t.Context()},
		"a zero service": {&scriptix.STTService{}, t.Context()},
		"a nil context":  {answering(t, 200, nil, `{}`).STT, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audio := scriptix.Opener("a", 3, openBytes([]byte("abc")))
			_, err := tt.service.Submit(tt.ctx, audio, english)
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			_, err = tt.service.Submit(tt.ctx, audio, english, scriptix.Resumable())
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			_, err = tt.service.Transcribe(tt.ctx, audio, english)
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			_, err = tt.service.Status(tt.ctx, "stt_1")
			require.ErrorIs(t, err, scriptix.ErrInvalid)
			_, err = tt.service.Result(tt.ctx, "stt_1")
			require.ErrorIs(t, err, scriptix.ErrInvalid)
		})
	}
}
