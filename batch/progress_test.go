package batch_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestProgressIsToldForEachRecordingUpToItsWholeSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		var mu sync.Mutex
		last := make(map[string]int64)
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 5), batch.Options{OnProgress: func(in batch.Input, sent, total int64) {
			mu.Lock()
			defer mu.Unlock()
			assert.GreaterOrEqual(t, sent, last[in.Audio.Name()], "it never goes back")
			assert.Equal(t, int64(len(makeWAV(0, 400))), total)
			last[in.Audio.Name()] = sent
		}})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 5}, states(outcomes))
		assert.Len(t, last, 5)
		for name, sent := range last {
			assert.Equal(t, int64(len(makeWAV(0, 400))), sent, name)
		}
	})
}

func TestARetryIsToldWithItsReasonAndItsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.BeforeBody, Times: 5}) // the client's own attempts
		var told []time.Duration
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 1), batch.Options{OnRetry: func(in batch.Input, err error, after time.Duration) {
			assert.Equal(t, "0000.wav", in.Audio.Name())
			assert.Error(t, err)
			told = append(told, after)
		}})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 1}, states(outcomes))
		assert.Equal(t, []time.Duration{2 * time.Second}, told)
	})
}
