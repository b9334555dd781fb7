package budget

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

const maxFigure = 1_000_000_000 // a larger one in a header is nonsense

// RateInfo is what an attempt taught about the key's budget.
type RateInfo struct {
	// Sent says that the request, or a part of it, may have reached the
	// service. Without it and without a StatusCode nothing is counted.
	Sent       bool
	StatusCode int // 0 when no answer came

	// A negative limit or remainder means that the key is not limited: then none
	// of these figures counts.
	Limit        int       // X-RateLimit-Limit; 0 when absent or nonsense
	Remaining    int       // X-RateLimit-Remaining
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
	limit, _ := parseFigure(h.Get("X-RateLimit-Limit"), maxFigure)
	remaining, left := parseFigure(h.Get("X-RateLimit-Remaining"), maxFigure)
	if limit >= 0 && remaining >= 0 { // a negative one means not limited
		info.Limit, info.Remaining, info.HasRemaining = int(limit), int(remaining), left
	}
	if n, ok := parseFigure(h.Get("X-RateLimit-Reset"), 1<<36); ok && n > 0 {
		info.Reset = time.Unix(n, 0)
	}
	return info
}

// parseFigure reads a whole number of at most limit, or any negative one as -1.
// Anything else is absent, and zero.
func parseFigure(s string, limit int64) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	switch {
	case n < 0:
		return -1, true // however far below zero
	case err != nil || n > limit:
		return 0, false
	}
	return n, true
}

// answer is what the meter has to know. A reset is by the service's clock, and so
// it is read against the service's own date.
func (i RateInfo) answer(jitter float64) rate.Answer {
	a := rate.Answer{Refused: i.StatusCode == http.StatusTooManyRequests, RetryAfter: millis(i.RetryAfter), Jitter: jitter}
	if !i.HasRemaining || i.Reset.IsZero() {
		return a
	}
	served := i.Date
	if served.IsZero() {
		served = time.Now()
	}
	a.Reset, a.Remaining, a.Limit = millis(i.Reset.Sub(served)), i.Remaining, i.Limit
	return a
}

// millis rounds up, away from zero, so that what is there does not vanish.
func millis(d time.Duration) rate.Millis {
	m := rate.Millis(d / time.Millisecond)
	if d > 0 && d%time.Millisecond > 0 {
		m++
	}
	return m
}
