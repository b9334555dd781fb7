// Package redact keeps secrets out of what is printed. A [Secret] cannot be printed
// at all. A [Redactor] takes the key, and the queries and users of URLs, out of a
// text or an error that came from elsewhere: a transport, for example, may quote a
// proxy's URL with its password, and an answer may echo the key. [Line] makes such a
// text fit for one line of a log.
package redact

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Secret is a text that fmt cannot print, however deep it looks.
type Secret func() string

// Keep makes a secret of a text.
func Keep(s string) Secret { return func() string { return s } }

var (
	// Inside quotes a URL goes on to the closing one, even if it cannot be parsed.
	urlQuery = pattern(`(?i)("https?://[^?"]*)\?[^"]*|(https?://[^\s?"'<>]*)\?[^\s"'<>]*`)
	urlUser  = pattern(`(?i)("[a-z][a-z0-9+.-]*://)[^"]*@|([a-z][a-z0-9+.-]*://)[^\s"'<>]*@`)
)

// pattern compiles an expression when it is used for the first time, so that the start of a program does not wait for it.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Redactor removes the key, and the secrets of every URL, from a text that came
// from elsewhere.
type Redactor func(string) string

// New makes the redactor of a key, and of secrets that may stand in a URL's path.
func New(key string, secrets ...string) Redactor {
	secrets = slices.Clone(secrets)
	return func(s string) string {
		for _, secret := range secrets {
			for _, text := range []string{secret, url.PathEscape(secret)} {
				s = strings.ReplaceAll(s, text, "[secret]")
			}
		}
		if key != "" && strings.Contains(s, key) {
			s = strings.ReplaceAll(s, key, "[key]")
		}
		return URLs(s)
	}
}

// URLs removes the query and the user of every URL in a text.
func URLs(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return urlUser().ReplaceAllString(urlQuery().ReplaceAllString(s, "$1$2?[query]"), "$1$2[user]@")
}

// redactedError is an error from elsewhere, such as a transport, with a text that
// is safe to print. What it wraps is still found by [errors.Is].
type redactedError struct {
	error
	text string
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.error }

// Error makes an error safe to print. One that is safe already is returned as it is.
func (r Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	safe := Line(r(text), 1024)
	if safe == text {
		return err
	}
	return &redactedError{err, safe}
}

// Line makes a foreign text fit for a log line: at most about limit bytes of valid
// UTF-8 without control characters.
func Line(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

// StripURL removes the *url.Error around err, which would print the URL.
func StripURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
