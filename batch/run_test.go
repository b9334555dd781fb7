package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const hook = "https://receiver.example/scriptix?tenant=7"

var english = scriptix.SubmitParams{Language: "en"}

// newClient makes a client of the fake whose callbacks arrive.
func newClient(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{
		scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithLimits(scriptix.Limits{Concurrent: 10}),
		scriptix.WithWebhook(hook, fake.WebhookSecret()), scriptix.WithDialect(variantOf(t).dialect),
	}, opts...)
	c, err := scriptix.New(fake.APIKey(), opts...)
	require.NoError(t, err)
	listen(t, fake, c)
	return c
}

// pollingClient makes a client without callbacks.
func pollingClient(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{
		scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithLimits(scriptix.Limits{Concurrent: 10}),
		scriptix.WithDialect(variantOf(t).dialect),
	}, opts...)
	c, err := scriptix.New(fake.APIKey(), opts...)
	require.NoError(t, err)
	return c
}

func recording(t *testing.T, n int) batch.Input {
	t.Helper()
	return batch.Input{Audio: sourceOf(t, fmt.Sprintf("%04d.wav", n), makeWAV(n, 400)), Params: english}
}

func recordings(t *testing.T, n int) iter.Seq[batch.Input] {
	t.Helper()
	return func(yield func(batch.Input) bool) {
		for i := range n {
			if !yield(recording(t, i)) {
				return
			}
		}
	}
}

func only(inputs ...batch.Input) iter.Seq[batch.Input] { return slices.Values(inputs) }

// collect runs a batch to its end.
func collect(ctx context.Context, c *scriptix.Client, in iter.Seq[batch.Input], o batch.Options) []batch.Outcome {
	return slices.Collect(batch.Run(ctx, c, in, o))
}

func states(outcomes []batch.Outcome) map[batch.State]int {
	n := make(map[batch.State]int)
	for _, o := range outcomes {
		n[o.State]++
	}
	return n
}

// count counts the requests to an endpoint.
func count(fake *scriptixtest.Server, on scriptixtest.Endpoint) (n int) {
	for _, r := range fake.Requests() {
		if r.Endpoint == on {
			n++
		}
	}
	return n
}

// one is the outcome of a batch of one.
func one(t *testing.T, outcomes []batch.Outcome) batch.Outcome {
	t.Helper()
	require.Len(t, outcomes, 1)
	return outcomes[0]
}

func TestEveryInputIsYieldedOnceWithItsOwnTranscript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 20 * time.Second, Text: "this is " + u.FileName}
		})
		c, l := newClient(t, fake), batch.Memory()
		const n = 40
		seen := make(map[string]bool)
		var sunk sync.Map
		for o := range batch.Run(t.Context(), c, recordings(t, n), batch.Options{Ledger: l, Sink: func(_ context.Context, o batch.Outcome) error {
			_, again := sunk.LoadOrStore(o.Key, true)
			assert.False(t, again)
			assert.Equal(t, "this is "+o.Input.Audio.Name(), o.Transcript.Text)
			return nil
		}}) {
			require.NoError(t, o.Err)
			require.Equal(t, batch.StateDone, o.State)
			assert.Equal(t, "this is "+o.Input.Audio.Name(), o.Transcript.Text)
			assert.Equal(t, sourceIn(t), o.Source)
			assert.Equal(t, 1, o.Attempts)
			assert.False(t, seen[o.Input.Audio.Name()])
			seen[o.Input.Audio.Name()] = true
			_, ok := sunk.Load(o.Key)
			assert.True(t, ok, "the sink goes first")
			r, err := l.Get(t.Context(), batch.ByKey, o.Key)
			require.NoError(t, err)
			assert.Equal(t, batch.Done, r.Phase)
		}
		assert.Len(t, seen, n)
		assert.Len(t, fake.Jobs(), n)
		if variantOf(t).dialect == scriptix.DialectSTT {
			assert.Equal(t, n, count(fake, scriptixtest.Submit))
			assert.Equal(t, n, count(fake, scriptixtest.Result))
		}
		for _, job := range fake.Jobs() {
			u, err := url.Parse(job.Fields.Get("webhook_url"))
			require.NoError(t, err)
			assert.Equal(t, "7", u.Query().Get("tenant"))
			assert.Len(t, u.Query().Get(batch.TokenParam), 32)
		}

		before := fake.Stats().Requests
		again := collect(t.Context(), c, recordings(t, n), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateSkipped: n}, states(again))
		assert.NotEmpty(t, again[0].JobID)
		assert.Equal(t, before, fake.Stats().Requests)
	})
}

func TestABatchWithoutCallbacksPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		outcomes := collect(t.Context(), pollingClient(t, fake), recordings(t, 5), batch.Options{})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 5}, states(outcomes))
		assert.Equal(t, scriptix.SourcePoll, outcomes[0].Source)
		assert.Empty(t, fake.Jobs()[0].Fields.Get("webhook_url"))
	})
}

func TestInputsOfOneKeyAreOneRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		a, b := recording(t, 1), recording(t, 1)
		b.Audio = scriptix.Bytes("copy.wav", makeWAV(1, 400))
		other := recording(t, 1)
		other.Params.Diarization = true
		var names sync.Map
		outcomes := collect(t.Context(), newClient(t, fake), only(a, b, other, a), batch.Options{Sink: func(_ context.Context, o batch.Outcome) error {
			names.Store(o.Input.Audio.Name(), true)
			return nil
		}})
		require.Len(t, outcomes, 4)
		assert.Equal(t, 4, states(outcomes)[batch.StateDone]+states(outcomes)[batch.StateSkipped])
		assert.Len(t, fake.Jobs(), 2, "parameters that change the result make another recording")
		_, ok := names.Load("copy.wav")
		assert.True(t, ok, "the sink is called for each input")
	})
}

func TestKeyTellsRecordingsApartByWhatChangesTheResult(t *testing.T) {
	t.Parallel()
	key := func(data []byte, change func(*scriptix.SubmitParams)) string {
		p := english
		change(&p)
		k, err := batch.Key(t.Context(), scriptix.Bytes("any.wav", data), p)
		require.NoError(t, err)
		return k
	}
	same := func(*scriptix.SubmitParams) {}
	base := key(makeWAV(1, 10), same)
	assert.Len(t, base, 64)
	assert.Equal(t, base, key(makeWAV(1, 10), func(p *scriptix.SubmitParams) { p.WebhookURL = "https://other.example/" }))
	assert.Equal(t, base, key(makeWAV(1, 10), func(p *scriptix.SubmitParams) { p.Timestamps = scriptix.TimestampsSegment }))
	keys := map[string]bool{base: true, key(makeWAV(2, 10), same): true}
	for _, change := range []func(*scriptix.SubmitParams){
		func(p *scriptix.SubmitParams) { p.Language = "nl" },
		func(p *scriptix.SubmitParams) { p.Diarization = true },
		func(p *scriptix.SubmitParams) { p.Timestamps = scriptix.TimestampsWord },
		func(p *scriptix.SubmitParams) { p.Model = "m" },
		func(p *scriptix.SubmitParams) { p.GlossaryID = 7 },
		func(p *scriptix.SubmitParams) { p.Extra = url.Values{"a": {"b", "c"}} },
		func(p *scriptix.SubmitParams) { p.Extra = url.Values{"a": {"b"}, "c": {}} },
	} {
		keys[key(makeWAV(1, 10), change)] = true
	}
	assert.Len(t, keys, 9)
}

func TestAFailureOfTheServiceIsReportedAndNotPaidForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Failure: "no speech"} })
		c, l := newClient(t, fake), batch.Memory()
		for range 2 {
			o := one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}))
			assert.Equal(t, batch.StateFailed, o.State)
			failed, ok := errors.AsType[*scriptix.JobFailedError](o.Err)
			require.True(t, ok)
			assert.Equal(t, "no speech", failed.Job.Failure)
		}
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestARefusalSaysWhyAndALaterRunTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 422})
		missing := batch.Input{Audio: scriptix.File("/does/not/exist.wav"), Params: english}
		outcomes := collect(t.Context(), c, only(recording(t, 1), missing), batch.Options{Ledger: l, Concurrency: 1})
		require.Equal(t, map[batch.State]int{batch.StateRejected: 2}, states(outcomes))
		require.ErrorIs(t, outcomes[0].Err, scriptix.ErrInvalid)
		require.ErrorIs(t, outcomes[1].Err, scriptix.ErrAudio)
		assert.Empty(t, fake.Jobs())
		assert.Equal(t, batch.StateDone, one(t, collect(t.Context(), c, recordings(t, 2), batch.Options{Ledger: l})[:1]).State)
	})
}

