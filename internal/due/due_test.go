package due_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go/internal/due"
)

func TestModelKnowsThePriorsUntilTwentyJobsEnded(t *testing.T) {
	t.Parallel()
	var m due.Model
	for range 19 {
		m.Ended(time.Hour, 10*time.Minute)
	}
	assert.Equal(t, time.Minute, m.Queue())
	assert.InDelta(t, 0.2, m.Ratio(), 0)
	assert.Equal(t, 3*time.Minute, m.Expect(10*time.Minute))
	m.Ended(time.Hour, 10*time.Minute)
	assert.Equal(t, 58*time.Minute, m.Queue(), "durations that are all the same teach no ratio")
	assert.Equal(t, time.Hour, m.Expect(10*time.Minute))
}

func TestModelLearnsQueueAndRatioInSpiteOfOutliers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var m due.Model
	for i := range 1000 {
		duration := time.Duration(1+rng.IntN(120)) * time.Minute
		took := 7*time.Minute + time.Duration(0.12*float64(duration)) + time.Duration(rng.IntN(60))*time.Second
		if i%10 == 0 {
			took += 5 * time.Hour
		}
		m.Ended(took, duration)
	}
	assert.InDelta(t, 0.12, m.Ratio(), 0.02)
	assert.InDelta(t, 8, m.Queue().Minutes(), 1.5)
}

func TestModelForgetsWhatEndedTwoHundredJobsAgo(t *testing.T) {
	t.Parallel()
	var m due.Model
	for range 300 {
		m.Ended(3*time.Hour, time.Minute)
	}
	for range 200 {
		m.Ended(time.Minute, time.Minute)
	}
	assert.LessOrEqual(t, m.Expect(time.Minute), time.Minute+time.Second)
}

func TestModelDoesNotRunAwayFromWhatItsOwnPollsFind(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	var m due.Model
	looks, jobs := 0, 3000
	var late time.Duration
	for range jobs {
		duration := time.Duration(5+rng.IntN(55)) * time.Minute
		took := 10*time.Minute + time.Duration((0.1+0.1*rng.Float64())*float64(duration))
		age, seen := due.Due(m.Expect(duration), false), time.Duration(0)
		for looks++; age < took; looks++ {
			seen = age
			age += due.Gap(age, rng.Float64())
		}
		late += age - took
		m.Found(age, seen, duration)
	}
	assert.Less(t, looks, jobs*3/2)
	assert.Less(t, late/time.Duration(jobs), 3*time.Minute)
	assert.InDelta(t, 19, m.Expect(time.Hour).Minutes(), 5)
}

func TestGapsAreAMinuteAtLeastAndAnHourAtMostAndJitterShortensThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ age, want time.Duration }{
		{0, time.Minute}, {10 * time.Minute, time.Minute}, {2 * time.Hour, 12 * time.Minute}, {100 * time.Hour, time.Hour},
	} {
		assert.Equal(t, tt.want, due.Gap(tt.age, 0))
		assert.Less(t, due.Gap(tt.age, 0.9), tt.want)
		assert.Greater(t, due.Gap(tt.age, 0.999), tt.want*8/10)
	}
}

func TestPollsArePushedBackOnlySoFar(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 15*time.Minute, due.Latest(5*time.Minute, false))
	assert.Equal(t, 4*time.Hour, due.Latest(2*time.Hour, false))
	assert.Equal(t, 130*time.Minute, due.Latest(2*time.Hour, true))
	assert.Equal(t, 13*time.Minute, due.Bound(5*time.Minute))
	assert.Equal(t, 3*time.Hour, due.Bound(2*time.Hour))
}

func TestSenderTriesAgainAfterOneSixAndTwentyOneMinutes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ now, want time.Duration }{
		{0, time.Minute}, {time.Minute, 6 * time.Minute}, {5 * time.Minute, 6 * time.Minute}, {20 * time.Minute, 21 * time.Minute},
	} {
		at, ok := due.Resent(0, tt.now)
		assert.True(t, ok)
		assert.Equal(t, tt.want, at)
	}
	_, ok := due.Resent(0, 21*time.Minute)
	assert.False(t, ok)
}

func TestRequestsAfterACallbackBackOffFromFiveSeconds(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 5*time.Second, due.Again(0))
	assert.Equal(t, 7500*time.Millisecond, due.Again(1))
	assert.Equal(t, time.Hour, due.Again(200))
}

