package fleet_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestTranscriptsLargerThanWhatMayBeAtHandGoOneByOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	text := strings.Repeat("word ", 70_000) // it is in the answer twice, as a whole and by segments
	s.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Text: text, Queue: -1, Processing: -1}
	})
	o := s.options()
	o.AtHand = 1 << 20
	var atOnce, most atomic.Int32
	o.Sink = func(_ context.Context, o fleet.Outcome) error {
		most.Store(max(most.Load(), atOnce.Add(1)))
		assert.Greater(t, 2*len(o.Transcript.Raw), 1<<20)
		for range 1000 {
			runtime.Gosched()
		}
		atOnce.Add(-1)
		return nil
	}
	f := s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 8)))
	require.NoError(t, err)
	for key, o := range await(t, f, 8) {
		assert.Equal(t, batch.StateDone, o.State, "%s: %v", key, o.Err)
	}
	assert.Equal(t, int32(1), most.Load())
}
