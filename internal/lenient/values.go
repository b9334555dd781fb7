package lenient

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// FirstScalar is the first of the values that Scalar can read.
func FirstScalar(values ...json.RawMessage) string {
	for _, raw := range values {
		if s := Scalar(raw); s != "" {
			return s
		}
	}
	return ""
}

// Scalar returns a JSON string or number as text, because the service uses
// either.
func Scalar(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '"':
		return Unquote(raw)
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return string(raw)
	}
	return ""
}

// ID is the first of the values that is an identifier: a string that is not
// blank, or a number, written as a whole one however it came, as 456.0 or 1e3.
func ID(values ...json.RawMessage) string {
	for _, raw := range values {
		s := strings.TrimSpace(Scalar(raw))
		if s == "" {
			continue
		}
		if raw = bytes.TrimSpace(raw); raw[0] != '"' {
			s = whole(s)
		}
		return s
	}
	return ""
}

// whole writes a JSON number without fraction and exponent where it has the
// value of a whole number of up to 40 digits.
func whole(number string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	digits, fraction, _ := strings.Cut(mantissa, ".")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -40 || shift > 40 {
			return number
		}
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	all, point := digits+fraction, len(digits)+shift
	if point > 40 || len(all) > 80 {
		return number
	}
	if missing := point - len(all); missing > 0 {
		all += strings.Repeat("0", missing)
	}
	if point = max(point, 0); strings.Trim(all[point:], "0") != "" {
		return number // it has a fraction
	}
	all = strings.TrimLeft(all[:point], "0")
	if all == "" {
		return "0"
	}
	return sign + all
}

// Number reads a JSON number, or a string that holds one; anything else is 0.
func Number(raw json.RawMessage) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(Scalar(raw)), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// Seconds reads a number of seconds. It keeps the sign, because a reversed or
// negative time is the service's to explain, and saturates.
func Seconds(raw json.RawMessage) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	f := Number(raw)
	if math.Abs(f) >= most {
		f = math.Copysign(most, f)
	}
	return time.Duration(math.Round(f * float64(time.Second)))
}

// Percent reads a number between 0 and 100.
func Percent(raw json.RawMessage) int { return int(min(max(Number(raw), 0), 100)) }

// Timestamp reads an RFC 3339 time; anything else is zero.
func Timestamp(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339, Text(raw))
	if err != nil {
		return time.Time{}
	}
	return t
}
