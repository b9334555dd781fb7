package budget_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

var answered = budget.RateInfo{Sent: true, StatusCode: 200}

// sentRequest is a request that the service may count at any time from start
// to answer.
type sentRequest struct{ start, answer time.Time }

type requestLog struct {
	mu   sync.Mutex
	sent []sentRequest
}

func (l *requestLog) add(start, answer time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sentRequest{start, answer})
}

// most is the largest number of requests that any window of this length may
// hold, wherever in their time the service counts them; ends included.
func (l *requestLog) most(window time.Duration) int {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, r := range l.sent {
		changes = append(changes, change{r.start, 1}, change{r.answer.Add(window), -1})
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(a.at.Compare(b.at), b.by-a.by)
	})
	most, n := 0, 0
	for _, c := range changes {
		n += c.by
		most = max(most, n)
	}
	return most
}

func (l *requestLog) requireWithin(t *testing.T, limits budget.Limits) {
	t.Helper()
	require.NotEmpty(t, l.sent)
	for _, w := range []struct {
		name   string
		limit  int
		window time.Duration
	}{{"minute", limits.PerMinute, time.Minute}, {"hour", limits.PerHour, time.Hour}, {"day", limits.PerDay, 24 * time.Hour}} {
		if w.limit > 0 {
			require.LessOrEqual(t, l.most(w.window), w.limit, "in some %s", w.name)
		}
	}
	if limits.Concurrent > 0 {
		// Half open here: a slot may be taken over in the instant it is given back.
		require.LessOrEqual(t, l.most(-1), limits.Concurrent, "at once")
	}
}

func newBudget(t *testing.T, l budget.Limits) *budget.Key {
	t.Helper()
	b, err := budget.New(l)
	require.NoError(t, err)
	return b
}

// take acquires n permits at once and returns them.
func take(t *testing.T, b budget.Budget, n int, class budget.Class) []budget.Permit {
	t.Helper()
	permits := make([]budget.Permit, n)
	for i := range permits {
		start := time.Now()
		p, err := b.Acquire(t.Context(), class)
		require.NoError(t, err)
		require.Zero(t, time.Since(start), "grant %d had to wait", i)
		permits[i] = p
	}
	return permits
}

func doneAll(permits []budget.Permit, info budget.RateInfo) {
	for _, p := range permits {
		p.Done(info)
	}
}

// send sends n requests that are answered at once.
func send(t *testing.T, b budget.Budget, n int) {
	t.Helper()
	for range n {
		doneAll(take(t, b, 1, budget.ClassPoll), answered)
	}
}

// free sends what can be sent now and returns how much that was.
func free(t *testing.T, b *budget.Key) int {
	t.Helper()
	for n := range 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		p, err := b.Acquire(ctx, budget.ClassPoll)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, budget.ErrNoRoom)
			return n
		}
		p.Done(answered)
	}
	return 1000
}

func TestNoWindowIsEverExceeded(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]budget.Limits{
		"the free plan":      budget.PlanFree,
		"the silver plan":    budget.PlanSilver,
		"small odd limits":   {PerMinute: 7, PerHour: 41, PerDay: 153, Concurrent: 3},
		"no minute":          {PerHour: 100, PerDay: 300, Concurrent: 20},
		"one of each":        {PerMinute: 1, PerHour: 1, PerDay: 2, Concurrent: 1},
		"concurrency alone":  {Concurrent: 4},
		"a minute and a day": {PerMinute: 30, PerDay: 500},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var log requestLog
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Hour)
					defer cancel()
					load(ctx, newBudget(t, limits), seed, &log)
					log.requireWithin(t, limits)
				})
			})
		}
	}
}

// load runs 30 callers of random temper until ctx ends.
func load(ctx context.Context, b budget.Budget, seed uint64, log *requestLog) {
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil {
				time.Sleep(time.Duration(r.ExpFloat64() * float64(time.Minute)))
				attempt, cancel := ctx, context.CancelFunc(func() {})
				if r.IntN(3) == 0 {
					attempt, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(600))*time.Second)
				}
				p, err := b.Acquire(attempt, budget.Class(r.IntN(3)))
				cancel()
				if err != nil {
					time.Sleep(time.Second)
					continue
				}
				if r.IntN(20) == 0 {
					p.Done(budget.RateInfo{}) // never sent
					continue
				}
				start := time.Now()
				switch r.IntN(10) {
				case 0:
					time.Sleep(time.Duration(r.IntN(200)) * time.Second)
				case 1, 2, 3:
				default:
					time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				}
				log.add(start, time.Now())
				p.Done(answered)
			}
		})
	}
	wg.Wait()
}

func TestFullLoadUsesFiftyNineSixtiethsOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const days = 4
		b := newBudget(t, budget.PlanSilver)
		ctx, cancel := context.WithTimeout(t.Context(), days*24*time.Hour)
		defer cancel()
		begin := time.Now()
		var log requestLog
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				for {
					p, err := b.Acquire(ctx, budget.ClassPoll)
					if err != nil {
						return
					}
					start := time.Now()
					time.Sleep(200 * time.Millisecond)
					log.add(start, time.Now())
					p.Done(answered)
				}
			})
		}
		wg.Wait()

		log.requireWithin(t, budget.PlanSilver)
		var perDay [days + 1]int
		for _, r := range log.sent {
			perDay[r.start.Sub(begin)/(24*time.Hour)]++
		}
		t.Log("requests a day:", perDay[:days])
		for day, n := range perDay[:days] {
			assert.GreaterOrEqual(t, n, 20_000*59/60, "on day %d", day)
		}
	})
}

