package batch_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestACallbackIsCountedOnceWhicheverHandlerTakesIt(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake(t, scriptixtest.InMemory())
			c, l := newClient(t, fake), batch.Memory()
			if own {
				h, err := batch.NewHandler(c, l, fake.WebhookSecret())
				require.NoError(t, err)
				fake.Handle(hook, h)
			}
			o := one(t, collect(t.Context(), c, only(recording(t, 1)), batch.Options{Ledger: l}))
			require.Equal(t, batch.StateDone, o.State)
			r, err := l.Get(t.Context(), batch.ByKey, o.Key)
			require.NoError(t, err)
			assert.Equal(t, "webhook", r.Source)
			assert.Zero(t, r.Duplicates)
		})
	}
}