func TestAKeyThatIsRefusedStopsTheBatchAndNotWithARequestForEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 402, Times: -1})
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 100), batch.Options{Concurrency: 3})
		require.Equal(t, map[batch.State]int{batch.StateRejected: 100}, states(outcomes))
		for _, o := range outcomes {
			require.ErrorIs(t, o.Err, scriptix.ErrQuota)
		}
		asked := slices.DeleteFunc(fake.Requests(), func(r scriptixtest.Request) bool { return r.Endpoint != scriptixtest.Submit })
		assert.LessOrEqual(t, len(asked), 3)
	})
}

func TestAnOutageIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.RefuseConnections(-1)
		time.AfterFunc(10*time.Minute, func() { fake.RefuseConnections(0) })
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 20), batch.Options{Concurrency: 2})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 20}, states(outcomes))
	})
}

func TestALostAnswerIsResolvedByTheCallbackOfItsToken(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scriptixtest.Fault{
		"cut after the body":  {On: scriptixtest.Submit, Cut: scriptixtest.AfterBody},
		"a gateway's 502":     {On: scriptixtest.Submit, Status: 502, Accept: true},
		"an answer in halves": {On: scriptixtest.Submit, Cut: scriptixtest.WithinAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
					return scriptixtest.Outcome{Processing: 5 * time.Minute}
				})
				fake.Fault(fault)
				o := one(t, collect(t.Context(), newClient(t, fake), recordings(t, 1), batch.Options{}))
				require.NoError(t, o.Err)
				assert.Equal(t, batch.StateDone, o.State)
				require.Len(t, fake.Jobs(), 1)
				assert.Equal(t, fake.Jobs()[0].ID, o.JobID)
			})
		})
	}
}

func TestALostAnswerToAJobThatFailsIsResolvedToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Failure: "no speech"} })
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		o := one(t, collect(t.Context(), newClient(t, fake), recordings(t, 1), batch.Options{}))
		assert.Equal(t, batch.StateFailed, o.State)
		require.ErrorContains(t, o.Err, "no speech")
	})
}

func TestAnUnknownOutcomeIsReportedAndNeverSentAgainByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Callback: scriptixtest.Callback{Lose: true}}
		})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		c, l := newClient(t, fake), batch.Memory()
		began := time.Now()
		for range 2 {
			o := one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}))
			assert.Equal(t, batch.StateUnknown, o.State)
			require.ErrorIs(t, o.Err, scriptix.ErrUnknownOutcome)
			assert.InDelta(t, 30*time.Minute, time.Since(began), float64(time.Minute), "the second run knows how long it has waited")
		}
		require.Len(t, fake.Jobs(), 1)

		// The callback comes after all: to the ledger alone, between two runs.
		h, err := batch.NewHandler(nil, l, fake.WebhookSecret())
		require.NoError(t, err)
		fake.Handle(hook, h)
		require.NoError(t, fake.Redeliver(fake.Jobs()[0].ID))
		o := one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateDone, o.State)
		require.Len(t, fake.Jobs(), 1)
	})
}

func TestAnUnknownOutcomeIsReportedAtOnceWhereNoCallbackCanCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		began := time.Now()
		o := one(t, collect(t.Context(), pollingClient(t, fake), recordings(t, 1), batch.Options{}))
		assert.Equal(t, batch.StateUnknown, o.State)
		assert.Less(t, time.Since(began), time.Minute)
	})
}

