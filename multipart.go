package scriptix

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// form is the multipart/form-data body of a submit: the fields first, then the
// audio. It is opened afresh for each attempt.
type form struct {
	audio    Audio
	fields   url.Values
	progress func(sent, total int64)
}

// open returns the body and its length, -1 when the audio's is not known.
func (f form) open(ctx context.Context) (*opened, error) {
	src, err := f.audio.start(ctx)
	if err != nil {
		return nil, err
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	kind, err := sniff(f.audio.name, src)
	if err != nil {
		return nil, errors.Join(f.audio.fault(err), src.Close())
	}
	boundary := rand.Text() + rand.Text()
	head, tail := f.head(boundary, kind), []byte("\r\n--"+boundary+"--\r\n")
	audio := &exact{src: src, audio: f.audio, left: src.size}
	o := &opened{
		contentType: "multipart/form-data; boundary=" + boundary,
		length:      -1, audioSize: src.size, audioRead: func() int64 { return audio.read },
		oneShot: f.audio.oneShot, progress: f.progress,
		Reader: io.MultiReader(bytes.NewReader(head), audio, &ending{tail}),
		close:  src.Close,
	}
	if src.size >= 0 {
		o.length = int64(len(head)) + src.size + int64(len(tail))
	}
	return o, nil
}

func (f form) head(boundary, kind string) []byte {
	var b bytes.Buffer
	for _, name := range sortedKeys(f.fields) {
		for _, value := range f.fields[name] {
			fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n", boundary, quoteParam(name), value)
		}
	}
	name := f.audio.name
	if name == "" {
		name = "audio"
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%s; filename=%s\r\nContent-Type: %s\r\n\r\n", boundary, quoteParam(audioField), quoteParam(name), kind)
	return b.Bytes()
}

// quoteParam quotes a parameter of Content-Disposition as browsers and
// mime/multipart do: quotes and backslashes escaped, CR and LF percent-encoded,
// UTF-8 as it is.
func quoteParam(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A").Replace(s) + `"`
}

// opened is a request body ready to go out once.
type opened struct {
	io.Reader
	close       func() error
	contentType string
	length      int64                   // of the body; -1 when unknown
	audioSize   int64                   // -1 when unknown
	audioRead   func() int64            // how much of the audio was read, between two Reads; nil: the body is all audio
	oneShot     bool                    // cannot be opened again once a byte of the audio left
	progress    func(sent, total int64) // told how much of the audio left; nil: nobody asks
}

// ending is the end of a body: io.EOF comes with its last bytes and not after
// them, for a service that has the closing boundary need not wait for more.
type ending struct{ rest []byte }

func (e *ending) Read(p []byte) (int, error) {
	n := copy(p, e.rest)
	if e.rest = e.rest[n:]; len(e.rest) > 0 {
		return n, nil
	}
	return n, io.EOF
}

// exact passes on as many bytes as the source announced, and fails before the
// body's end when there are fewer or more: what goes out is never a file that
// changed underneath.
type exact struct {
	src   *source
	audio Audio
	left  int64 // negative: the size is not known
	read  int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, e.end()
	}
	if e.left > 0 && int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.src.Read(p)
	e.read += int64(n)
	if e.left > 0 {
		e.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, e.audio.fault(err)
	case e.left > 0:
		return n, e.audio.fault(fmt.Errorf("changed while it was sent: %d bytes were announced and it ended after %d", e.src.size, e.read))
	}
	return n, e.end()
}

// end is reached when all announced bytes were read.
func (e *exact) end() error {
	if e.src.size < 0 {
		return io.EOF
	}
	if e.src.more() {
		return e.audio.fault(fmt.Errorf("changed while it was sent: it holds more than the %d bytes announced", e.src.size))
	}
	return io.EOF
}

// more reports whether a source that was read to its announced end goes on.
func (s *source) more() bool {
	switch {
	case s.grown != nil:
		return s.grown()
	case s.foreign:
		n, _ := io.ReadFull(s, make([]byte, 1))
		return n > 0
	}
	return false
}

// formats are the documented ones. mime.TypeByExtension would answer
// differently on each machine.
var formats = map[string]string{
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".m4a": "audio/mp4", ".aac": "audio/aac", ".ogg": "audio/ogg",
	".mp4": "video/mp4", ".mov": "video/quicktime", ".avi": "video/x-msvideo", ".mkv": "video/x-matroska", ".webm": "video/webm",
}

// sniff returns the media type by extension, else by the first bytes. It fails
// when there are none, before anything is sent.
func sniff(name string, src *source) (string, error) {
	kind, known := formats[strings.ToLower(path.Ext(name))]
	if known && !src.foreign {
		return kind, nil
	}
	first, err := src.first(512)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case len(first) == 0:
		return "", errEmpty
	case known:
		return kind, nil
	}
	return http.DetectContentType(first), nil
}

// mediaType returns what sniff does, and opens the audio only where its name
// does not tell.
func (a Audio) mediaType(ctx context.Context) (string, error) {
	if kind, known := formats[strings.ToLower(path.Ext(a.name))]; known {
		return kind, nil
	}
	src, err := a.start(ctx)
	if err != nil {
		return "", err
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	kind, err := sniff(a.name, src)
	if cause := ctx.Err(); cause != nil {
		err = ctxError(ctx)
	} else if err != nil {
		err = a.fault(err)
	}
	return kind, errors.Join(err, src.Close())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
