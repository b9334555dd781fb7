package rate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

const begin rate.Millis = 1_700_000_000_000

var gold = rate.Limits{PerMinute: 120, PerHour: 5_000, PerDay: 50_000, Concurrent: 20}

// send sends a request that is answered at once.
func send(m *rate.Meter, now rate.Millis) {
	m.Done(now, rate.Poll, m.Grant(now, rate.Poll), rate.Answer{})
}

// fits is how many requests fit now.
func fits(m *rate.Meter, now rate.Millis) int {
	for n := 0; ; n++ {
		if at, _ := m.Earliest(now, n+1); at > now {
			return n
		}
	}
}

func TestARequestCountsFromItsGrantUntilAWindowAfterItsAnswer(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerMinute: 2})
	number := m.Grant(begin, rate.Submit)
	require.Equal(t, 1, fits(m, begin))
	answer := begin + 10*rate.Minute
	require.Equal(t, 1, fits(m, answer), "it is still in flight")
	m.Done(answer, rate.Submit, number, rate.Answer{})
	send(m, answer+rate.Second)

	at, obstacle := m.Earliest(answer+2*rate.Second, 1)
	assert.Equal(t, answer+rate.Minute+1, at)
	assert.Equal(t, "the minute window is full", obstacle)
	at, _ = m.Earliest(answer+2*rate.Second, 2)
	assert.Equal(t, answer+rate.Second+rate.Minute+1, at)
	assert.Equal(t, [3]rate.Use{{Limit: 2, Used: 2}, {Used: 2}, {Used: 2}}, m.Use(answer+2*rate.Second))
	assert.Equal(t, 2, fits(m, answer+rate.Hour))
}

func TestWhatWasNotSentCountsNowhere(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerMinute: 1, Concurrent: 1})
	m.Grant(begin, rate.Result)
	require.False(t, m.Room(rate.Poll))
	m.Cancel(rate.Result)
	assert.True(t, m.Room(rate.Poll))
	assert.Equal(t, 1, fits(m, begin))
	assert.Zero(t, m.InFlight())
}

func TestUploadsLeaveASlotFree(t *testing.T) {
	t.Parallel()
	for concurrent, uploads := range map[int]int{1: 1, 2: 1, 3: 2, 10: 9} {
		m := rate.New(rate.Limits{Concurrent: concurrent})
		n := 0
		for ; m.Room(rate.Submit); n++ {
			m.Grant(begin, rate.Submit)
		}
		assert.Equal(t, uploads, n, "of %d", concurrent)
		assert.Equal(t, concurrent > 1, m.Room(rate.Poll), "of %d", concurrent)
	}
}

func TestAClassThatWasPassedOverNineTimesGoesNext(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{})
	waiting := rate.Waiting{100, 100, 100}
	count := rate.Waiting{}
	for i := range 50 {
		class, ok := m.Next(waiting)
		require.True(t, ok)
		waiting[class]--
		m.PassOver(class, waiting)
		send(m, begin+rate.Millis(i))
		count[class]++
	}
	assert.Equal(t, rate.Waiting{41, 4, 5}, count)
	assert.Equal(t, 250, waiting.Total())
	_, ok := m.Next(rate.Waiting{})
	assert.False(t, ok, "nobody waits")
}

func TestPositionCountsWhoGoesBefore(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{})
	for _, tt := range []struct {
		class  rate.Class
		before rate.Waiting
		want   int
	}{
		{rate.Result, rate.Waiting{0, 5, 5}, 1},
		{rate.Result, rate.Waiting{3, 5, 5}, 4},
		{rate.Submit, rate.Waiting{3, 1, 5}, 5},
		{rate.Poll, rate.Waiting{3, 4, 0}, 8},
		{rate.Poll, rate.Waiting{500, 0, 0}, 10}, // passed over nine times at most
		{rate.Poll, rate.Waiting{500, 0, 2}, 30},
	} {
		assert.Equal(t, tt.want, m.Position(tt.class, tt.before), "%v", tt)
	}
}

func TestUploadsThatWaitForASlotAreInNobodysWay(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{Concurrent: 3})
	before := rate.Waiting{1, 20, 2}
	require.Equal(t, 24, m.Position(rate.Poll, before))
	m.Grant(begin, rate.Submit)
	m.Grant(begin, rate.Submit)
	assert.Equal(t, 4, m.Position(rate.Poll, before))
	assert.Equal(t, 22, m.Position(rate.Submit, before))
	m.Cancel(rate.Submit)
	assert.Equal(t, 24, m.Position(rate.Poll, before))
}

