package batch_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func TestARefusedKeyReportsWhatAnEarlierRunSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		in := recording(t, 2)
		in.Key = "sent " + t.Name()
		claim(t.Context(), t, l, in.Key)
		move(t.Context(), t, l, in.Key, func(r *batch.Record) {
			r.Phase, r.Owner, r.SentAt = batch.Sent, "a run that was killed", time.Now().Add(-24*time.Hour)
		})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 401, Times: -1})
		outcomes := collect(t.Context(), c, only(recording(t, 1), in), batch.Options{Ledger: l, Concurrency: 1, ResubmitAfter: time.Hour})
		require.Equal(t, map[batch.State]int{batch.StateRejected: 2}, states(outcomes), "it is resubmitted, which is refused")
		r, err := l.Get(t.Context(), batch.ByKey, in.Key)
		require.NoError(t, err)
		assert.Equal(t, batch.Claimed, r.Phase)

		in.Key = "sent too " + t.Name()
		claim(t.Context(), t, l, in.Key)
		move(t.Context(), t, l, in.Key, func(r *batch.Record) {
			r.Phase, r.Owner, r.SentAt = batch.Sent, "a run that was killed", time.Now().Add(-24*time.Hour)
		})
		outcomes = collect(t.Context(), c, only(recording(t, 1), in), batch.Options{Ledger: l, Concurrency: 1})
		require.Equal(t, map[batch.State]int{batch.StateRejected: 1, batch.StateUnknown: 1}, states(outcomes))
	})
}

func TestAResultThatCannotBeReadIsReportedSoonAndLeftToALaterRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		const whole = `{"id":7,"status":"completed","result":{"status":"done","results":"none"}}`
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Result, Status: 200, Body: whole, Times: -1})
		began := time.Now()
		in := recordings(t, 1)
		for o := range batch.Run(t.Context(), c, in, batch.Options{Ledger: l}) {
			assert.Equal(t, batch.StateInterrupted, o.State)
			require.ErrorIs(t, o.Err, scriptix.ErrBadAnswer)
			assert.NotEmpty(t, o.JobID)
			e, ok := errors.AsType[*scriptix.Error](o.Err)
			require.True(t, ok)
			assert.JSONEq(t, whole, string(e.RawBody()), "what was paid for is within reach")
		}
		assert.Less(t, time.Since(began), 15*time.Minute)
		fake.ClearFaults()
		for o := range batch.Run(t.Context(), c, in, batch.Options{Ledger: l}) {
			require.NoError(t, o.Err)
			assert.NotNil(t, o.Transcript)
		}
		assert.Len(t, fake.Jobs(), 1, "and is not paid for again")
	})
}

func TestEveryInputThatWasTakenIsYieldedWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"before the first": 0, "between two": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				c := newClient(t, fake)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				taken := 0
				in := func(yield func(batch.Input) bool) {
					for i := range 10 {
						if i == at {
							cancel()
						}
						taken++
						if !yield(recording(t, i)) {
							return
						}
					}
				}
				assert.Len(t, collect(ctx, c, in, batch.Options{}), taken)
				assert.LessOrEqual(t, taken, at+1)

				taken = 0
				assert.Empty(t, collect(ctx, c, in, batch.Options{}))
				assert.Zero(t, taken, "nothing is taken once ctx has ended")
			})
		})
	}
}

func TestAPanicOfTheInputsReachesTheConsumer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Processing: time.Hour} })
		c, l := newClient(t, fake), batch.Memory()
		in := func(yield func(batch.Input) bool) {
			for i := range 3 {
				yield(recording(t, i))
			}
			time.Sleep(time.Minute)
			panic("the directory is gone")
		}
		var outcomes []batch.Outcome
		assert.PanicsWithValue(t, "the directory is gone", func() {
			for o := range batch.Run(t.Context(), c, in, batch.Options{Ledger: l}) {
				outcomes = append(outcomes, o)
			}
		})
		assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 3}, states(outcomes))
		assert.Equal(t, map[batch.State]int{batch.StateDone: 3}, states(collect(t.Context(), c, recordings(t, 3), batch.Options{Ledger: l})))
	})
}

// explosive panics when it is read.
type explosive struct{ io.Reader }

func (explosive) Read([]byte) (int, error) { panic("a bug of the caller's") }

func TestAPanicOfTheCallersCodeReachesTheConsumer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		panicsAt int // which time the recording is opened
		opens    bool
		trip     bool
	}{
		"a recording's open, for its key":    {panicsAt: 1, opens: true},
		"a recording's open, for its upload": {panicsAt: 2, opens: true},
		"a read for the key":                 {panicsAt: 1},
		"a read of the upload":               {panicsAt: 2},
		"a RoundTripper":                     {trip: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				var healed atomic.Bool
				var opened atomic.Int64
				content := strings.Repeat("x", 100_000)
				audio := scriptix.Opener("a.wav", 100_000, func(_ context.Context, offset int64) (io.ReadCloser, error) {
					whole := strings.NewReader(content[offset:])
					if healed.Load() || opened.Add(1) != int64(tt.panicsAt) {
						return io.NopCloser(whole), nil
					}
					if tt.opens {
						panic("a bug of the caller's")
					}
					return io.NopCloser(io.MultiReader(io.LimitReader(whole, 50_000), explosive{})), nil
				})
				transport := fake.HTTPClient().Transport
				c := newClient(t, fake, scriptix.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					if tt.trip && !healed.Load() {
						panic("a bug of the caller's")
					}
					return transport.RoundTrip(r)
				})}))
				l := batch.Memory()
				in := only(recording(t, 1), batch.Input{Audio: audio, Params: english}, recording(t, 2))
				assert.PanicsWithValue(t, "a bug of the caller's", func() { collect(t.Context(), c, in, batch.Options{Ledger: l}) })
				assert.Zero(t, c.Budget().InFlight)
				assert.Zero(t, c.Stats().Waiting)

				healed.Store(true)
				assert.Equal(t, map[batch.State]int{batch.StateDone: 3}, states(collect(t.Context(), c, in, batch.Options{Ledger: l, ResubmitAfter: time.Minute})))
			})
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// blind is a ledger whose records cannot be read for a while.
type blind struct {
	batch.Ledger
	on atomic.Bool
}

