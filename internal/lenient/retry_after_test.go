package lenient_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

func TestRetryAfterIsReadInEveryForm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const year = 365 * 24 * time.Hour
	tests := []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"60", time.Minute, true},
		{" 60 ", time.Minute, true},
		{"0", 0, true},
		{"1.5", 2 * time.Second, true},
		{"1.9", 2 * time.Second, true},
		{"0.4", time.Second, true},
		{".4", time.Second, true},
		{"2.000", 2 * time.Second, true},
		{"0.0", 0, true},
		{"99999999999", year, true},
		{"99999999999999999999999999", year, true},
		{"Fri, 02 Jan 2026 03:05:05 GMT", time.Minute, true},
		{"Friday, 02-Jan-26 03:05:05 GMT", time.Minute, true},
		{"Fri Jan  2 03:05:05 2026", time.Minute, true},
		{"Fri, 02 Jan 2015 03:05:05 GMT", 0, true},
		{"Fri, 02 Jan 2999 03:05:05 GMT", year, true},
		{"-1", 0, false},
		{"", 0, false},
		{"soon", 0, false},
		{"NaN", 0, false},
		{".", 0, false},
		{"1e9", 0, false},
	}
	for _, tt := range tests {
		got, ok := lenient.RetryAfter(tt.value, now)
		assert.Equal(t, tt.ok, ok, tt.value)
		assert.Equal(t, tt.want, got, tt.value)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"60", "1.5", "Fri, 02 Jan 2026 03:05:05 GMT", "-1", "9999999999999", "0x10"} {
		f.Add(s)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := lenient.RetryAfter(value, now)
		require.GreaterOrEqual(t, got, time.Duration(0))
		require.LessOrEqual(t, got, 365*24*time.Hour)
		if !ok {
			require.Zero(t, got)
		}
		// The plain case against the plain way.
		if n, err := strconv.ParseUint(value, 10, 16); err == nil && !strings.ContainsAny(value, "+_") {
			require.True(t, ok)
			require.Equal(t, time.Duration(n)*time.Second, got)
		}
	})
}
