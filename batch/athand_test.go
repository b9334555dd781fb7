package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// wordy makes a fake whose answers have about so many bytes.
func wordy(t *testing.T, size int) *scriptixtest.Server {
	t.Helper()
	fake := newFake(t, scriptixtest.InMemory())
	text := strings.Repeat("word ", size/10) // it is in the answer twice, as a whole and by segments
	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return scriptixtest.Outcome{Text: text} })
	return fake
}

// gauge adds up what the transcripts take that are with a sink or with the loop.
type gauge struct {
	mu            sync.Mutex
	taken, most   int
	count, mostOf int
}

func (g *gauge) add(o batch.Outcome, sign int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken += sign * 2 * len(o.Transcript.Raw)
	g.count += sign
	g.most, g.mostOf = max(g.most, g.taken), max(g.mostOf, g.count)
}

func TestTranscriptsOnTheirWayStayWithinWhatMayBeAtHand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size, atHand int
		callbacks    bool
		most         int // transcripts with the sink at once
	}{
		"small ones that are fetched":                    {600 << 10, 5 << 20, true, 4},
		"small ones that come with a poll":               {600 << 10, 5 << 20, false, 4},
		"large ones, of which two do not fit":            {1500 << 10, 5 << 20, true, 1},
		"large ones that come with a poll":               {1500 << 10, 5 << 20, false, 1},
		"those that are larger than all, one at a time":  {700 << 10, 1 << 20, true, 1},
		"those that are larger than all, after the poll": {700 << 10, 1 << 20, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := wordy(t, c.size)
				client := pollingClient(t, fake)
				if c.callbacks {
					client = newClient(t, fake)
				}
				var sinks, both gauge
				o := batch.Options{Concurrency: 8, AtHand: int64(c.atHand), Sink: func(_ context.Context, o batch.Outcome) error {
					sinks.add(o, 1)
					both.add(o, 1)
					time.Sleep(time.Minute)
					sinks.add(o, -1)
					return nil
				}}
				for o := range batch.Run(t.Context(), client, recordings(t, 12), o) {
					require.Equal(t, batch.StateDone, o.State, "%v", o.Err)
					time.Sleep(time.Second)
					both.add(o, -1)
				}
				if c.atHand > 1<<20 {
					assert.LessOrEqual(t, both.most, c.atHand)
				}
				assert.LessOrEqual(t, both.mostOf, c.most)
				assert.Equal(t, c.most, sinks.mostOf, "no more wait than must")
				results := 0
				for _, request := range fake.Requests() {
					if request.Endpoint == scriptixtest.Result && request.Status == http.StatusOK {
						results++
					}
				}
				assert.LessOrEqual(t, results, 2*12, "one more request at most for each")
			})
		})
	}
}

// A sink may itself need a permit of the budget, or the answer to another call:
// what waits for room holds neither.
func TestASinkThatAsksTheServiceIsNotWaitedForInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := wordy(t, 1500<<10)
		client := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{Concurrent: 1}))
		o := batch.Options{Concurrency: 4, AtHand: 4 << 20, Sink: func(ctx context.Context, o batch.Outcome) error {
			time.Sleep(time.Minute) // the others are at the service by now
			again, err := client.STT.Result(ctx, o.JobID)
			assert.NoError(t, err)
			assert.Equal(t, o.Transcript.Text, again.Text)
			return err
		}}
		began := time.Now()
		assert.Equal(t, map[batch.State]int{batch.StateDone: 8}, states(collect(t.Context(), client, recordings(t, 8), o)))
		assert.Less(t, time.Since(began), time.Hour)
	})
}

func TestWhatFailsGivesItsRoomBack(t *testing.T) {
	t.Parallel()
	for name, sink := range map[string]func() error{
		"a sink that panics":             func() error { panic("the sink's") },
		"a sink that takes nothing":      func() error { return errors.New("disk full") },
		"a sink that ends its goroutine": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := wordy(t, 700<<10)
				var taken sync.Map
				o := batch.Options{Concurrency: 4, AtHand: 1 << 20, Sink: func(_ context.Context, o batch.Outcome) error {
					if _, seen := taken.LoadOrStore(o.Key, true); !seen || strings.HasPrefix(o.Input.Audio.Name(), "0000") {
						return sink()
					}
					return nil
				}}
				got := states(collect(t.Context(), newClient(t, fake), recordings(t, 6), o))
				assert.Equal(t, map[batch.State]int{batch.StateDone: 5, batch.StateInterrupted: 1}, got)
			})
		})
	}
}

func TestARunThatIsStoppedLeavesNobodyWaitingForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := wordy(t, 700<<10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := batch.Options{Concurrency: 4, AtHand: 1 << 20, Sink: func(ctx context.Context, _ batch.Outcome) error {
			time.AfterFunc(time.Minute, cancel)
			<-ctx.Done()
			return ctx.Err()
		}}
		assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 6}, states(collect(ctx, newClient(t, fake), recordings(t, 6), o)))
	})
}

func TestATranscriptThatWaitsToBeErasedIsStillAtHand(t *testing.T) {
	t.Parallel()
	for name, sink := range map[string]func(context.Context, batch.Outcome) error{
		"with a sink":    func(context.Context, batch.Outcome) error { return nil },
		"without a sink": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := wordy(t, 700<<10)
				client := newClient(t, fake)
				if errors.Is(client.STT.Delete(t.Context(), ""), scriptix.ErrUnsupported) {
					return // the dialect cannot
				}
				o := batch.Options{AtHand: 1 << 20, Sink: sink, Erase: true}
				assert.Equal(t, map[batch.State]int{batch.StateDone: 6}, states(collect(t.Context(), client, recordings(t, 6), o)))
			})
		})
	}
}

func TestInputsOfOneKeyShareTheRoomOfTheirTranscript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := wordy(t, 700<<10)
		same := recording(t, 1)
		o := batch.Options{AtHand: 1 << 20, Sink: func(context.Context, batch.Outcome) error { return nil }}
		in := only(same, same, recording(t, 2), same)
		seen := 0
		for o := range batch.Run(t.Context(), newClient(t, fake), in, o) {
			assert.Contains(t, []batch.State{batch.StateDone, batch.StateSkipped}, o.State, fmt.Sprint(o.Err))
			seen++
		}
		assert.Equal(t, 4, seen)
	})
}
