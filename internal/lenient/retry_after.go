package lenient

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads a number of seconds, of which a fraction rounds up, or a date,
// relative to now unless that is zero. What is negative, or no time at all, is not
// ok; what is absurd is a year.
func RetryAfter(value string, now time.Time) (time.Duration, bool) {
	const most = 365 * 24 * time.Hour
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if whole, fraction, isNumber := cutNumber(value); isNumber {
		n, err := strconv.ParseUint(whole, 10, 63)
		if err != nil || n >= uint64(most/time.Second) {
			return most, true
		}
		if strings.Trim(fraction, "0") != "" {
			n++ // asking too early is refused again
		}
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if now.IsZero() {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), most), true
}

// cutNumber splits digits from a fraction, which some servers send.
func cutNumber(s string) (whole, fraction string, ok bool) {
	whole, fraction, _ = strings.Cut(s, ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if whole == "" && fraction != "" {
		whole = "0"
	}
	return whole, fraction, whole != "" && digits(whole) && digits(fraction)
}

// AnswerTime is the answer's own clock, so that a date in it is not read
// against ours; zero when it has none.
func AnswerTime(header http.Header) time.Time {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}
