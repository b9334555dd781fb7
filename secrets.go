package scriptix

import (
	"regexp"
	"strings"
	"unicode"
)

// secret is a text that fmt cannot print, however deep it looks.
type secret func() string

func keep(s string) secret { return func() string { return s } }

var (
	// In quotes a URL goes on to their end, one that cannot be parsed too.
	urlQuery = regexp.MustCompile(`(?i)("https?://[^?"]*)\?[^"]*|(https?://[^\s?"'<>]*)\?[^\s"'<>]*`)
	urlUser  = regexp.MustCompile(`(?i)("[a-z][a-z0-9+.-]*://)[^"]*@|([a-z][a-z0-9+.-]*://)[^\s"'<>]*@`)
)

// hider returns what removes the key, and the secrets of every URL, from a text
// that came from elsewhere.
func hider(key string) func(string) string {
	return func(s string) string {
		if key != "" && strings.Contains(s, key) {
			s = strings.ReplaceAll(s, key, "[key]")
		}
		return hideURLs(s)
	}
}

// hideURLs removes the query and the user of every URL in a text.
func hideURLs(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	return urlUser.ReplaceAllString(urlQuery.ReplaceAllString(s, "$1$2?[query]"), "$1$2[user]@")
}

// quietError is an error of somebody else's with a text that is fit to be seen:
// that of a transport, say, which may quote a proxy's URL or the answer.
type quietError struct {
	error
	text string
}

func (e *quietError) Error() string { return e.text }

func (e *quietError) Unwrap() error { return e.error }

// quiet makes an error safe to print.
func (c *core) quiet(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	safe := clean(c.hide(text), 1024)
	if safe == text {
		return err
	}
	return &quietError{err, safe}
}

// clean makes a foreign text fit for a log line.
func clean(s string, limit int) string {
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