func (b *blind) Get(ctx context.Context, by batch.Index, value string) (batch.Record, error) {
	if b.on.Load() {
		return batch.Record{}, errDisk
	}
	return b.Ledger.Get(ctx, by, value)
}

func TestAnUnknownOutcomeIsReportedThoughTheLedgerCannotBeReadWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(mute)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		l := &blind{Ledger: batch.Memory()}
		time.AfterFunc(10*time.Minute, func() { l.on.Store(true) })
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		o := one(t, collect(ctx, newClient(t, fake), recordings(t, 1), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateInterrupted, o.State)
		require.ErrorIs(t, o.Err, batch.ErrLedger)
		require.ErrorIs(t, o.Err, errDisk)
		require.ErrorIs(t, o.Err, scriptix.ErrUnknownOutcome)
	})
}

func TestAnEndThatTheClientKnowsAlreadyIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(mute)
		c := newClient(t, fake)
		const n = 50
		var ids []string
		l := batch.Memory()
		for i := range n {
			in := recording(t, i)
			job, err := c.STT.Submit(t.Context(), in.Audio, in.Params)
			require.NoError(t, err)
			ids = append(ids, job.ID)
			key, err := batch.Key(t.Context(), in.Audio, in.Params)
			require.NoError(t, err)
			claim(t.Context(), t, l, key)
			move(t.Context(), t, l, key, func(r *batch.Record) { r.Phase, r.JobID, r.SubmittedAt = batch.Submitted, job.ID, time.Now() })
		}
		time.Sleep(time.Hour)
		for _, err := range c.STT.Watch(t.Context(), ids...) { // the client keeps the ends that somebody asked for
			require.NoError(t, err)
		}
		began := time.Now()
		outcomes := collect(t.Context(), c, recordings(t, n), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateDone: n}, states(outcomes))
		assert.Less(t, time.Since(began), 10*time.Minute)
	})
}

func TestAJobWhoseEndIsInTheLedgerIsNotPolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			o := scriptixtest.Outcome{Processing: time.Second}
			if u.FileName == "0000.wav" {
				o.Processing = 2 * time.Hour // the run goes on
			}
			return o
		})
		c, l := newClient(t, fake), batch.Memory()
		// The receiver is another part of the process: the client's waiters are not told.
		h, err := batch.NewHandler(nil, l, fake.WebhookSecret())
		require.NoError(t, err)
		fake.Handle(hook, h)
		outcomes := collect(t.Context(), c, recordings(t, 10), batch.Options{Ledger: l})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 10}, states(outcomes))
		polled := make(map[string]bool)
		for _, r := range fake.Requests() {
			if r.Endpoint == scriptixtest.Status {
				polled[r.Path] = true
			}
		}
		assert.LessOrEqual(t, len(polled), 1, "of ten jobs nine ended by callback")
	})
}

func TestASinkThatEndsItsGoroutineHoldsNothingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		var calls atomic.Int32
		outcomes := collect(t.Context(), newClient(t, fake), recordings(t, 20), batch.Options{Sink: func(context.Context, batch.Outcome) error {
			if calls.Add(1) <= 10 {
				runtime.Goexit()
			}
			return nil
		}})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 20}, states(outcomes))
	})
}

func TestAKeyThatNoLedgerCanKeepIsRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		var inputs []batch.Input
		for i, key := range []string{strings.Repeat("k", batch.MaxKey+1), "caf\xe9.wav"} {
			in := recording(t, i)
			in.Key = key
			inputs = append(inputs, in)
		}
		outcomes := collect(t.Context(), newClient(t, fake), only(inputs...), batch.Options{})
		assert.Equal(t, map[batch.State]int{batch.StateRejected: 2}, states(outcomes))
		for _, o := range outcomes {
			require.NotErrorIs(t, o.Err, batch.ErrLedger, "it is not the ledger's fault")
			require.Error(t, o.Err)
		}
		assert.Empty(t, fake.Jobs())
	})
}

func TestAnUnknownOutcomeOfAClockThatWasAheadIsReportedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c, l := newClient(t, fake), batch.Memory()
		in := recording(t, 1)
		in.Key = t.Name()
		claim(t.Context(), t, l, in.Key)
		move(t.Context(), t, l, in.Key, func(r *batch.Record) {
			r.Phase, r.SentAt, r.Owner = batch.Sent, time.Now().Add(365*24*time.Hour), "earlier"
		})
		began := time.Now()
		o := one(t, collect(t.Context(), c, only(in), batch.Options{Ledger: l}))
		assert.Equal(t, batch.StateUnknown, o.State)
		assert.LessOrEqual(t, time.Since(began), 31*time.Minute)
	})
}
