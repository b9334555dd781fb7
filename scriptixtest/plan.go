package scriptixtest

import (
	"net/http"
	"strconv"
	"time"
)

// Limits are what a plan allows, see [WithPlan]. Zero means not limited.
type Limits struct {
	PerMinute, PerHour, PerDay int // requests in any such span of time
	Concurrent                 int // requests at once, each from its header to its answer
}

// Stats counts what the service has seen since it started: what a test of a budget asserts.
//
// The highest figures count every request, also one that the plan, the key check or a fault refused.
type Stats struct {
	Jobs       int
	Requests   int
	Refused    int // by the plan, with 429
	Deliveries int // callbacks sent, or lost on the way
	PerMinute  int // most requests in any minute
	PerHour    int // most in any hour
	PerDay     int // most in any day
	Concurrent int // most at once
}

// Stats returns the present figures. It costs the same however many requests there were.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.meter
	return Stats{
		Jobs:       len(s.order),
		Requests:   s.history.total,
		Refused:    m.refused,
		Deliveries: m.deliveries,
		PerMinute:  m.seen.spans[0].most,
		PerHour:    m.seen.spans[1].most,
		PerDay:     m.seen.spans[2].most,
		Concurrent: m.mostOpen,
	}
}

// meter measures requests and holds them to the plan. The server's mutex guards it; times count from the server's start.
type meter struct {
	plan       Limits
	seen       slidingCount // all requests
	let        slidingCount // those that the plan let in
	open       int
	mostOpen   int
	active     int // of those let in
	refused    int
	deliveries int
}

func newMeter(plan Limits) meter {
	return meter{plan: plan, seen: newSlidingCount(), let: newSlidingCount()}
}

func (m *meter) arrive(now time.Duration) {
	m.seen.add(now)
	m.open++
	m.mostOpen = max(m.mostOpen, m.open)
}

// leave notes the end of a request.
func (m *meter) leave(admitted bool) {
	m.open--
	if admitted {
		m.active--
	}
}

// admit lets a request in, or says how long until it would.
func (m *meter) admit(now time.Duration) (time.Duration, bool) {
	if m.plan != (Limits{}) {
		var wait time.Duration
		for i, limit := range m.windows() {
			if limit > 0 && m.let.count(i, now) >= limit {
				wait = max(wait, m.let.freeIn(i, limit, now))
			}
		}
		if m.plan.Concurrent > 0 && m.active >= m.plan.Concurrent {
			wait = max(wait, time.Second) // nobody knows when one of them ends
		}
		if wait > 0 {
			m.refused++
			return wait, false
		}
		m.let.add(now)
	}
	m.active++
	return 0, true
}

// headers describe the shortest window that is limited, nil if none is.
func (m *meter) headers(t time.Time, now time.Duration) http.Header {
	for i, limit := range m.windows() {
		if limit == 0 {
			continue
		}
		reset := t.Add(m.let.freeIn(i, 0, now))
		if reset.Nanosecond() > 0 {
			reset = reset.Add(time.Second) // rounded up: never too early
		}
		return http.Header{
			"X-Ratelimit-Limit":     {strconv.Itoa(limit)},
			"X-Ratelimit-Remaining": {strconv.Itoa(max(0, limit-m.let.count(i, now)))},
			"X-Ratelimit-Reset":     {strconv.FormatInt(reset.Unix(), 10)},
		}
	}
	return nil
}

func (m *meter) windows() [3]int { return [3]int{m.plan.PerMinute, m.plan.PerHour, m.plan.PerDay} }

// slidingCount counts events in the last minute, hour and day, exactly. An event counts until one span after it, not
// including that moment. Each costs eight bytes for a day.
type slidingCount struct {
	times []time.Duration
	gone  int // how many were dropped in front of times
	spans [3]slidingSpan
}

type slidingSpan struct {
	length time.Duration
	first  int // number of the oldest event that counts
	most   int
}

func newSlidingCount() slidingCount {
	return slidingCount{spans: [3]slidingSpan{{length: time.Minute}, {length: time.Hour}, {length: 24 * time.Hour}}}
}

func (c *slidingCount) add(now time.Duration) {
	c.times = append(c.times, now)
	for i := range c.spans {
		n := c.count(i, now)
		c.spans[i].most = max(c.spans[i].most, n)
	}
	if old := c.spans[2].first - c.gone; old > 1024 && old > len(c.times)/2 {
		c.times = append(c.times[:0], c.times[old:]...)
		c.gone += old
	}
}

func (c *slidingCount) count(i int, now time.Duration) int {
	w := &c.spans[i]
	end := c.gone + len(c.times)
	for w.first < end && c.times[w.first-c.gone] <= now-w.length {
		w.first++
	}
	return end - w.first
}

// freeIn says how long until fewer than limit events count; a limit of 0 asks for the oldest of them to leave.
func (c *slidingCount) freeIn(i, limit int, now time.Duration) time.Duration {
	n := c.count(i, now)
	w := c.spans[i]
	if n == 0 {
		return w.length
	}
	at := w.first
	if limit > 0 {
		at = c.gone + len(c.times) - limit
	}
	return c.times[at-c.gone] + w.length - now
}