func TestTheCallerMayHaveAnUnknownOutcomeSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Callback: scriptixtest.Callback{Lose: true}}
		})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		c, l := newClient(t, fake), batch.Memory()
		began := time.Now()
		o := one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l, ResubmitAfter: 2 * time.Hour}))
		assert.Equal(t, batch.StateDone, o.State)
		assert.Equal(t, 2, o.Attempts)
		assert.Len(t, fake.Jobs(), 2)
		assert.Greater(t, time.Since(began), 2*time.Hour)

		// Or one by one.
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody, Times: 2})
		outcomes := collect(t.Context(), c, only(recording(t, 1), recording(t, 2)), batch.Options{Ledger: l})
		require.Equal(t, map[batch.State]int{batch.StateUnknown: 2}, states(outcomes))
		require.NoError(t, batch.Abandon(t.Context(), l, outcomes[0].Key))
		require.NoError(t, batch.Resubmit(t.Context(), l, outcomes[1].Key))
		outcomes = collect(t.Context(), c, only(recording(t, 1), recording(t, 2)), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateUnknown: 1, batch.StateDone: 1}, states(outcomes))
		assert.Len(t, fake.Jobs(), 5)
	})
}

func TestTheEndOfTheContextLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Processing: time.Hour} })
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Skip: 7, Times: 3, Delay: 2 * time.Second})
		c, l := newClient(t, fake), batch.Memory()
		ctx, cancel := context.WithCancelCause(t.Context())
		errOwn := errors.New("the night is over")
		time.AfterFunc(time.Second, func() { cancel(errOwn) })
		var taken atomic.Int32
		in := func(yield func(batch.Input) bool) {
			for i := range 50 {
				taken.Add(1)
				if i == 10 {
					time.Sleep(1500 * time.Millisecond) // ctx ends while three answers are late
				}
				if !yield(recording(t, i)) {
					return
				}
			}
		}
		outcomes := collect(ctx, c, in, batch.Options{Ledger: l, Concurrency: 4})
		assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 11}, states(outcomes))
		for _, o := range outcomes {
			require.ErrorIs(t, o.Err, batch.ErrStopped)
			require.ErrorIs(t, o.Err, context.Canceled)
			require.ErrorIs(t, o.Err, errOwn)
			require.NotErrorIs(t, o.Err, scriptix.ErrUnknownOutcome, "an upload that is all out gets time for its answer")
			assert.Equal(t, o.Input.Audio.Name() == "0010.wav", o.JobID == "", "the last one came too late to be sent")
		}
		assert.Len(t, fake.Jobs(), 10)
		assert.Equal(t, int32(11), taken.Load())

		outcomes = collect(t.Context(), c, recordings(t, 50), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 50}, states(outcomes))
		assert.Len(t, fake.Jobs(), 50)
	})
}

func TestLeavingTheLoopStopsCleanly(t *testing.T) {
	t.Parallel()
	// The bubble fails if a goroutine stays.
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		seen := 0
		for o := range batch.Run(t.Context(), c, recordings(t, 60), batch.Options{Ledger: l}) {
			require.Equal(t, batch.StateDone, o.State)
			if seen++; seen == 5 {
				break
			}
		}
		outcomes := collect(t.Context(), c, recordings(t, 60), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateSkipped: 5, batch.StateDone: 55}, states(outcomes), "what was not seen is not done")
		assert.Len(t, fake.Jobs(), 60)
		assert.PanicsWithValue(t, "the consumer's own", func() {
			for range batch.Run(t.Context(), c, recordings(t, 61), batch.Options{Ledger: l}) {
				panic("the consumer's own")
			}
		})
	})
}

