package rate_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

func encode(tb testing.TB, m *rate.Meter) []byte {
	tb.Helper()
	data, err := m.AppendBinary(nil)
	require.NoError(tb, err)
	return data
}

// restored is a meter after it was stored.
func restored(tb testing.TB, l rate.Limits, m *rate.Meter) *rate.Meter {
	tb.Helper()
	decoded, err := rate.Decode(l, encode(tb, m))
	require.NoError(tb, err)
	require.Equal(tb, m.Clone(), decoded.Clone())
	return decoded
}

// flight is a request in flight.
type flight struct {
	class  rate.Class
	number uint64
}

// life is a random life of a meter, one step at a time.
type life struct {
	r       *rand.Rand
	now     rate.Millis
	waiting rate.Waiting
	flights []flight
}

func (l *life) step(m *rate.Meter) {
	l.now += rate.Millis(l.r.ExpFloat64() * float64([]rate.Millis{50, 2_000, 100_000}[l.r.IntN(3)]))
	if l.r.IntN(3) > 0 {
		l.waiting[l.r.IntN(3)]++
	}
	for l.r.IntN(2) == 0 && len(l.flights) > 0 {
		i := l.r.IntN(len(l.flights))
		f := l.flights[i]
		l.flights = append(l.flights[:i], l.flights[i+1:]...)
		l.end(m, f)
	}
	for {
		class, ok := m.Next(l.waiting)
		if at, _ := m.Earliest(l.now, 1); !ok || at > l.now {
			return
		}
		l.waiting[class]--
		m.PassOver(class, l.waiting)
		l.flights = append(l.flights, flight{class, m.Grant(l.now, class)})
	}
}

func (l *life) end(m *rate.Meter, f flight) {
	switch l.r.IntN(30) {
	case 0:
		m.Cancel(f.class)
	case 1:
		m.Done(l.now, f.class, f.number, rate.Answer{Refused: true, RetryAfter: rate.Millis(l.r.IntN(200_000)), Jitter: l.r.Float64()})
	case 2, 3:
		m.Done(l.now, f.class, f.number, rate.Answer{Reset: rate.Millis(l.r.IntN(4_000_000)), Remaining: l.r.IntN(100), Limit: 100})
	default:
		m.Done(l.now, f.class, f.number, rate.Answer{})
	}
}

// Whenever it is stored and restored, a meter goes on exactly as one that never was.
func TestARestoredMeterGoesOnExactly(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		setup := rand.New(rand.NewPCG(seed, 1))
		limits := []rate.Limits{{}, {PerMinute: 10, PerHour: 40, PerDay: 200, Concurrent: 3}, gold, {PerHour: 100, Concurrent: 1}}[setup.IntN(4)]
		kept, stored := rate.New(limits), rate.New(limits)
		one := life{r: rand.New(rand.NewPCG(seed, 2)), now: begin}
		other := life{r: rand.New(rand.NewPCG(seed, 2)), now: begin}
		for range 300 {
			one.step(kept)
			other.step(stored)
			if setup.IntN(10) == 0 {
				stored = restored(t, limits, stored)
			}
			require.Equal(t, one.flights, other.flights, "seed %d", seed)
			require.Equal(t, kept.Use(one.now), stored.Use(other.now), "seed %d", seed)
			position := 1 + setup.IntN(300)
			at, obstacle := kept.Earliest(one.now, position)
			again, same := stored.Earliest(other.now, position)
			require.Equal(t, at, again, "seed %d", seed)
			require.Equal(t, obstacle, same, "seed %d", seed)
		}
	}
}

// fill spreads a Gold plan's requests over a day, at uneven times, so that every
// slot is in use, and lets the last minute be as full as it may.
func fill(m *rate.Meter, r *rand.Rand) (now rate.Millis) {
	for now = begin; now < begin+26*rate.Hour; now += rate.Millis(1_300 + r.IntN(900)) {
		if at, _ := m.Earliest(now, 1); at <= now {
			send(m, now)
		}
	}
	for end := now + rate.Minute; now < end; now += rate.Millis(r.IntN(600)) {
		if at, _ := m.Earliest(now, 1); at <= now {
			m.Done(now, rate.Poll, m.Grant(now, rate.Poll), rate.Answer{Reset: 10 * rate.Hour, Remaining: 1_000_000, Limit: 2_000_000})
		}
	}
	return now
}

func TestAFullGoldPlanTakesLessThanTwoKilobytes(t *testing.T) {
	t.Parallel()
	m := rate.New(gold)
	now := fill(m, rand.New(rand.NewPCG(1, 2)))
	m.Done(now, rate.Poll, m.Grant(now, rate.Poll), rate.Answer{Refused: true, RetryAfter: rate.Minute, Reset: rate.Minute, Remaining: 5, Limit: 120})
	for range 20 {
		m.Grant(now, rate.Submit)
	}
	data := encode(t, restored(t, gold, m))
	slots := 0
	for i, window := range m.History(now).Windows {
		slots += len(window)
		assert.LessOrEqual(t, len(window), []int{120, 64, 64}[i])
	}
	t.Logf("%d slots, %d bytes; used %v", slots, len(data), m.Use(now))
	assert.Greater(t, slots, 200)
	assert.Less(t, len(data), 1_500, "the row of a fleet holds flights and tickets as well")
}

func TestAMeterIsRestoredUnderOtherLimits(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerHour: 100})
	for i := range 80 {
		send(m, begin+rate.Millis(i)*rate.Second)
	}
	now := begin + 80*rate.Second
	smaller, err := rate.Decode(rate.Limits{PerMinute: 10, PerHour: 50}, encode(t, m))
	require.NoError(t, err)
	at, _ := smaller.Earliest(now, 1)
	assert.Greater(t, at, begin+rate.Hour)
	assert.Equal(t, rate.Use{Limit: 50, Used: 80}, smaller.Use(now)[1])
}

func TestWhatNoMeterWroteIsRefused(t *testing.T) {
	t.Parallel()
	m := rate.New(gold)
	fill(m, rand.New(rand.NewPCG(3, 4)))
	data := encode(t, m)
	for n := range data {
		_, err := rate.Decode(gold, data[:n])
		require.ErrorIs(t, err, rate.ErrEncoding, "%d of %d bytes", n, len(data))
	}
	_, err := rate.Decode(gold, append(data, 0))
	require.ErrorIs(t, err, rate.ErrEncoding, "something follows")
	_, err = rate.Decode(gold, append([]byte{9}, data[1:]...))
	require.ErrorIs(t, err, rate.ErrEncoding, "another version")
}

func FuzzDecode(f *testing.F) {
	for _, l := range []rate.Limits{{}, gold, {PerMinute: 3, PerDay: 9, Concurrent: 2}} {
		m := rate.New(l)
		alive := life{r: rand.New(rand.NewPCG(5, 6)), now: begin}
		for range 200 {
			alive.step(m)
		}
		f.Add(encode(f, m))
		f.Add(encode(f, rate.New(l)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := rate.Decode(gold, data)
		if err != nil {
			require.ErrorIs(t, err, rate.ErrEncoding)
			return
		}
		m = restored(t, gold, m)
		for _, now := range []rate.Millis{0, begin, begin + rate.Day} {
			at, _ := m.Earliest(now, 1_000)
			require.GreaterOrEqual(t, at, now)
			m.Use(now)
			if class, ok := m.Next(rate.Waiting{1, 1, 1}); ok {
				m.Done(now, class, m.Grant(now, class), rate.Answer{Refused: true})
			}
		}
	})
}
