package batch_test

import (
	"context"
	"errors"
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

// sessions are a fake and a client that speak the session dialect.
func sessions(t *testing.T, opts ...scriptixtest.Option) (*scriptixtest.Server, *scriptix.Client) {
	t.Helper()
	fake := scriptixtest.New(t, append(opts, scriptixtest.InMemory(), scriptixtest.WithDialect(scriptixtest.Session))...)
	c, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithDialect(scriptix.DialectSession), scriptix.WithLimits(scriptix.Limits{}))
	require.NoError(t, err)
	return fake, c
}

func takes(n int) (list []batch.Input) {
	for i := range n {
		list = append(list, batch.Input{Audio: scriptix.Bytes("a.wav", makeWAV(i, 800)), Params: scriptix.SubmitParams{Language: "en"}, Key: "k" + string(rune('0'+i))})
	}
	return list
}

func kept(context.Context, batch.Outcome) error { return nil }

func TestAJobIsErasedOnceItsTranscriptIsDurable(t *testing.T) {
	t.Parallel()
	for name, sink := range map[string]func(context.Context, batch.Outcome) error{"with a sink": kept, "without one": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, c := sessions(t)
				fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 503, Times: 9})
				l := batch.Memory()
				for o := range batch.Run(t.Context(), c, slices.Values(takes(4)), batch.Options{Ledger: l, Sink: sink, Erase: true}) {
					require.NoError(t, o.Err)
					assert.Equal(t, batch.StateDone, o.State)
					assert.NotNil(t, o.Transcript)
				}
				assert.Len(t, fake.Jobs(), 4)
				for _, job := range fake.Jobs() {
					assert.False(t, job.DeletedAt.IsZero())
				}
				for r, err := range l.Records(t.Context()) {
					require.NoError(t, err)
					assert.Equal(t, batch.Done, r.Phase)
					assert.False(t, r.ErasedAt.IsZero())
					assert.Equal(t, "session", r.Dialect)
				}
				for o := range batch.Run(t.Context(), c, slices.Values(takes(4)), batch.Options{Ledger: l, Erase: true}) {
					assert.Equal(t, batch.StateSkipped, o.State)
				}
				assert.Len(t, fake.Jobs(), 4, "it is not paid for again")
			})
		})
	}
}

func TestWhatCannotBeErasedIsReportedAndLeftToTheNextRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c := sessions(t)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 403})
		l := batch.Memory()
		for o := range batch.Run(t.Context(), c, slices.Values(takes(1)), batch.Options{Ledger: l, Sink: kept, Erase: true}) {
			assert.Equal(t, batch.StateInterrupted, o.State)
			require.ErrorIs(t, o.Err, batch.ErrErase)
			require.ErrorIs(t, o.Err, scriptix.ErrForbidden)
			assert.NotNil(t, o.Transcript, "which the sink has")
		}
		r, err := l.Get(t.Context(), batch.ByKey, "k0")
		require.NoError(t, err)
		assert.Equal(t, batch.Erasing, r.Phase)
		require.ErrorIs(t, batch.Forget(t.Context(), l, "k0"), batch.ErrMoved)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Status: 500, Times: -1})
		for o := range batch.Run(ctx, c, slices.Values(takes(1)), batch.Options{Ledger: l}) { // whatever its options
			assert.Equal(t, batch.StateInterrupted, o.State)
			require.ErrorIs(t, o.Err, batch.ErrErase)
			require.ErrorIs(t, o.Err, batch.ErrStopped)
		}
		fake.ClearFaults()
		for o := range batch.Run(t.Context(), c, slices.Values(takes(1)), batch.Options{Ledger: l}) {
			assert.Equal(t, batch.StateSkipped, o.State)
			require.NoError(t, o.Err)
		}
		assert.False(t, fake.Jobs()[0].DeletedAt.IsZero())
		assert.Len(t, fake.Jobs(), 1)
		require.NoError(t, batch.Forget(t.Context(), l, "k0"))
	})
}

