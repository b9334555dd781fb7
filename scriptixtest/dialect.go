package scriptixtest

import (
	"errors"
	"fmt"
	"time"
)

// A Dialect is an API that the service speaks, see [WithDialect].
type Dialect int

// The dialects.
const (
	STT         Dialect = iota // POST /api/v3/stt and signed events: the default
	Session                    // /api/v3/speech-to-text/session and unsigned callbacks
	DialectBoth                // all paths and all headers
)

// A Variant is a form of the session dialect. Legacy|Current serves both: it takes either header, and answers the status call.
type Variant int

// The variants.
const (
	Legacy  Variant = 1 << iota // the key in x-zoom-s2t-key, no status call
	Current                     // Authorization: Bearer, a status call, documents named in it
)

// WithDialect sets what the service speaks. The default is [STT]. The variant is that of [Session], and [Current] without one;
// [DialectBoth] serves all of them.
//
// A header that the variant does not know is 401, a path of another dialect 404. Uploads of the session dialect become sessions,
// their callbacks are unsigned, carry the headers that the submit asked for, and are never sent for failed jobs.
func WithDialect(d Dialect, variants ...Variant) Option {
	return func(c *config) error {
		if d < STT || d > DialectBoth {
			return fmt.Errorf("WithDialect: %d is no dialect", int(d))
		}
		var variant Variant
		for _, v := range variants {
			if v&^(Legacy|Current) != 0 || v == 0 {
				return fmt.Errorf("WithDialect: %d is no variant", int(v))
			}
			variant |= v
		}
		switch {
		case d == STT && variant != 0:
			return errors.New("WithDialect: STT has no variants")
		case d == Session && variant == 0:
			variant = Current
		case d == DialectBoth:
			variant = Legacy | Current
		}
		c.dialect, c.variant = d, variant
		return nil
	}
}

// A TimeUnit is how the session dialect counts the times of words, see [WithTimeUnit].
type TimeUnit int

// The units.
const (
	Seconds      TimeUnit = iota // with a fraction: 1.25
	Milliseconds                 // 1250
	WholeSeconds                 // 1, rounded down at the start and up at the end
)

// WithTimeUnit sets the unit of word times in the session dialect. The default is [Seconds].
func WithTimeUnit(u TimeUnit) Option {
	return func(c *config) error {
		if u < Seconds || u > WholeSeconds {
			return fmt.Errorf("WithTimeUnit: %d is no unit", int(u))
		}
		c.unit = u
		return nil
	}
}

// WithEarlySessionID has GET /files/{id} tell the session's id from the creation of the upload on, and not from its last byte.
// [Outcome].SessionDelay has it told late.
func WithEarlySessionID() Option {
	return func(c *config) error { c.earlyID = true; return nil }
}

// WithDownloadLinks answers the export of a document with a link to a second host, and not with the file. That host is HTTPS, in
// memory or on loopback, and trusted by [Server.HTTPClient]. It redirects so many times before it sends the file. A key or a
// cookie that arrives there is a leak: it fails the test of [New], and [Server.Leaks] tells of it.
func WithDownloadLinks(redirects int) Option {
	return func(c *config) error {
		if redirects < 0 {
			return errors.New("WithDownloadLinks: negative")
		}
		c.links, c.linkRedirects = true, redirects
		return nil
	}
}

// WithOtherKeys has the service accept further keys. What was made with one key does not exist for another.
func WithOtherKeys(keys ...string) Option {
	return func(c *config) error {
		for _, key := range keys {
			if err := WithAPIKey(key)(new(config)); err != nil {
				return errors.New("WithOtherKeys: a key is empty or holds spaces or unprintable characters")
			}
		}
		c.otherKeys = append(c.otherKeys, keys...)
		return nil
	}
}

// Model is a custom model that GET /custom_models lists.
type Model struct {
	ID        int64
	Key, Name string
	Language  string
	Status    int // 4: trained
}

// Glossary is one that GET /glossaries lists.
type Glossary struct {
	ID   int64
	Name string
}

// WithModels sets the custom models of the account. The default is none.
func WithModels(models ...Model) Option {
	return func(c *config) error { c.models = append(c.models, models...); return nil }
}

// WithGlossaries sets the glossaries of the account. The default is none.
func WithGlossaries(glossaries ...Glossary) Option {
	return func(c *config) error { c.glossaries = append(c.glossaries, glossaries...); return nil }
}

// sessionRetries are the waits after which an unsigned callback is sent again.
func sessionRetries() []time.Duration {
	return []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
}

// speaks reports whether the service serves the paths of a dialect.
func (c *config) speaks(d Dialect) bool { return c.dialect == d || c.dialect == DialectBoth }
