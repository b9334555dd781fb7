package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text is the first of the values that is a JSON string and not blank.
func Text(values ...json.RawMessage) string {
	for _, raw := range values {
		var s string
		if json.Unmarshal(raw, &s) == nil && strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}

// FirstScalar is the first of the values that Scalar can read.
func FirstScalar(values ...json.RawMessage) string {
	for _, raw := range values {
		if s := Scalar(raw); s != "" {
			return s
		}
	}
	return ""
}

// Object decodes a JSON object; anything else is an empty one.
func Object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// Scalar returns a JSON string or number as text, for the service uses either.
func Scalar(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case c == '-' || c >= '0' && c <= '9':
		return string(raw)
	}
	return ""
}

var errNotObject = errors.New("no JSON object")

// Unwrap returns the object in data, or the one in its envelope: an object
// that has a result and none of the keys that make it the object itself.
func Unwrap(data []byte, keys ...string) (map[string]json.RawMessage, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, err
	}
	if top == nil {
		return nil, errNotObject
	}
	for _, key := range keys {
		if Present(top[key]) {
			return top, nil
		}
	}
	if inner := Object(top["result"]); inner != nil {
		return inner, nil
	}
	return top, nil
}

// Present reports whether a value is there and not null.
func Present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// Number reads a JSON number, or a string that holds one; anything else is 0.
func Number(raw json.RawMessage) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(Scalar(raw)), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// Seconds reads a number of seconds. It keeps the sign, for a reversed or
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