func TestASinkThatFailsIsTriedAgainAndThenReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		errFull := errors.New("disk full")
		var mu sync.Mutex
		calls := make(map[string]int)
		sink := func(_ context.Context, o batch.Outcome) error {
			mu.Lock()
			defer mu.Unlock()
			calls[o.Input.Audio.Name()]++
			switch n := calls[o.Input.Audio.Name()]; {
			case o.Input.Audio.Name() == "0000.wav" && n < 3:
				return errFull
			case o.Input.Audio.Name() == "0001.wav" && n < 2:
				panic("oh")
			case o.Input.Audio.Name() == "0002.wav" && n < 7:
				return errFull
			}
			return nil
		}
		outcomes := collect(t.Context(), c, recordings(t, 4), batch.Options{Ledger: l, Sink: sink})
		require.Equal(t, map[batch.State]int{batch.StateDone: 3, batch.StateInterrupted: 1}, states(outcomes))
		last := outcomes[3]
		require.ErrorIs(t, last.Err, batch.ErrSink)
		require.ErrorIs(t, last.Err, errFull)
		assert.NotNil(t, last.Transcript)
		assert.Equal(t, map[string]int{"0000.wav": 3, "0001.wav": 2, "0002.wav": 5, "0003.wav": 1}, calls)

		outcomes = collect(t.Context(), c, recordings(t, 4), batch.Options{Ledger: l, Sink: sink})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 1, batch.StateSkipped: 3}, states(outcomes))
		assert.Len(t, fake.Jobs(), 4)
	})
}

// failing is a ledger of which some calls fail.
type failing struct {
	batch.Ledger
	claim, apply func() error
}

var errDisk = errors.New("no space left on device")

func (f *failing) Claim(ctx context.Context, r batch.Record) (batch.Record, bool, error) {
	if f.claim != nil {
		if err := f.claim(); err != nil {
			return batch.Record{}, false, err
		}
	}
	return f.Ledger.Claim(ctx, r)
}

func (f *failing) Apply(ctx context.Context, key string, change func(batch.Record) (batch.Record, error)) (batch.Record, error) {
	if f.apply != nil {
		if err := f.apply(); err != nil {
			return batch.Record{}, err
		}
	}
	return f.Ledger.Apply(ctx, key, change)
}

func TestNothingIsSentThatTheLedgerHasNotStored(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*failing{
		"the claim fails":          {claim: func() error { return errDisk }},
		"the mark of a send fails": {apply: func() error { return errDisk }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				broken := &failing{Ledger: batch.Memory(), claim: l.claim, apply: l.apply}
				outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 5), batch.Options{Ledger: broken})
				assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 5}, states(outcomes))
				for _, o := range outcomes {
					require.ErrorIs(t, o.Err, batch.ErrLedger)
					require.ErrorIs(t, o.Err, errDisk)
				}
				assert.Empty(t, fake.Jobs())
			})
		})
	}
}

func TestAJobIDIsStoredThoughTheLedgerIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Processing: time.Minute} })
		var calls atomic.Int32
		began := time.Now()
		l := &failing{Ledger: batch.Memory(), apply: func() error {
			if calls.Add(1) > 1 && time.Since(began) < time.Hour { // all but the mark
				return errDisk
			}
			return nil
		}}
		o := one(t, collect(t.Context(), newClient(t, fake), recordings(t, 1), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		assert.Less(t, time.Since(began), time.Hour+5*time.Minute)
		assert.Less(t, calls.Load(), int32(300), "a ledger that is down is not hammered")
	})
}

func TestAJobIDThatCannotBeStoredIsReportedAndFoundByItsCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Processing: 2 * time.Hour} })
		var calls atomic.Int32
		var back atomic.Bool
		l := &failing{Ledger: batch.Memory(), apply: func() error {
			if calls.Add(1) > 1 && !back.Load() { // all but the mark
				return errDisk
			}
			return nil
		}}
		c := newClient(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		o := one(t, collect(ctx, c, recordings(t, 1), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateInterrupted, o.State)
		require.ErrorIs(t, o.Err, batch.ErrLedger)
		require.ErrorIs(t, o.Err, errDisk)
		require.ErrorContains(t, o.Err, fake.Jobs()[0].ID)
		assert.Equal(t, fake.Jobs()[0].ID, o.JobID)
		var lines strings.Builder
		require.NoError(t, batch.Export(t.Context(), l, &lines))
		assert.Contains(t, lines.String(), fake.Jobs()[0].ID)

		back.Store(true)
		o = one(t, collect(t.Context(), c, recordings(t, 1), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestAResultThatLagsBehindItsCallbackIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{ResultDelay: 5 * time.Minute}
		})
		o := one(t, collect(t.Context(), newClient(t, fake), recordings(t, 1), batch.Options{}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		most := 25
		if variantOf(t).dialect != scriptix.DialectSTT {
			most = 45 // no callback can end the wait: the job is asked about for five minutes
		}
		assert.Less(t, fake.Stats().Requests, most)
	})
}

func TestACallbackThatIsUntrueDoesNotEndInATranscript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			o := scriptixtest.Outcome{Callback: scriptixtest.Callback{Untrue: true}}
			if u.FileName == "0000.wav" {
				o.Failure = "no speech"
			}
			return o
		})
		got := make(map[string]batch.State)
		for o := range batch.Run(t.Context(), newClient(t, fake), recordings(t, 2), batch.Options{}) {
			got[o.Input.Audio.Name()] = o.State
		}
		assert.Equal(t, map[string]batch.State{"0000.wav": batch.StateFailed, "0001.wav": batch.StateDone}, got)
	})
}

func TestAJobOfAnotherRecordIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		claim(t.Context(), t, l, "a")
		token := claim(t.Context(), t, l, "b").Token
		move(t.Context(), t, l, "a", func(r *batch.Record) { r.Phase, r.JobID = batch.Submitted, "job a" })
		h, err := batch.NewHandler(c, l, "secret")
		require.NoError(t, err)
		post := func(token, body string) int {
			var res recorder
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/hook?scriptix_token="+url.QueryEscape(token), strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set(webhook.SignatureHeader, webhook.Sign("secret", []byte(body)))
			h.ServeHTTP(&res, r)
			return res.status
		}
		done := func(id string) string {
			return `{"event":"transcription.completed","data":{"id":"` + id + `","status":"completed"}}`
		}
		assert.Equal(t, 200, post(token, done("job a")), "it is known whose job it is, whatever the token says")
		b, err := l.Get(t.Context(), batch.ByKey, "b")
		require.NoError(t, err)
		assert.Equal(t, batch.Claimed, b.Phase)
		a, err := l.Get(t.Context(), batch.ByKey, "a")
		require.NoError(t, err)
		assert.Equal(t, batch.Completed, a.Phase)
		assert.Equal(t, 200, post("nobody's", done("parked")))
		assert.Equal(t, 200, post(token, `{"event":"account.changed"}`))
		assert.Equal(t, 200, post(token, done("job b")))
		b, err = l.Get(t.Context(), batch.ByKey, "b")
		require.NoError(t, err)
		assert.Equal(t, "job b", b.JobID)
		require.NoError(t, l.Close())
		assert.Equal(t, 503, post(token, done("job b")), "what cannot be stored comes again")
		_, err = batch.NewHandler(c, l)
		require.ErrorIs(t, err, webhook.ErrNoSecret)
	})
}

// recorder is the least of a ResponseWriter.
type recorder struct{ status int }

func (r *recorder) Header() http.Header         { return http.Header{} }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestAnInterruptedUploadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		l := batch.Memory()
		c := newClient(t, fake, scriptix.WithResumableAbove(1000))
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: 500, Times: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		input := batch.Input{Audio: scriptix.Bytes("long.wav", makeWAV(1, 50_000)), Params: english}
		o := one(t, collect(ctx, c, only(input), batch.Options{Ledger: l}))
		require.Equal(t, batch.StateInterrupted, o.State)
		r, err := l.Get(t.Context(), batch.ByKey, o.Key)
		require.NoError(t, err)
		require.NotEmpty(t, r.Upload)
		require.Empty(t, fake.Jobs())

		fake.ClearFaults()
		o = one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		require.Len(t, fake.Jobs(), 1)
		assert.True(t, fake.Jobs()[0].Resumable)
		assert.Equal(t, 1, count(fake, scriptixtest.FilesCreate))

		// One that the service has forgotten begins anew.
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Vanish: true})
		input.Audio = scriptix.Bytes("long.wav", makeWAV(2, 50_000))
		o = one(t, collect(t.Context(), c, only(input), batch.Options{Ledger: l}))
		require.NoError(t, o.Err)
		assert.Equal(t, batch.StateDone, o.State)
		assert.Len(t, fake.Jobs(), 2)
	})
}