func TestAJobThatTheServiceDoesNotKnowCountsAsErasedAndIsSaidToBePerhapsAnothersKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c := sessions(t)
		l := batch.Memory()
		sink := func(ctx context.Context, o batch.Outcome) error { return c.STT.Delete(ctx, o.JobID) }
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Delete, Skip: 1, Status: 404})
		for o := range batch.Run(t.Context(), c, slices.Values(takes(1)), batch.Options{Ledger: l, Sink: sink, Erase: true}) {
			require.NoError(t, o.Err)
		}
		r, err := l.Get(t.Context(), batch.ByKey, "k0")
		require.NoError(t, err)
		assert.Equal(t, batch.Done, r.Phase)
		assert.Contains(t, r.Failure, "another key")
	})
}

func TestADialectThatCannotEraseRejectsEveryInputBeforeAByteIsSent(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t)
	c, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()))
	require.NoError(t, err)
	n := 0
	for o := range batch.Run(t.Context(), c, slices.Values(takes(3)), batch.Options{Erase: true}) {
		n++
		assert.Equal(t, batch.StateRejected, o.State)
		require.ErrorIs(t, o.Err, scriptix.ErrUnsupported)
	}
	assert.Equal(t, 3, n)
	assert.Empty(t, fake.Requests())
}

func TestWhatWasDoneBeforeIsErasedOnceThatIsWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c := sessions(t)
		l := batch.Memory()
		for _, erase := range []bool{false, true} {
			for o := range batch.Run(t.Context(), c, slices.Values(takes(2)), batch.Options{Ledger: l, Sink: kept, Erase: erase}) {
				require.NoError(t, o.Err)
			}
		}
		assert.Len(t, fake.Jobs(), 2)
		for _, job := range fake.Jobs() {
			assert.False(t, job.DeletedAt.IsZero())
		}
	})
}

func TestARunInAnotherDialectYieldsTheRecordAndAsksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c := sessions(t, scriptixtest.WithProcessing(time.Hour))
		l := batch.Memory()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for o := range batch.Run(ctx, c, slices.Values(takes(2)), batch.Options{Ledger: l}) {
			require.ErrorIs(t, o.Err, batch.ErrStopped)
		}
		before := len(fake.Requests())
		other, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()))
		require.NoError(t, err)
		for o := range batch.Run(t.Context(), other, slices.Values(takes(2)), batch.Options{Ledger: l}) {
			assert.Equal(t, batch.StateInterrupted, o.State)
			require.ErrorIs(t, o.Err, batch.ErrDialect)
			assert.NotEmpty(t, o.JobID)
		}
		assert.Len(t, fake.Requests(), before)
		for o := range batch.Run(t.Context(), c, slices.Values(takes(2)), batch.Options{Ledger: l, Sink: kept}) {
			require.NoError(t, o.Err)
		}
		assert.Len(t, fake.Jobs(), 2)
		for o := range batch.Run(t.Context(), other, slices.Values(takes(2)), batch.Options{Ledger: l}) {
			assert.Equal(t, batch.StateSkipped, o.State, "what is over needs no question")
		}
	})
}

func TestARunLeftWhileItErasesGoesOnInTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c := sessions(t)
		l := batch.Memory()
		for o := range batch.Run(t.Context(), c, slices.Values(takes(3)), batch.Options{Ledger: l, Erase: true}) {
			require.NoError(t, o.Err)
			break
		}
		errs := []error{}
		for o := range batch.Run(t.Context(), c, slices.Values(takes(3)), batch.Options{Ledger: l, Erase: true}) {
			errs = append(errs, o.Err)
		}
		require.NoError(t, errors.Join(errs...))
		assert.Len(t, errs, 3)
		for r, err := range l.Records(t.Context()) {
			require.NoError(t, err)
			assert.False(t, r.ErasedAt.IsZero(), r.Key)
		}
		assert.Len(t, fake.Jobs(), 3)
	})
}