func TestAnEvenLoadUsesFiftyNineSixtiethsOfAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerHour: 600})
		const hours = 20
		var perHour [hours]int
		for begin := time.Now(); ; {
			p, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			hour := int(time.Since(begin) / time.Hour)
			p.Done(answered)
			if hour >= hours {
				break
			}
			perHour[hour]++
			time.Sleep(5990 * time.Millisecond)
		}
		t.Log("requests an hour:", perHour)
		for hour, n := range perHour {
			assert.GreaterOrEqual(t, n, 600*59/60, "in hour %d", hour)
		}
	})
}

func TestAMinuteIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 3})
		var sent []time.Time
		for range 3 {
			send(t, b, 1)
			sent = append(sent, time.Now())
			time.Sleep(100 * time.Millisecond)
		}
		require.Zero(t, free(t, b))
		for _, at := range sent { // they leave one by one, as they came
			_, err := b.Acquire(t.Context(), budget.ClassPoll)
			require.NoError(t, err)
			require.InDelta(t, time.Minute, time.Since(at), float64(2*time.Millisecond))
		}
		time.Sleep(time.Minute) // in flight they never leave
		require.Zero(t, free(t, b))
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 1})
		p := take(t, b, 1, budget.ClassSubmit)
		time.Sleep(10 * time.Minute)
		doneAll(p, answered)
		answer := time.Now()
		_, err := b.Acquire(t.Context(), budget.ClassPoll)
		require.NoError(t, err)
		assert.InDelta(t, time.Minute, time.Since(answer), float64(2*time.Millisecond), "counted from its answer")
	})
}

func TestDoneCountsOnceAndOnlyWhatWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, budget.Limits{PerMinute: 10, PerDay: 20, Concurrent: 2})
		p := take(t, b, 1, budget.ClassSubmit)[0]
		assert.Equal(t, budget.WindowUse{Limit: 10, Used: 1, Left: 9}, b.Snapshot().Minute)
		p.Done(answered)
		p.Done(answered)
		p.Done(budget.RateInfo{})
		s := b.Snapshot()
		assert.Equal(t, budget.WindowUse{Limit: 10, Used: 1, Left: 9}, s.Minute)
		assert.Equal(t, budget.WindowUse{Used: 1, Left: -1}, s.Hour)
		assert.Equal(t, budget.WindowUse{Limit: 20, Used: 1, Left: 19}, s.Day)
		assert.Zero(t, s.InFlight)

		doneAll(take(t, b, 2, budget.ClassPoll), budget.RateInfo{})
		assert.Equal(t, 1, b.Snapshot().Day.Used)
		doneAll(take(t, b, 2, budget.ClassPoll), budget.RateInfo{Sent: true})
		assert.Equal(t, 3, b.Snapshot().Day.Used, "sent, and no answer came")
	})
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	t.Parallel()
	for _, l := range []budget.Limits{{PerMinute: -1}, {PerHour: -1}, {PerDay: -1}, {Concurrent: -1}} {
		_, err := budget.New(l)
		require.ErrorContains(t, err, "negative")
		_, err = budget.Restore(l, budget.State{})
		require.ErrorContains(t, err, "negative")
	}
	_, err := newBudget(t, budget.Limits{}).Acquire(t.Context(), 7)
	require.ErrorContains(t, err, "class 7")
}

func TestAnUncontendedGrantAllocatesItsPermitAlone(t *testing.T) {
	b := newBudget(t, budget.Limits{Concurrent: 10, PerDay: 1 << 30, PerHour: 1 << 30})
	ctx := t.Context()
	allocs := testing.AllocsPerRun(1000, func() {
		p, err := b.Acquire(ctx, budget.ClassPoll)
		if err == nil {
			p.Done(answered)
		}
	})
	assert.LessOrEqual(t, allocs, 1.0)
}

func BenchmarkAcquireUncontended(b *testing.B) {
	for name, l := range map[string]budget.Limits{
		"hour and day": {PerHour: 1 << 30, PerDay: 1 << 30, Concurrent: 10},
		"minute too":   {PerMinute: 1 << 20, PerHour: 1 << 30, PerDay: 1 << 30, Concurrent: 10},
	} {
		b.Run(name, func(b *testing.B) {
			key, err := budget.New(l)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				p, err := key.Acquire(b.Context(), budget.ClassPoll)
				if err != nil {
					b.Fatal(err)
				}
				p.Done(budget.RateInfo{}) // taken back, so that no window fills
			}
		})
	}
}

func ExampleNew() {
	key, err := budget.New(budget.PlanSilver)
	if err != nil {
		fmt.Println(err)
		return
	}
	permit, err := key.Acquire(context.Background(), budget.ClassPoll)
	if err != nil {
		fmt.Println(err)
		return
	}
	permit.Done(budget.RateInfo{Sent: true, StatusCode: 200})
	fmt.Println(key.Snapshot().Day)
	// Output: {20000 1 19999}
}
