package scriptixtest_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// poll asks for a job that there is not: 404 when it is let in.
func poll(t *testing.T, s *scriptixtest.Server) (*http.Response, object) {
	t.Helper()
	res, body := do(t, s, request(t, s, http.MethodGet, "/api/v3/stt/x/status", nil))
	return res, decode(t, body)
}

func TestThePlanIsEnforcedWithExactSlidingWindows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plan  scriptixtest.Limits
		span  time.Duration
		limit int
	}{
		"minute": {scriptixtest.Limits{PerMinute: 10}, time.Minute, 10},
		"hour":   {scriptixtest.Limits{PerHour: 7}, time.Hour, 7},
		"day":    {scriptixtest.Limits{PerDay: 5}, 24 * time.Hour, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithPlan(tt.plan))
				gap := tt.span / 40
				for i := range tt.limit {
					res, _ := poll(t, s)
					require.Equal(t, http.StatusNotFound, res.StatusCode)
					assert.Equal(t, strconv.Itoa(tt.limit), res.Header.Get("X-RateLimit-Limit"))
					assert.Equal(t, strconv.Itoa(tt.limit-1-i), res.Header.Get("X-RateLimit-Remaining"))
					time.Sleep(gap)
				}
				for range 3 { // what is refused does not count
					res, v := poll(t, s)
					require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
					left := int((tt.span - time.Duration(tt.limit)*gap + time.Second - 1) / time.Second)
					assert.Equal(t, strconv.Itoa(left), res.Header.Get("Retry-After"))
					assert.InDelta(t, left, v["retry_after"], 0)
					assert.Equal(t, "RATE_LIMIT_EXCEEDED", v["error_code"])
					assert.Equal(t, "0", res.Header.Get("X-RateLimit-Remaining"))
					reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
					require.NoError(t, err)
					assert.Less(t, (time.Unix(reset, 0).Sub(time.Now().Add(time.Duration(left) * time.Second))).Abs(), time.Second)
				}
				time.Sleep(tt.span - time.Duration(tt.limit)*gap - 1)
				res, _ := poll(t, s)
				assert.Equal(t, http.StatusTooManyRequests, res.StatusCode, "one nanosecond too early")
				time.Sleep(time.Nanosecond)
				res, _ = poll(t, s)
				assert.Equal(t, http.StatusNotFound, res.StatusCode)
				res, _ = poll(t, s)
				assert.Equal(t, http.StatusTooManyRequests, res.StatusCode, "only one slot is free")
				assert.Equal(t, 5, s.Stats().Refused)
			})
		})
	}
}

func TestRequestsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits{Concurrent: 2}))
		s.Fault(scriptixtest.Fault{Times: 2, Delay: time.Minute})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				res, _, err := try(s, request(t, s, http.MethodGet, "/api/v3/stt/x/status", nil))
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusNotFound, res.StatusCode)
				}
			})
		}
		synctest.Wait()
		res, _ := poll(t, s)
		assert.Equal(t, http.StatusTooManyRequests, res.StatusCode)
		assert.Equal(t, "1", res.Header.Get("Retry-After"))
		wg.Wait()
		for range 100 { // the slot is free as soon as the answer is there
			res, _ = poll(t, s)
			require.Equal(t, http.StatusNotFound, res.StatusCode)
		}
		assert.Equal(t, scriptixtest.Stats{Requests: 103, Refused: 1, PerMinute: 100, PerHour: 103, PerDay: 103, Concurrent: 3}, s.Stats())
	})
}

func TestWithoutAPlanNothingIsRefusedButEverythingIsMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithHistory(1))
		send := func(n int, gap time.Duration) {
			for range n {
				res, _ := poll(t, s)
				require.Equal(t, http.StatusNotFound, res.StatusCode)
				require.Empty(t, res.Header.Get("X-RateLimit-Limit"))
				time.Sleep(gap)
			}
		}
		send(60, time.Second)    // 60 in a minute
		send(100, 2*time.Minute) // over three hours
		time.Sleep(24 * time.Hour)
		send(3000, 24*time.Hour/1000) // three days
		assert.Equal(t, scriptixtest.Stats{Requests: 3160, PerMinute: 60, PerHour: 90, PerDay: 1000, Concurrent: 1}, s.Stats())
	})
}

func TestWhatHasNoKeyDoesNotUseThePlanUp(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithPlan(scriptixtest.Limits{PerMinute: 1}))
	for range 3 {
		r := request(t, s, http.MethodGet, "/api/v3/stt/x/status", nil)
		r.Header.Del("Authorization")
		res, _ := do(t, s, r)
		assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
	}
	res, _ := poll(t, s)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
	res, _ = poll(t, s)
	assert.Equal(t, http.StatusTooManyRequests, res.StatusCode)
}
