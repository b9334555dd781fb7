package fleet

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The limits of PostgreSQL's numeric, which jsonb keeps numbers as.
const (
	maxBeforePoint = 131072    // digits
	maxAfterPoint  = 16383     // digits
	maxExponent    = 1<<30 - 1 // at which not even zero is read
)

// lenEscape is the length of an escape such as \u0041.
const lenEscape = 6

// checkJSON says why PostgreSQL cannot keep a text as jsonb. Beyond the syntax
// it refuses NUL, surrogates that are not a pair, and numbers out of its range,
// all of which JSON allows.
func checkJSON(text []byte) error {
	switch {
	case !json.Valid(text):
		return errors.New("it is not JSON")
	case !utf8.Valid(text):
		return errors.New("it is not UTF-8")
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end, err := checkString(text, i+1)
			if err != nil {
				return err
			}
			i = end
		case c == '-' || '0' <= c && c <= '9':
			end := i
			for end < len(text) && strings.IndexByte("+-.0123456789Ee", text[end]) >= 0 {
				end++
			}
			if err := checkNumber(string(text[i:end])); err != nil {
				return err
			}
			i = end
		default:
			i++
		}
	}
	return nil
}

// checkString checks the escapes of a valid string whose text begins at i, and
// returns where it has ended.
func checkString(text []byte, i int) (end int, err error) {
	for text[i] != '"' {
		switch {
		case text[i] != '\\':
			i++
			continue
		case text[i+1] != 'u':
			i += 2
			continue
		}
		unit := codeUnit(text[i:])
		i += lenEscape
		switch {
		case unit == 0:
			return 0, errors.New(`it holds the NUL character, \u0000, which PostgreSQL cannot keep`)
		case !utf16.IsSurrogate(unit):
		case text[i] == '\\' && text[i+1] == 'u' && utf16.DecodeRune(unit, codeUnit(text[i:])) != utf8.RuneError:
			i += lenEscape
		default:
			return 0, errors.New("it holds half of a surrogate pair, which PostgreSQL cannot keep")
		}
	}
	return i + 1, nil
}

// codeUnit reads the escape that a text begins with.
func codeUnit(text []byte) rune {
	unit, _ := strconv.ParseUint(string(text[len(`\u`):lenEscape]), 16, 16)
	return rune(unit)
}

// checkNumber refuses a valid number that jsonb does not take.
func checkNumber(number string) error {
	mantissa, exponent := strings.TrimPrefix(strings.ToLower(number), "-"), 0
	if before, after, found := strings.Cut(mantissa, "e"); found {
		n, err := strconv.Atoi(after)
		if err != nil || n >= maxExponent || n <= -maxExponent {
			return errOutOfRange
		}
		mantissa, exponent = before, n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if len(fraction)-exponent > maxAfterPoint {
		return errOutOfRange
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits != "" && len(digits)-len(fraction)+exponent > maxBeforePoint {
		return errOutOfRange
	}
	return nil
}

var errOutOfRange = errors.New("it holds a number that is out of PostgreSQL's range")
