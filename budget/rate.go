package budget

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

const (
	maxStop    = 15 * time.Minute // the longest stop after a 429, jitter included
	firstStop  = 10 * time.Second // where a 429 does not say; doubles while they keep coming
	maxHorizon = 25 * time.Hour   // a reset further ahead is nonsense
	maxFigure  = 1_000_000_000
)

// RateInfo is what an attempt taught about the key's budget.
type RateInfo struct {
	// Sent says that the request, or a part of it, may have reached the
	// service. Without it and without a StatusCode nothing is counted.
	Sent       bool
	StatusCode int // 0 when no answer came

	Limit        int       // X-RateLimit-Limit; 0 when absent or nonsense
	Remaining    int       // X-RateLimit-Remaining, at least 0
	HasRemaining bool      // tells a Remaining of 0 from none
	Reset        time.Time // X-RateLimit-Reset by the service's clock; zero when absent
	Date         time.Time // the service's clock; zero when absent

	RetryAfter time.Duration // 0 when absent
}

// ParseRateInfo reads an answer's headers; figures that make no sense count as
// absent.
func ParseRateInfo(h http.Header, status int, now time.Time) RateInfo {
	info := RateInfo{Sent: true, StatusCode: status}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		info.Date, now = date, date // a Retry-After date is by the service's clock too
	}
	if after, ok := lenient.RetryAfter(h.Get("Retry-After"), now); ok {
		info.RetryAfter = max(0, after)
	}
	if n, ok := parseFigure(h.Get("X-RateLimit-Limit"), maxFigure); ok {
		info.Limit = max(0, int(n))
	}
	if n, ok := parseFigure(h.Get("X-RateLimit-Remaining"), maxFigure); ok {
		info.Remaining, info.HasRemaining = max(0, int(n)), true
	}
	if n, ok := parseFigure(h.Get("X-RateLimit-Reset"), 1<<36); ok && n > 0 {
		info.Reset = time.Unix(n, 0)
	}
	return info
}

func parseFigure(s string, limit int64) (int64, bool) {
	if s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil && n >= -limit && n <= limit
}

// learn takes in what the answer to p said.
func (b *Key) learn(p *permit, info RateInfo, now time.Duration) {
	if info.StatusCode == http.StatusTooManyRequests {
		b.refused(p, info.RetryAfter, now)
	}
	if !info.HasRemaining || info.Reset.IsZero() {
		return
	}
	served := info.Date
	if served.IsZero() {
		served = time.Now()
	}
	ahead := info.Reset.Sub(served)
	if ahead <= 0 || ahead > maxHorizon {
		return
	}
	// A twentieth is left for whoever else uses the key, and requests still in
	// flight may not have been counted yet.
	remaining := max(0, info.Remaining)
	q := quota{until: now + ahead, left: remaining - remaining/20 - b.inFlight, total: max(info.Limit, remaining)}
	slot := &b.quotas[0]
	if ahead > 2*time.Minute {
		slot = &b.quotas[1] // the figures of a day must not push out those of a minute
	}
	if now < slot.until && (q.until-slot.until).Abs() <= 2*time.Second {
		// The same window. Answers overtake each other: the lower figure is the later one.
		q.left = min(q.left, slot.left)
	}
	if q.scarce() {
		q.next = slot.next
	}
	*slot = q
}

// throttle is what 429s have done.
type throttle struct {
	until  time.Duration // nobody sends before
	number uint64        // the last grant before the minute was halved: later 429s up to it are of the same burst
	stops  int           // bursts without a quiet minute between them
	low    int           // the minute's limit at quiet; 0: not lowered
	base   int           // what it climbs back to
	quiet  time.Duration // since when no 429 has come, the stop not counted
}

func (b *Key) refused(p *permit, after, now time.Duration) {
	t := &b.throttle
	if p.number > t.number {
		if now >= t.quiet+time.Minute {
			t.stops = 0
		}
		if after <= 0 {
			after = firstStop << min(t.stops, 10)
		}
		t.stops++
		t.number = b.granted
		b.halve(now)
	} else if t.lowered(now) {
		t.low += t.climbed(now) // it climbs on from here
	} else {
		t.low = 0
	}
	if after > 0 {
		after = min(after, maxStop)
		t.until = max(t.until, now+min(after+rand.N(after/10+1), maxStop))
	}
	t.quiet = max(now, t.until)
	b.unkept = true
	b.recheck(now)
}

func (b *Key) halve(now time.Duration) {
	t, minute := &b.throttle, &b.windows[0]
	low := t.low + t.climbed(now)
	if !t.lowered(now) {
		t.base = minute.limit
		if t.base == 0 {
			// Not limited: what went out in the last minute was too much.
			t.base = max(2, minute.sum+b.inFlight)
		}
		low = t.base
	}
	t.low = max(1, low/2)
}

// lowered says whether the minute is still below what it was.
func (t *throttle) lowered(at time.Duration) bool {
	return t.low > 0 && t.low+t.climbed(at) < t.base
}

// limit is the minute's limit at a time, where full is the one without 429s.
func (t *throttle) limit(at time.Duration, full int) int {
	if !t.lowered(at) {
		return full
	}
	return t.low + t.climbed(at)
}

func (t *throttle) climbed(at time.Duration) int {
	return max(0, int((at-t.quiet)/time.Minute)) * ((t.base + 9) / 10)
}

func (t *throttle) nextRise(now time.Duration) time.Duration {
	rises := max(0, int((now-t.quiet)/time.Minute))
	return t.quiet + time.Duration(rises+1)*time.Minute
}
