package batch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestAKnownDurationTellsWhenAJobIsAskedFor(t *testing.T) {
	t.Parallel()
	polls := func(t *testing.T, duration time.Duration) (requests int, kept time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			fake := newFake(t, scriptixtest.InMemory())
			fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
				return scriptixtest.Outcome{Queue: -1, Processing: time.Hour, Text: "Hello."}
			})
			ledger := batch.Memory()
			in := batch.Input{Audio: scriptix.Bytes("a.mp3", []byte("audio")), Params: scriptix.SubmitParams{Language: "en"}, Duration: duration}
			sink := func(ctx context.Context, o batch.Outcome) error {
				r, err := ledger.Get(ctx, batch.ByKey, o.Key)
				kept = r.Duration
				return err
			}
			for o := range batch.Run(t.Context(), pollingClient(t, fake), slices.Values([]batch.Input{in}), batch.Options{Ledger: ledger, Sink: sink}) {
				require.NoError(t, o.Err)
			}
			requests = fake.Stats().Requests
		})
		return requests, kept
	}
	without, none := polls(t, 0)
	with, kept := polls(t, 5*time.Hour)
	assert.Less(t, with, without, "five hours of audio are not asked for after a minute")
	assert.Equal(t, 5*time.Hour, kept)
	assert.Zero(t, none)
}
