package budget

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parser is not exported, and its faults hide behind a budget that ignores
// what it cannot use.
func TestRateHeadersThatMakeNoSenseAreAbsent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	in := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for name, test := range map[string]struct {
		limit, remaining, reset, after, date string
		want                                 RateInfo
	}{
		"nothing":            {want: RateInfo{}},
		"all of them":        {"60", "59", in(time.Minute), "30", now.UTC().Format(http.TimeFormat), RateInfo{Limit: 60, Remaining: 59, HasRemaining: true, Reset: now.Add(time.Minute), RetryAfter: 30 * time.Second, Date: now}},
		"spaces":             {limit: " 60 ", remaining: "\t0", want: RateInfo{Limit: 60, HasRemaining: true}},
		"negative":           {limit: "-1", remaining: "-5", reset: "-5", after: "-5", want: RateInfo{}},
		"a negative limit":   {limit: "-1", remaining: "0", reset: in(time.Minute), want: RateInfo{Reset: now.Add(time.Minute)}},
		"far below zero":     {limit: "-99999999999999999999", remaining: "0", reset: in(time.Minute), want: RateInfo{Reset: now.Add(time.Minute)}},
		"a negative rest":    {limit: "60", remaining: "-1", reset: in(time.Minute), want: RateInfo{Reset: now.Add(time.Minute)}},
		"too large":          {limit: "99999999999999999999", remaining: "9223372036854775807", reset: "9223372036854775807", want: RateInfo{}},
		"not a number":       {limit: "NaN", remaining: "Inf", reset: "soon", after: "later", date: "today", want: RateInfo{}},
		"fractions":          {limit: "1.5", remaining: "1e3", reset: "1700000000.5", want: RateInfo{}},
		"other notations":    {limit: "0x10", remaining: "1_000", reset: "60, 60;w=60", want: RateInfo{}},
		"a date to wait for": {after: now.Add(time.Hour + time.Minute).UTC().Format(http.TimeFormat), date: now.Add(time.Hour).UTC().Format(http.TimeFormat), want: RateInfo{RetryAfter: time.Minute, Date: now.Add(time.Hour)}},
		"a date long gone":   {after: now.Add(-time.Hour).UTC().Format(http.TimeFormat), want: RateInfo{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for key, v := range map[string]string{"X-RateLimit-Limit": test.limit, "X-RateLimit-Remaining": test.remaining,
				"X-RateLimit-Reset": test.reset, "Retry-After": test.after, "Date": test.date} {
				if v != "" {
					h.Set(key, v)
				}
			}
			got := ParseRateInfo(h, 429, now)
			assert.True(t, test.want.Reset.Equal(got.Reset), "reset %v", got.Reset)
			assert.True(t, test.want.Date.Equal(got.Date), "date %v", got.Date)
			test.want.Sent, test.want.StatusCode, test.want.Reset, test.want.Date = true, 429, got.Reset, got.Date
			assert.Equal(t, test.want, got)
		})
	}
}

func FuzzRateHeaders(f *testing.F) {
	f.Add("60", "59", "1700000060", "30", "Tue, 14 Nov 2023 22:13:20 GMT", 429)
	f.Add("-1", "99999999999999999999", "NaN", "Tue, 14 Nov 2023 22:13:20 GMT", "", 200)
	f.Add("", "-9223372036854775808", "9223372036854775807", "9223372036854775807", "Mon, 01 Jan 0001 00:00:00 GMT", 429)
	f.Fuzz(func(t *testing.T, limit, remaining, reset, after, date string, status int) {
		now := time.Now()
		info := ParseRateInfo(http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining},
			"X-Ratelimit-Reset": {reset}, "Retry-After": {after}, "Date": {date}}, status, now)
		require.True(t, info.Sent)
		require.GreaterOrEqual(t, info.Limit, 0)
		require.GreaterOrEqual(t, info.Remaining, 0)
		require.GreaterOrEqual(t, info.RetryAfter, time.Duration(0))

		// Whatever they say, the key is never dead for longer than 25 hours.
		b, err := New(PlanFree)
		require.NoError(t, err)
		p, err := b.Acquire(t.Context(), ClassPoll)
		require.NoError(t, err)
		p.Done(info)
		next := b.Snapshot().NextPoll
		require.False(t, next.Before(now))
		require.LessOrEqual(t, next.Sub(now), 25*time.Hour+time.Minute)
		require.LessOrEqual(t, b.Snapshot().Minute.Limit, PlanFree.PerMinute)
	})
}

// The timer is not to be seen from outside.
func TestNoTimerRunsWhileNobodyWaits(t *testing.T) {
	t.Parallel()
	b, err := New(Limits{PerMinute: 1})
	require.NoError(t, err)
	armed := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.wakeAt != notSet
	}
	p, err := b.Acquire(t.Context(), ClassPoll)
	require.NoError(t, err)
	p.Done(RateInfo{Sent: true})
	require.False(t, armed())
	_, w, err := b.enter(t.Context(), ClassPoll)
	require.NoError(t, err)
	require.True(t, armed())
	require.NotNil(t, b.quit(w), "it says where the waiter stood")
	require.False(t, armed())
	require.False(t, b.timer.Stop(), "it was stopped")
}
