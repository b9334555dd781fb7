package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/scriptix-io/scriptix-go"
)

// RefusedError is a locator that is not opened, whoever tries. Its recording is
// rejected without another try. [errors.Is] finds [scriptix.ErrAudio] in it.
type RefusedError struct {
	Locator string // without its query, which may hold a signature, and without a user's name and password
	Reason  string
}

// Error names the locator and why it is refused.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the source %q is refused: %s", e.Locator, e.Reason)
}

// Unwrap returns [scriptix.ErrAudio].
func (e *RefusedError) Unwrap() error { return scriptix.ErrAudio }

// refuse makes the error of a locator.
func refuse(locator, format string, args ...any) error {
	return &RefusedError{Locator: shown(locator), Reason: fmt.Sprintf(format, args...)}
}

// shown is a locator without what may be secret: its query, and a user's name
// and password. Of one that is no URL, so that nobody knows what in it is secret,
// the scheme is left.
func shown(locator string) string {
	whole := locator
	locator, _, _ = strings.Cut(locator, "?")
	scheme, rest, isURL := strings.Cut(locator, "://")
	if !isURL || schemeOf(locator) == "file" {
		return locator
	}
	if _, err := url.Parse(whole); err != nil {
		return scheme + "://..."
	}
	authority := rest
	if end := strings.IndexAny(rest, "/#"); end >= 0 {
		authority = rest[:end]
	}
	return scheme + "://" + rest[strings.LastIndexByte(authority, '@')+1:]
}

// schemeOf returns a locator's scheme, in lower case; "" when it has none.
func schemeOf(locator string) string {
	scheme, _, found := strings.Cut(locator, ":")
	if !found || scheme == "" {
		return ""
	}
	for i, c := range []byte(scheme) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return ""
		}
	}
	return strings.ToLower(scheme)
}

// checkLocator refuses what no worker could open, as far as that can be told
// without opening it. A process that does not work itself knows neither the
// workers' Root nor their Openers.
func (f *Fleet) checkLocator(locator string) error {
	const maxLocator = 8 << 10
	switch {
	case locator == "":
		return refuse(locator, "it is empty")
	case len(locator) > maxLocator:
		return refuse(locator[:100]+"...", "it has %d bytes, and at most %d are kept", len(locator), maxLocator)
	case !utf8.ValidString(locator) || hasNUL(locator):
		return refuse(locator, "it is not UTF-8 without NUL; percent-encode it")
	}
	scheme := schemeOf(locator)
	if f.options.Openers[scheme] != nil {
		return nil
	}
	switch scheme {
	case "":
		return refuse(locator, "it has no scheme, such as file: or https:")
	case "https":
		return checkHTTPS(locator)
	case "file":
		root := f.options.Root
		if root == "" && f.options.Client == nil {
			root = "/" // the workers have one
		}
		_, err := relativeTo(root, locator)
		return err
	}
	if f.options.Client == nil {
		return nil // the workers may have an opener
	}
	return refuse(locator, "nothing opens the scheme %q", scheme)
}

// checkHTTPS refuses a locator of the scheme https that cannot be opened, or
// that should not be stored.
func checkHTTPS(locator string) error {
	u, err := url.Parse(locator)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return refuse(locator, "it is not a URL with a host")
	}
	if u.User != nil {
		return refuse(locator, "it holds a user's name or a password, which would be stored; use a signed URL, or an Opener of your own")
	}
	if u.Fragment != "" {
		return refuse(locator, "it has a fragment")
	}
	return nil
}

// displayName is what people call a source, and what the service is told.
func displayName(locator string) string {
	rest := locator[strings.Index(locator, ":")+1:]
	if scheme := schemeOf(locator); scheme != "file" {
		rest, _, _ = strings.Cut(rest, "?")
		if host, isURL := strings.CutPrefix(rest, "//"); isURL {
			host, below, _ := strings.Cut(host, "/")
			rest = host[strings.LastIndexByte(host, '@')+1:] + "/" + below // without a password
		}
		if plain, err := url.PathUnescape(rest); err == nil {
			rest = plain
		}
	}
	return path.Base("/" + rest)
}

// newToken returns 128 random bits, because nobody must guess a token.
func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
