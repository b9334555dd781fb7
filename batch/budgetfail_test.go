package batch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// unkept is a ledger that cannot store the budget while it is away.
type unkept struct {
	batch.Ledger
	away  atomic.Bool
	calls atomic.Int32
}

func (u *unkept) StoreBudget(ctx context.Context, state []byte) error {
	u.calls.Add(1)
	if u.away.Load() {
		return errDisk
	}
	return u.Ledger.StoreBudget(ctx, state)
}

func TestNothingIsSentThatTheLedgersBudgetDoesNotKnowOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		l := &unkept{Ledger: batch.Memory()}
		l.away.Store(true)
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 20), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 20}, states(outcomes))
		for _, o := range outcomes {
			require.ErrorIs(t, o.Err, batch.ErrLedger)
			require.ErrorIs(t, o.Err, errDisk)
		}
		assert.Zero(t, fake.Stats().Requests)
		assert.LessOrEqual(t, l.calls.Load(), int32(40), "a ledger that fails is not stormed")

		l.away.Store(false)
		outcomes = collect(t.Context(), newClient(t, fake), recordings(t, 20), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 20}, states(outcomes))
	})
}

func TestALedgerThatIsAwayDuringABatchCostsNoTranscript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 10 * time.Minute}
		})
		l := &unkept{Ledger: batch.Memory()}
		time.AfterFunc(5*time.Minute, func() { l.away.Store(true) })
		time.AfterFunc(65*time.Minute, func() { l.away.Store(false) })
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 10), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 10}, states(outcomes))
		assert.Less(t, l.calls.Load(), int32(1000), "a ledger that fails is not stormed")
	})
}
