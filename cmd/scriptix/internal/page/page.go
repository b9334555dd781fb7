// Package page writes a transcript as one HTML page to listen to and read: a
// player, the text by speaker, search, and a strip that shows who speaks when.
//
// A page holds all it needs. It asks no network for anything, and its
// Content-Security-Policy forbids it to.
package page

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the template, the styles and the script
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// MaxEmbedded is the largest audio that can be embedded, in bytes. Browsers
// refuse data URLs above 512 MB, and base64 makes four bytes of three.
const MaxEmbedded = 360 << 20

// Options says what stands on a page beside the transcript. The zero value
// makes a page without audio, for which the page gives the reason.
type Options struct {
	Title    string // default: the job's id, else "Transcript"
	Language string // of what was said, "nl" say; default: the transcript's. It is left out if it is no language tag

	// Audio is the recording's path as seen from the page's folder, with
	// slashes and without escapes: "call 1.wav", "../audio/call.mp3". An
	// absolute path and a URL are refused, for the page is to be self-contained.
	Audio string

	// Embed is read to its end and goes into the page itself, at a third more
	// than its size, up to MaxEmbedded. It is not held in memory. Not together
	// with Audio.
	Embed     io.Reader
	MediaType string // of Embed, see [MediaType]; required with it
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	playJS string
	//go:embed words.js
	wordsJS string
	//go:embed out.js
	outJS string
	// One script: its parts share their names, and leave none to the page.
	pageJS = sync.OnceValue(func() string { return "(() => {\n\"use strict\";\n" + playJS + wordsJS + outJS + "})();\n" })

	// The markup before the audio's address and the one behind it, which is
	// streamed in between.
	pages = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageHTML)) })

	mediaType   = pattern(`^(audio|video)/[a-z0-9][a-z0-9.+-]*$`)
	languageTag = pattern(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$`)
)

// pattern compiles an expression when it is used for the first time. Most calls of the program make no page, and do not
// wait for this and for the template.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// MediaType tells the media type of a recording by its name's extension,
// without asking the machine's own tables; "" for one that it does not know.
func MediaType(name string) string { return audio.MediaType(name) }

// Write writes the page of one transcript to w.
//
// A transcript without speakers, words, times or segments makes a page with
// less on it. Of a segment that ends before it starts, the two times are
// exchanged; a negative start is zero, and one without an end ends at once. When Write fails, what went to w is not a
// whole page. Options that cannot work fail before a byte is written.
func Write(w io.Writer, t *scriptix.Transcript, o Options) error {
	if t == nil {
		return errors.New("page: no transcript was given")
	}
	v, err := newView(t, o)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	b := bufio.NewWriterSize(w, 64<<10)
	if err := pages().ExecuteTemplate(b, "before", v); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	if o.Embed != nil {
		if err := embed(b, o.Embed, v.MediaType); err != nil {
			return fmt.Errorf("page: embed the audio: %w", err)
		}
	}
	if err := pages().ExecuteTemplate(b, "after", v); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	if err := v.data.write(escaped{b}); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	if err := pages().ExecuteTemplate(b, "end", v); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	return nil
}

// embed writes the element that holds the audio. html/template has no value
// that is a stream; what is written raw here is a media type that was checked
// and base64.
func embed(w io.Writer, r io.Reader, media string) error {
	if _, err := io.WriteString(w, `<source src="data:`+media+`;base64,`); err != nil {
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, w)
	n, err := io.Copy(enc, io.LimitReader(r, MaxEmbedded+1))
	if err != nil {
		return err
	}
	if n > MaxEmbedded {
		return fmt.Errorf("it is larger than %d MiB, which browsers refuse: put the file beside the page", MaxEmbedded>>20)
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, `">`)
	return err
}

// audioAddress makes a relative URL of a relative path.
func audioAddress(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") || strings.Contains(name, "://") {
		return "", fmt.Errorf("audio %q: give its path relative to the page, with slashes", name)
	}
	return (&url.URL{Path: name}).String(), nil
}

func checkMedia(o Options) (string, error) {
	switch {
	case o.Embed == nil:
		return "", nil
	case o.Audio != "":
		return "", errors.New("audio is either embedded or beside the page, not both")
	}
	media, _, err := mime.ParseMediaType(o.MediaType)
	if err != nil || !mediaType().MatchString(media) {
		return "", fmt.Errorf("media type %q of the embedded audio: give one such as audio/wav", o.MediaType)
	}
	return media, nil
}

// policy forbids everything but this very script, these very styles, the audio
// where there is one, and a recording that is opened by hand.
func policy(o Options) string {
	// A file that is opened by hand has an address that begins with blob.
	media := "; media-src blob:"
	switch {
	case o.Embed != nil:
		media += " data:"
	case o.Audio != "":
		// A page opened from a disk has no origin that 'self' could mean in every browser.
		media += " 'self' file:"
	}
	return "default-src 'none'; script-src " + hash(pageJS()) + "; style-src " + hash(pageCSS) + media + "; base-uri 'none'; form-action 'none'"
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
