package lenient

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON is what a text holds besides a byte order mark, in UTF-8.
func JSON(raw []byte) []byte {
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return raw[3:]
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return fromUTF16(raw[2:], binary.LittleEndian)
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return fromUTF16(raw[2:], binary.BigEndian)
	}
	return raw
}

func fromUTF16(raw []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

var errNotObject = errors.New("no JSON object")

// Valid fails with the place of the first fault where raw is no JSON. Nothing
// is copied.
func Valid(raw []byte) error {
	if json.Valid(raw) {
		return nil
	}
	return json.Unmarshal(raw, new(json.RawMessage))
}

// Object is a JSON object; anything else is an empty one. Its values are parts
// of raw.
func Object(raw json.RawMessage) map[string]json.RawMessage {
	raw = JSON(raw)
	if !json.Valid(raw) {
		return nil
	}
	return object(raw)
}

// object is Object of what is known to be valid.
func object(raw json.RawMessage) map[string]json.RawMessage {
	if !isObject(raw) {
		return nil
	}
	members := make(map[string]json.RawMessage)
	Members(raw, func(name string, value json.RawMessage) { members[name] = value })
	return members
}

// Unwrap returns the object in data, or the one in its envelope: an object
// that has a result and none of the keys that make it the object itself.
func Unwrap(data []byte, keys ...string) (map[string]json.RawMessage, error) {
	data = JSON(data)
	if err := Valid(data); err != nil {
		return nil, err
	}
	top := object(data)
	if top == nil {
		return nil, errNotObject
	}
	for _, key := range keys {
		if Present(top[key]) {
			return top, nil
		}
	}
	if inner := object(top["result"]); inner != nil {
		return inner, nil
	}
	return top, nil
}

// Present reports whether a value is there and not null.
func Present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func isObject(raw []byte) bool {
	raw = trim(raw)
	return len(raw) > 0 && raw[0] == '{'
}

func isArray(raw []byte) bool {
	raw = trim(raw)
	return len(raw) > 0 && raw[0] == '['
}

// Members calls f with each member of an object, in order. raw must be valid
// JSON; what is no object has none.
func Members(raw json.RawMessage, f func(name string, value json.RawMessage)) {
	if !isObject(raw) {
		return
	}
	rest := trim(raw)[1:]
	for {
		rest = trim(rest)
		if len(rest) == 0 || rest[0] == '}' {
			return
		}
		end := valueEnd(rest)
		name := Unquote(rest[:end])
		rest = trim(rest[end:])[1:] // the colon
		rest = trim(rest)
		end = valueEnd(rest)
		f(name, json.RawMessage(rest[:end:end]))
		rest = afterComma(rest[end:])
	}
}

// Elements calls f with each element of an array and returns how many there
// are. raw must be valid JSON; what is no array has none. f may be nil.
func Elements(raw json.RawMessage, f func(value json.RawMessage)) (n int) {
	if !isArray(raw) {
		return 0
	}
	for rest := trim(raw)[1:]; ; n++ {
		rest = trim(rest)
		if len(rest) == 0 || rest[0] == ']' {
			return n
		}
		end := valueEnd(rest)
		if f != nil {
			f(json.RawMessage(rest[:end:end]))
		}
		rest = afterComma(rest[end:])
	}
}

func afterComma(rest []byte) []byte {
	rest = trim(rest)
	if len(rest) > 0 && rest[0] == ',' {
		return rest[1:]
	}
	return rest
}

func trim(raw []byte) []byte {
	for len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\n' || raw[0] == '\t' || raw[0] == '\r') {
		raw = raw[1:]
	}
	return raw
}

// valueEnd is where the value ends with which raw, valid JSON, begins.
func valueEnd(raw []byte) int {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i // of the object around it
			}
			depth--
		case ',', ' ', '\n', '\t', '\r', ':':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue // within a number or a literal
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(raw)
}

// stringEnd is where the string's closing quote stands that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}

// Unquote is the content of a JSON string; anything else is empty.
func Unquote(raw json.RawMessage) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Text is the first of the values that is a JSON string and not blank.
func Text(values ...json.RawMessage) string {
	for _, raw := range values {
		if s := Unquote(bytes.TrimSpace(raw)); strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}
