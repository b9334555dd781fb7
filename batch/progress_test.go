package batch_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestProgressIsToldForEachRecordingUpToItsWholeSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		var mu sync.Mutex
		last := make(map[string]int64)
		outcomes := collect(t.Context(), newClient(t, fake), recordings(5), batch.Options{OnProgress: func(in batch.Input, sent, total int64) {
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
