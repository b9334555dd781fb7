package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// busy is a view of an upload in the middle of a run.
func busy(now time.Time) *view {
	v := &view{count: 14, total: 200, started: now.Add(-time.Minute), moved: now}
	v.sending("1", "calls/2026/monday/人と話す recording of the morning.wav", 40, 80)
	v.sending("2", "b.wav", 20, -1)
	v.ends, v.failed, v.done = 4, 1, 80
	for _, u := range v.uploads {
		u.began = now.Add(-10 * time.Second)
	}
	v.moved = now
	v.status = status{text: "3 transcribing, next look in 4 s"}
	return v
}

func TestNoLineOfTheFrameReachesTheTerminalsEdge(t *testing.T) {
	t.Parallel()
	now := time.Now()
	v := busy(now)
	v.status = status{"unreachable", "http://127.0.0.1:1 does not answer: connection refused; next try in 12 s; scriptix doctor checks it"}
	for width := 12; width <= 220; width++ {
		for _, line := range v.lines(now, width, 24) {
			assert.Less(t, cells(line), width, "%d: %q", width, line)
			assert.NotContains(t, line, "\x1b", "there is no colour to be turned off")
		}
	}
}

func TestTheFrameFitsNarrowAndWideTerminals(t *testing.T) {
	t.Parallel()
	now := time.Now()
	narrow := busy(now).lines(now, 40, 24)
	require.Len(t, narrow, 4)
	assert.Regexp(t, `^\S+.*….*wav +\[=+> +\]  50%$`, narrow[0])
	assert.Regexp(t, `^3/14, 1 failed +\[=+> +\]  40%$`, narrow[2])
	assert.Equal(t, "3 transcribing, next look in 4 s", narrow[3])
	wide := busy(now).lines(now, 200, 24)
	assert.Regexp(t, `^b.wav +\[> +\] +2 B/s$`, wide[1])
	assert.Regexp(t, `^3 of 14 done, 1 failed +\[=+> +\]  40% +90 s left$`, wide[2])
}

func TestManyUploadsLeaveRoomForTheRest(t *testing.T) {
	t.Parallel()
	v := &view{count: 30, total: 100}
	for i := range 20 {
		v.sending(strings.Repeat("x", i+1), "a.wav", 1, 2)
	}
	list := v.lines(time.Now(), 80, 12)
	assert.LessOrEqual(t, len(list), 12)
	assert.Contains(t, strings.Join(list, "\n"), "and 14 other uploads")
}

func TestAnEstimateDoesNotGrowWhileNothingHappens(t *testing.T) {
	t.Parallel()
	now := time.Now()
	v := busy(now)
	assert.Equal(t, "90 s left", v.estimate(now))
	assert.Empty(t, v.estimate(now.Add(6*time.Second)), "the status says what is waited for")
	v.status.obstacle = "unreachable"
	assert.Empty(t, v.estimate(now))
}

func TestSizesAndWaitsAreInUnitsThatPeopleUse(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 844: "844 B", 1644: "1.6 KB", 999_900: "1.0 MB", 12_345_678: "12 MB", 5_000_000_000: "5.0 GB", -1: "of unknown size"} {
		assert.Equal(t, want, bytesText(n))
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 2100 * time.Millisecond: "2.1 s", 12 * time.Second: "12 s", 90 * time.Second: "90 s", 5 * time.Minute: "5 min", 125 * time.Minute: "2 h 5 min", 3 * time.Hour: "3 h",
	} {
		assert.Equal(t, want, durationText(d))
	}
	for d, want := range map[time.Duration]string{0: "0 h", time.Second: "less than 0.01 h", 90 * time.Minute: "1.50 h", 30 * time.Hour: "30 h"} {
		assert.Equal(t, want, hoursText(d))
	}
	assert.Equal(t, "0 h of audio and 2 recordings of unknown length", hours{unknown: 2}.String())
}

func TestALongTextIsBrokenAtItsBlanks(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"one two", "three"}, wrapped("one two three", 8, 3))
	assert.Equal(t, []string{"one two", "thre…our"}, wrapped("one two three four", 8, 2))
	assert.Empty(t, wrapped("", 8, 2))
}

func TestTheBarForTheWholeCountsRecordingsOfUnknownSize(t *testing.T) {
	t.Parallel()
	now := time.Now()
	v := busy(now)
	v.total = -2
	lines := v.lines(now, 100, 24)
	assert.Regexp(t, `^3 of 14 done, 1 failed +\[=+> +\]  28%\s*$`, lines[2])
}