func TestA429StopsHalvesOnceABurstAndIsClimbedBackFrom(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerMinute: 60})
	refused := rate.Answer{Refused: true, RetryAfter: rate.Minute, Jitter: 0.5}
	limit := func(now rate.Millis) int { return m.Use(now)[0].Limit }
	var burst []uint64
	for range 3 {
		burst = append(burst, m.Grant(begin, rate.Poll))
	}
	m.Done(begin, rate.Poll, burst[0], refused)
	m.Done(begin+rate.Second, rate.Poll, burst[1], refused)
	until := begin + rate.Second + rate.Minute + 3_000
	require.Equal(t, until, m.BlockedUntil(), "longer by half a tenth")
	at, obstacle := m.Earliest(begin+2*rate.Second, 1)
	require.Equal(t, until, at)
	require.Equal(t, "the service answered 429", obstacle)

	var climb []int
	for i := range 6 {
		climb = append(climb, limit(until+rate.Millis(i)*rate.Minute))
	}
	require.Equal(t, []int{30, 36, 42, 48, 54, 60}, climb)

	now := until + 2*rate.Minute
	m.Done(now, rate.Poll, burst[2], refused)
	require.Equal(t, 42, limit(now), "a straggler of the burst stops, and it climbs on from there")
	now += 20 * rate.Minute
	m.Done(now, rate.Poll, m.Grant(now, rate.Poll), rate.Answer{Refused: true})
	require.Equal(t, 30, limit(now))
	require.Equal(t, now+10*rate.Second, m.BlockedUntil(), "where it does not say")
	m.Done(now+11*rate.Second, rate.Poll, m.Grant(now+11*rate.Second, rate.Poll), rate.Answer{Refused: true})
	require.Equal(t, 15, limit(now+12*rate.Second))
	require.Equal(t, now+31*rate.Second, m.BlockedUntil(), "twice as long")
	m.Done(now+rate.Hour, rate.Poll, burst[2], rate.Answer{Refused: true, RetryAfter: rate.Day})
	require.Equal(t, 60, limit(now+rate.Hour), "what had climbed back stays")
	require.Equal(t, now+rate.Hour+15*rate.Minute, m.BlockedUntil(), "no longer, whatever it asks")
}

func TestAMinuteThatWasNotLimitedIsHalvedFromWhatWentOut(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{})
	for range 99 {
		send(m, begin)
	}
	m.Done(begin, rate.Poll, m.Grant(begin, rate.Poll), rate.Answer{Refused: true, RetryAfter: rate.Second})
	assert.Equal(t, 50, m.Use(begin)[0].Limit)
	assert.Zero(t, m.Use(begin + rate.Hour)[0].Limit)
}

func TestAReducedMinuteLetsGoWhenItRises(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerMinute: 10})
	m.Done(begin, rate.Poll, m.Grant(begin, rate.Poll), rate.Answer{Refused: true, RetryAfter: 3 * rate.Minute})
	open := begin + 3*rate.Minute
	for range 5 {
		send(m, open+30*rate.Second)
	}
	at, _ := m.Earliest(open+30*rate.Second, 1)
	assert.Equal(t, open+rate.Minute, at, "they leave later")
}

func TestFiguresLeaveATwentiethAndSpreadTheLastQuarter(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{})
	figures := func(remaining int, reset rate.Millis) {
		m.Done(begin, rate.Poll, m.Grant(begin, rate.Poll), rate.Answer{Reset: reset, Remaining: remaining, Limit: 100})
	}
	figures(40, rate.Hour)
	require.Equal(t, 38, fits(m, begin))
	figures(45, rate.Hour+rate.Second)
	require.Equal(t, 37, fits(m, begin), "figures that were overtaken do not raise")
	figures(5, rate.Minute)
	require.Equal(t, 5, fits(m, begin), "the minute has its own")
	m.Grant(begin, rate.Poll)
	at, obstacle := m.Earliest(begin, 1)
	require.Equal(t, begin+rate.Minute/5, at)
	require.Equal(t, "the service's X-RateLimit headers leave no room", obstacle)
	at, _ = m.Earliest(begin, 100)
	require.Equal(t, begin+rate.Hour+rate.Second, at)
	m = rate.New(rate.Limits{PerMinute: 10})
	figures(0, 26*rate.Hour)
	require.Equal(t, 9, fits(m, begin), "a reset beyond a day is nonsense")
	m = rate.New(rate.Limits{PerMinute: 10})
	figures(-1, rate.Hour)
	require.Equal(t, 9, fits(m, begin), "a negative figure is no limit")
}

func TestEstimatesDoNotOverflow(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{PerMinute: 1, PerHour: 1, PerDay: 1})
	before := begin
	for _, position := range []int{1, 2, 1_000, math.MaxInt32 - 1, math.MaxInt - 1} {
		at, _ := m.Earliest(begin, position)
		assert.GreaterOrEqual(t, at, before, "position %d", position)
		before = at
	}
}

