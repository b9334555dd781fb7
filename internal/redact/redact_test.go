package redact_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/redact"
)

const key = "sk_live_0123456789"

func TestWhatIsSecretInATextIsReplaced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"nothing of the kind", "nothing of the kind"},
		{"the key " + key + ", twice: " + key, "the key [key], twice: [key]"},
		{"see https://x.example/a?sig=1&b=2 and more", "see https://x.example/a?[query] and more"},
		{`Get "https://x.example/a b?sig=1 2": refused`, `Get "https://x.example/a b?[query]": refused`},
		{"socks5://me:pass@proxy:1 is down", "socks5://[user]@proxy:1 is down"},
		{`parse "http://me:pa ss@proxy": invalid`, `parse "http://[user]@proxy": invalid`},
		{"HTTPS://X.EXAMPLE/?A", "HTTPS://X.EXAMPLE/?[query]"},
	} {
		assert.Equal(t, tt.want, redact.New(key)(tt.text), tt.text)
	}
	assert.Equal(t, key, redact.New("")(key), "no key is no secret")
}

func TestARedactedErrorIsStillTheErrorItWas(t *testing.T) {
	t.Parallel()
	cause := errors.New("refused with " + key)
	err := redact.New(key).Error(fmt.Errorf("cannot send: %w", cause))
	require.ErrorIs(t, err, cause)
	assert.Equal(t, "cannot send: refused with [key]", err.Error())
	harmless := errors.New("refused")
	assert.Same(t, harmless, redact.New(key).Error(harmless))
	require.NoError(t, redact.New(key).Error(nil))
	assert.Less(t, len(redact.New(key).Error(errors.New(strings.Repeat("x", 1<<20))).Error()), 2000)
}

func TestALineHasNoControlCharactersAndAnEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"  plain  ", "plain"},
		{"two\r\nlines", "two  lines"},
		{"\x1b[31mred", "[31mred"},
		{"not\xff UTF-8", "not UTF-8"},
		{"0123456789abcdef", "0123456789ab..."},
	} {
		assert.Equal(t, tt.want, redact.Line(tt.text, 12), "%q", tt.text)
	}
}

func TestASecretCannotBePrinted(t *testing.T) {
	t.Parallel()
	holder := struct{ Key redact.Secret }{redact.Keep(key)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		assert.NotContains(t, fmt.Sprintf(verb, holder), key)
	}
	assert.Equal(t, key, holder.Key())
}

func TestTheURLAroundAnErrorIsRemoved(t *testing.T) {
	t.Parallel()
	cause := errors.New("refused")
	assert.Equal(t, cause, redact.StripURL(&url.Error{Op: "Get", URL: "https://x.example/?sig=1", Err: cause}))
	assert.Equal(t, cause, redact.StripURL(cause))
}
