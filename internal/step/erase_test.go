package step_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestAnErasureSaysWhatIsDoneThen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		then step.Then
		halt bool
	}{
		"a job that is erased":       {nil, step.Advance, false},
		"a key that is refused":      {scriptix.ErrUnauthorized, step.Interrupt, true},
		"a dialect without erasures": {scriptix.ErrUnsupported, step.Interrupt, false},
		"a service that is down":     {scriptix.ErrServer, step.Again, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, verdict := step.Erasure{Err: c.err}.Settle(record(ledger.Erasing), now)
			assert.Equal(t, c.then, verdict.Then)
			assert.Equal(t, c.halt, verdict.Halt)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		erased := step.EraseJob(ctx, newClient(t, scriptixtest.New(t, scriptixtest.InMemory())), "job", 0)
		require.Error(t, erased.Err)
	})
}

func TestARefusalTakesTheMarkBackBeforeItIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 429, RetryAfter: "30"})
		l, r := claimed(t)
		up := upload(newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 3})), l, scriptix.Bytes("a.wav", wav(5000)))
		var whole []bool
		up.Whole = func(out bool) { whole = append(whole, out) }
		time.AfterFunc(10*time.Second, func() { assert.Equal(t, ledger.Claimed, get(t, l).Phase) })
		sent := up.Send(t.Context(), r)
		require.NoError(t, sent.Err)
		assert.Equal(t, []bool{true, false, true}, whole)
		assert.Equal(t, 2, get(t, l).Attempts)
		_, verdict := step.Sent{Kind: step.Deferred, Err: errors.New("busy")}.Settle(get(t, l), 1, time.Now())
		assert.Equal(t, step.Again, verdict.Then)
	})
}
