package scriptix

import (
	"net/http"

	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// What only tests see.

// DecodeError decodes an error's body without a server, for the fuzzer.
func DecodeError(status int, body []byte, key string) *Error {
	return decodeError(status, http.Header{}, body, redact.New(key))
}

// WithChunkSize makes chunks small enough for tests of many.
func WithChunkSize(n int64) Option {
	return func(c *config) error {
		c.chunkSize = n
		return nil
	}
}

// WithAtHand makes the bound of large answers that are decoded at once small.
func WithAtHand(n int64) Option {
	return func(c *config) error {
		c.atHand = n
		return nil
	}
}
