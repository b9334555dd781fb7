package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// world is processes that share a budget, in virtual time.
type world struct {
	t        *testing.T
	r        *rand.Rand
	limits   scriptix.Limits
	state    []byte
	now      rate.Millis
	living   map[string]bool
	members  []*member
	arrivals []rate.Millis // as the service counts
	turns    int
	granted  int
	most     int
	largest  int // bytes of state
}

// member is a process, whose callers always want something.
type member struct {
	id     string
	flying map[uint64]rate.Millis // number to when its answer comes
	landed []landing
	wants  [rate.Classes]int
	at     rate.Millis // when its next turn is
}

func (w *world) spawn(i int) *member {
	m := &member{id: fmt.Sprintf("process-%d-%08x", i, w.r.Uint32()), flying: make(map[uint64]rate.Millis)}
	w.living[m.id] = true
	return m
}

// turn is a member's turn, as the row's transaction makes it.
func (w *world) turn(m *member) {
	b, err := decodeBudget(w.limits, w.state)
	require.NoError(w.t, err)
	m.wants = [rate.Classes]int{1, 2, 1}
	flying := make(map[uint64]bool)
	for number := range m.flying {
		flying[number] = true
	}
	for _, l := range m.landed {
		flying[l.number] = true
	}
	told := b.take(turn{holder: m.id, now: w.now, living: w.living, landed: m.landed, flying: flying, wants: m.wants})
	w.turns++
	m.landed = nil
	for _, f := range told.granted {
		w.granted++
		w.arrivals = append(w.arrivals, w.now)
		m.flying[f.number] = w.now + 50 + rate.Millis(w.r.IntN(1500))
	}
	m.at = w.now + 60_000
	for class := range rate.Classes {
		if at := told.at[class]; at > 0 {
			m.at = min(m.at, at)
		}
	}
	for _, other := range w.members {
		if other.id == told.notify {
			other.at = min(other.at, w.now+5)
		}
	}
	w.state, err = b.encode()
	require.NoError(w.t, err)
	w.largest = max(w.largest, len(w.state))
}

// step moves time on to the next thing that happens.
func (w *world) step() {
	next := w.now + 60_000
	for _, m := range w.members {
		next = min(next, m.at)
		for _, at := range m.flying {
			next = min(next, at)
		}
	}
	w.now = max(next, w.now+1)
	for len(w.arrivals) > 0 && w.arrivals[0] <= w.now-60_000 {
		w.arrivals = w.arrivals[1:]
	}
	for _, m := range w.members {
		due := m.at <= w.now
		for number, at := range m.flying {
			if at <= w.now {
				delete(m.flying, number)
				m.landed = append(m.landed, landing{number: number, sent: true})
				due = true
			}
		}
		if due {
			w.turn(m)
		}
	}
	w.most = max(w.most, len(w.arrivals))
}

func TestProcessesThatShareABudgetUseItAndNeverMore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		killEvery rate.Millis
		atLeast   float64
	}{
		{"nobody is killed", 0, 0.95},
		{"one of four is killed every 4 seconds", 4_000, 0.6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			limits := scriptix.Limits{PerMinute: 120, PerHour: 100_000, Concurrent: 20}
			w := &world{t: t, r: rand.New(rand.NewPCG(7, 7)), limits: limits, now: 1_700_000_000_000, living: make(map[string]bool)}
			for i := range 4 {
				w.members = append(w.members, w.spawn(i))
			}
			begin, kill := w.now, w.now+c.killEvery
			for w.now < begin+10*60_000 {
				w.step()
				if c.killEvery > 0 && w.now >= kill {
					i := w.r.IntN(4)
					dead := w.members[i].id
					delete(w.living, dead) // the lease's end; what flew counts until then
					w.members[i] = w.spawn(i)
					w.members[i].at = w.now
					kill = w.now + c.killEvery
				}
			}
			assert.LessOrEqual(t, w.most, 120, "as the service counts")
			used := float64(w.granted) / (120 * 10)
			assert.GreaterOrEqual(t, used, c.atLeast)
			assert.Less(t, w.largest, 2000, "bytes of state")
			assert.LessOrEqual(t, float64(w.turns)/float64(w.granted), 4.5, "changes a request")
			t.Logf("%.0f %% of the windows used, at most %d in a minute, %.1f changes a request, %d bytes",
				100*used, w.most, float64(w.turns)/float64(w.granted), w.largest)
		})
	}
}

func TestAnythingButAStateIsNotDecoded(t *testing.T) {
	t.Parallel()
	b := newSharedBudget(scriptix.PlanGold)
	b.take(turn{holder: "a", now: 1_700_000_000_000, living: map[string]bool{"a": true}, wants: [rate.Classes]int{1, 1, 1}})
	state, err := b.encode()
	require.NoError(t, err)
	again, err := decodeBudget(scriptix.PlanGold, state)
	require.NoError(t, err)
	restored, err := again.encode()
	require.NoError(t, err)
	assert.Equal(t, state, restored)
	for n := 1; n < len(state); n++ {
		_, err := decodeBudget(scriptix.PlanGold, state[:n])
		assert.Error(t, err, "cut after %d bytes", n)
	}
}