func TestMergedRequestsLeaveInTheirTime(t *testing.T) {
	t.Parallel()
	old := rate.New(rate.Limits{PerMinute: 10})
	for range 3 {
		send(old, begin)
	}
	old.Done(begin+rate.Second, rate.Poll, old.Grant(begin, rate.Poll), rate.Answer{Refused: true, RetryAfter: 5 * rate.Minute})
	old.Grant(begin+rate.Second, rate.Submit)
	m := rate.New(rate.Limits{PerMinute: 10})
	send(m, begin+2*rate.Second)

	now := begin + 3*rate.Second
	m.Merge(now, old.History(now))

	assert.Equal(t, rate.Use{Limit: 5, Used: 6}, m.Use(now)[0], "what was in flight counts as answered now")
	assert.Equal(t, begin+5*rate.Minute+rate.Second, m.BlockedUntil())
	assert.Equal(t, 3, m.Use(begin + rate.Minute + 1)[0].Used)
	assert.Equal(t, 6, m.Use(begin + rate.Minute + 1)[1].Used)
	assert.Equal(t, 6, m.Use(begin + 6*rate.Minute + rate.Second)[0].Limit, "and it climbs on")
}

func TestAHistoryThatMakesNoSenseDoesNoHarm(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	for name, tt := range map[string]struct {
		history rate.History
		used    int
	}{
		"answers in the future": {rate.History{Windows: [3][]rate.Slot{2: {{most, most, 5}}}}, 5},
		"answers before time":   {rate.History{Windows: [3][]rate.Slot{2: {{-most, -most, 5}}}}, 0},
		"last before first":     {rate.History{Windows: [3][]rate.Slot{2: {{most, 1, 5}}}}, 0},
		"negative counts":       {rate.History{Windows: [3][]rate.Slot{2: {{begin, begin, -5}}}, Unanswered: -3}, 0},
		"a strange minute":      {rate.History{ReducedLimit: 4, FullLimit: -9, QuietSince: -most}, 0},
		"blocked for ever":      {rate.History{BlockedUntil: most, ReducedLimit: 2, FullLimit: 5, QuietSince: most}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := rate.New(rate.Limits{PerDay: 10})
			m.Merge(begin, tt.history)
			assert.Equal(t, tt.used, m.Use(begin)[2].Used)
			assert.LessOrEqual(t, m.BlockedUntil(), begin+15*rate.Minute)
			assert.Equal(t, 10, fits(m, begin+25*rate.Hour))
		})
	}
}

func TestALimitThatIsMeantAsNoneSurvivesA429(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{math.MaxInt, math.MaxInt32} {
		l := rate.Limits{PerMinute: perMinute, PerHour: perMinute, PerDay: perMinute}
		m := rate.New(l)
		m.Done(begin, rate.Poll, m.Grant(begin, rate.Poll), rate.Answer{Refused: true, RetryAfter: rate.Second})
		for _, later := range []rate.Millis{2 * rate.Second, 3 * rate.Minute, 30 * rate.Minute, 365 * rate.Day, 60 * 365 * rate.Day} {
			at, obstacle := m.Earliest(begin+later, 1)
			assert.Equal(t, begin+later, at, "%v later: %s", later, obstacle)
			assert.Positive(t, m.Use(begin + later)[0].Limit)
		}
		encoded, err := m.AppendBinary(nil)
		require.NoError(t, err)
		_, err = rate.Decode(l, encoded)
		require.NoError(t, err)
	}
}

func TestALargeQuotaIsNotSpread(t *testing.T) {
	t.Parallel()
	m := rate.New(rate.Limits{})
	m.Done(begin, rate.Poll, m.Grant(begin, rate.Poll), rate.Answer{Reset: rate.Minute, Remaining: 900_000_000, Limit: 1_000_000_000})
	m.Grant(begin, rate.Poll)
	at, _ := m.Earliest(begin, 1)
	assert.Equal(t, begin, at)
}

func TestMergedFiguresThatMakeNoSenseAddUpToNoLessThanTheLimit(t *testing.T) {
	t.Parallel()
	l := rate.Limits{PerMinute: 60, PerHour: 60, PerDay: 60}
	m := rate.New(l)
	much := []rate.Slot{{First: begin, Last: begin, Count: math.MaxInt}, {First: begin + 1, Last: begin + 1, Count: math.MaxInt}, {First: begin + 2, Last: begin + 2, Count: math.MaxInt}}
	m.Merge(begin+2, rate.History{Windows: [3][]rate.Slot{much, much, much}, Unanswered: math.MaxInt})
	assert.Zero(t, fits(m, begin+2))
	encoded, err := m.AppendBinary(nil)
	require.NoError(t, err)
	_, err = rate.Decode(l, encoded)
	require.NoError(t, err)
}