func TestTheBudgetHoldsAcrossRestarts(t *testing.T) {
	t.Parallel()
	plan := scriptix.Limits{PerMinute: 12, PerHour: 60, PerDay: 100, Concurrent: 3}
	for name, budget := range map[string]func(*testing.T, batch.Ledger) scriptix.Option{
		"of the ledger": func(t *testing.T, l batch.Ledger) scriptix.Option {
			t.Helper()
			b, err := batch.Budget(l, plan)
			require.NoError(t, err)
			return scriptix.WithBudget(b)
		},
		"of the client": func(*testing.T, batch.Ledger) scriptix.Option { return scriptix.WithLimits(plan) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits(plan)))
				path := fastPath(t)
				began, done := time.Now(), 0
				for done < 70 {
					l := openInBubble(t, path)
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
					outcomes := collect(ctx, newClient(t, fake, budget(t, l)), recordings(t, 70), batch.Options{Ledger: l})
					cancel()
					done = states(outcomes)[batch.StateDone] + states(outcomes)[batch.StateSkipped]
					require.NoError(t, l.Close())
					require.Less(t, time.Since(began), 4*24*time.Hour)
				}
				stats := fake.Stats()
				assert.Len(t, fake.Jobs(), 70)
				assert.Zero(t, stats.Refused)
				assert.LessOrEqual(t, stats.PerMinute, plan.PerMinute)
				assert.LessOrEqual(t, stats.PerHour, plan.PerHour)
				assert.LessOrEqual(t, stats.PerDay, plan.PerDay)
				assert.LessOrEqual(t, stats.Concurrent, plan.Concurrent)
				t.Logf("140 requests on 100 a day took %v, with a restart each 20 minutes; at most %d a day", time.Since(began).Round(time.Minute), stats.PerDay)
			})
		})
	}
}

// Two clients may run batches on one ledger, one after the other or at once,
// and the ledger's own budget may be asked for between runs alone.
func TestRunsShareTheirLedgersBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		l, limits := batch.Memory(), scriptix.Limits{PerDay: 50}
		c := newClient(t, fake, scriptix.WithLimits(limits))
		for range batch.Run(t.Context(), c, only(recording(t, 1)), batch.Options{Ledger: l}) {
			_, err := batch.Budget(l, limits)
			require.ErrorContains(t, err, "a run keeps that of its client")
			for o := range batch.Run(t.Context(), c, only(recording(t, 2)), batch.Options{Ledger: l}) {
				require.NoError(t, o.Err)
			}
		}

		b, err := batch.Budget(l, limits)
		require.NoError(t, err)
		k, ok := b.(*scriptix.KeyBudget)
		require.True(t, ok)
		assert.Equal(t, 46, k.Snapshot().Day.Left, "two submits and two results")
		next := newClient(t, fake, scriptix.WithLimits(limits))
		for o := range batch.Run(t.Context(), next, only(recording(t, 3)), batch.Options{Ledger: l}) {
			require.NoError(t, o.Err)
		}
	})
}

func TestOptionsThatMakeNoSenseRejectEachInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		for _, outcomes := range [][]batch.Outcome{
			collect(t.Context(), nil, recordings(t, 2), batch.Options{}),
			collect(t.Context(), c, recordings(t, 2), batch.Options{Concurrency: -1}),
			collect(t.Context(), c, recordings(t, 2), batch.Options{ResubmitAfter: -1}),
		} {
			assert.Equal(t, map[batch.State]int{batch.StateRejected: 2}, states(outcomes))
			require.Error(t, outcomes[0].Err)
		}
		assert.Empty(t, collect(t.Context(), c, nil, batch.Options{}))
		assert.Empty(t, collect(t.Context(), c, recordings(t, 0), batch.Options{}))
		assert.Equal(t, []string{"0000.wav"}, slices.Sorted(maps.Keys(names(collect(t.Context(), c, recordings(t, 1), batch.Options{})))))
	})
}

func names(outcomes []batch.Outcome) map[string]bool {
	m := make(map[string]bool)
	for _, o := range outcomes {
		m[o.Input.Audio.Name()] = true
	}
	return m
}