func TestCallbacksAreTrustedUntilHalfOfTheEndsComeWithoutThem(t *testing.T) {
	t.Parallel()
	var h due.CallbackHealth
	missed := 0
	for h.Arrive() {
		h.Ended(false)
		missed++
	}
	assert.Equal(t, 35, missed)
	for !h.Arrive() {
		h.Ended(true)
	}
	for range 500 {
		h.Ended(true)
	}
	assert.InDelta(t, 1, h.Share(), 0.001)
}

func TestJobIsPassedOnceFiveLaterOnesEnded(t *testing.T) {
	t.Parallel()
	var f due.Frontier
	for i := range 4 {
		f.Ended(time.Duration(100+i) * time.Second)
	}
	assert.False(t, f.Overtook(0, 0))
	f.Ended(time.Second)
	assert.False(t, f.Overtook(time.Second, 0))
	f.Ended(200 * time.Second)
	assert.True(t, f.Overtook(time.Second, 30*time.Second))
	assert.False(t, f.Overtook(80*time.Second, 30*time.Second))
}

func TestVerdictsOnNewsAboutARecord(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		have, told due.State
		callback   bool
		want       due.Verdict
	}{
		{"a poll finds it running", due.Running, due.Running, false, due.Progress},
		{"a poll finds its end", due.Running, due.Succeeded, false, due.End},
		{"a poll finds that it failed", due.Running, due.Failed, false, due.End},
		{"a callback completes it", due.Running, due.Succeeded, true, due.End},
		{"a callback says that it failed", due.Running, due.Failed, true, due.Confirm},
		{"a callback comes twice", due.Succeeded, due.Succeeded, true, due.Duplicate},
		{"a callback contradicts", due.Succeeded, due.Failed, true, due.Contradiction},
		{"a poll contradicts", due.Failed, due.Succeeded, false, due.Contradiction},
		{"the API lags behind", due.Succeeded, due.Running, false, due.Nothing},
		{"a poll confirms what a callback said", due.Succeeded, due.Succeeded, false, due.Nothing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, due.Judge(tt.have, tt.told, tt.callback))
		})
	}
}

func TestJobIsLateWhenNearlyAllOfItsPeersHaveEnded(t *testing.T) {
	t.Parallel()
	var c due.Cohorts
	buckets := make([]due.Member, 100)
	for i := range buckets {
		buckets[i] = c.Start(time.Duration(i)*time.Second/20, 30*time.Minute)
		_, known := c.Late(buckets[i], 1)
		assert.Equal(t, i >= 19, known, "few say nothing")
	}
	for i, bucket := range buckets {
		late, _ := c.Late(bucket, 1)
		assert.Equal(t, i > 92, late, "%d of 100 have ended", i)
		if i > 50 {
			late, _ = c.Late(bucket, 0.5)
			assert.True(t, late, "half of the callbacks get lost")
		}
		c.End(bucket)
	}
	for i := range 100_000 {
		c.Leave(c.Start(time.Duration(i)*time.Minute, 0))
	}
	_, known := c.Late(1<<20, 1)
	assert.False(t, known)
}

func TestTheEndsOfJobsThatCameLateIntoAnOldCohortDoNotMakeItsOthersLate(t *testing.T) {
	t.Parallel()
	var c due.Cohorts
	running := c.Start(0, time.Minute)
	c.Start(30*time.Hour, time.Minute)
	for range 100 {
		c.End(c.Start(0, time.Minute)) // such as after a restart
		c.Leave(c.Start(0, time.Minute))
	}
	for range 3_000 {
		c.Start(0, time.Minute)
	}
	late, known := c.Late(running, 1)
	assert.True(t, known)
	assert.False(t, late, "most of its peers run")
}

func TestShortClipsInALongQueueSayNothingAboutLongRecordings(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var m due.Model
		for range 200 {
			m.Ended(time.Duration(rng.Int64N(int64(time.Hour))), 5*time.Second+time.Duration(rng.Int64N(int64(6*time.Second))))
		}
		assert.LessOrEqual(t, m.Expect(3*time.Hour), 4*time.Hour)
		assert.LessOrEqual(t, m.Expect(1000*time.Hour), 25*time.Hour, "nobody records for so long")
	}
}

func TestCohortsTakeJobsOfAnyAgeInAnyOrderInLittleTime(t *testing.T) {
	t.Parallel()
	var c due.Cohorts
	begin := time.Now()
	for i := range 200_000 {
		c.Start(time.Duration(-i)*10*time.Second, time.Minute)
	}
	for i := range 200_000 {
		c.Start(time.Duration(i*7919%200_000)*10*time.Second, time.Minute)
	}
	assert.Less(t, time.Since(begin), 10*time.Second, "a search for each takes minutes")
}
