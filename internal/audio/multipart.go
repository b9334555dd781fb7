package audio

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Form is the multipart/form-data body of a submit: the fields first, then the
// audio. It is opened afresh for each attempt.
type Form struct {
	Audio    Audio
	Field    string // of the form, which holds the recording
	Fields   url.Values
	Progress func(sent, total int64) // nil: nobody asks
	Digest   *Digest                 // what the recording must hold; nil: whatever it does
	Release  Release
}

// Open returns the body and its length, -1 when the audio's is not known.
func (f Form) Open(ctx context.Context) (*Body, error) {
	src, err := f.Audio.start(ctx)
	if err != nil {
		return nil, err
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	kind, err := sniff(f.Audio.name, src)
	if err != nil {
		return nil, errors.Join(f.Audio.Fault(err), src.Close())
	}
	boundary := rand.Text() + rand.Text()
	head, tail := f.head(boundary, kind), []byte("\r\n--"+boundary+"--\r\n")
	audio := &exact{ctx: ctx, src: src, audio: f.Audio, proof: newProof(f.Digest, f.Release, src), left: src.size}
	o := &Body{
		ContentType: "multipart/form-data; boundary=" + boundary,
		Length:      -1, audioSize: src.size, audioRead: func() int64 { return audio.read },
		OneShot: f.Audio.oneShot, progress: f.Progress,
		Reader: io.MultiReader(bytes.NewReader(head), audio, &ending{tail}),
		close:  src.Close,
	}
	if src.size >= 0 {
		o.Length = int64(len(head)) + src.size + int64(len(tail))
	}
	return o, nil
}

func (f Form) head(boundary, kind string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		for _, value := range f.Fields[name] {
			fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n", boundary, quoteParam(name), value)
		}
	}
	name := f.Audio.name
	if name == "" {
		name = "audio"
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%s; filename=%s\r\nContent-Type: %s\r\n\r\n", boundary, quoteParam(f.Field), quoteParam(name), kind)
	return b.Bytes()
}

// quoteParam quotes a parameter of Content-Disposition as browsers and
// mime/multipart do: quotes and backslashes escaped, CR and LF percent-encoded,
// UTF-8 as it is. Other control characters are percent-encoded as well, because
// Go's own reader refuses a form that holds one.
func quoteParam(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Body is a request body ready to go out once.
type Body struct {
	io.Reader
	close       func() error
	ContentType string
	Length      int64                   // of the body; -1 when unknown
	audioSize   int64                   // -1 when unknown
	audioRead   func() int64            // how much of the audio was read, between two Reads; nil: the body is all audio
	OneShot     bool                    // cannot be opened again once a byte of the audio left
	progress    func(sent, total int64) // called with how much of the recording left; nil: nobody asks
}

// ending is the end of a body. io.EOF comes with its last bytes and not after
// them, because a service that has the closing boundary need not wait for more.
type ending struct{ rest []byte }

func (e *ending) Read(p []byte) (int, error) {
	n := copy(p, e.rest)
	if e.rest = e.rest[n:]; len(e.rest) > 0 {
		return n, nil
	}
	return n, io.EOF
}

// exact passes on as many bytes as the source announced, and holds the last one
// back until it is known that there are no more, and that they are what they
// should be: what goes out is never a file that changed underneath.
type exact struct {
	ctx   context.Context //nolint:containedctx // lives as long as the attempt
	src   *source
	audio Audio
	proof *proof
	left  int64  // to be read of the source; negative: its size is not known
	last  []byte // held back
	read  int64
}

func (e *exact) Read(p []byte) (int, error) {
	if len(e.last) > 0 {
		if err := e.end(); err != nil {
			return 0, err
		}
		e.read++
		n := copy(p, e.last)
		e.last = nil
		return n, io.EOF
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	if e.left > 0 && int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.src.Read(p)
	e.proof.add(p[:n])
	if e.left > 0 {
		e.left -= int64(n)
	}
	ended := errors.Is(err, io.EOF)
	switch {
	case err != nil && !ended:
		err = e.audio.Fault(err)
	case ended && e.left > 0:
		err = e.audio.Fault(fmt.Errorf("changed while it was sent: %d bytes were announced and it ended after %d", e.src.size, e.read+int64(n)))
	case e.left == 0 && n > 1:
		// The check may take a while: what comes before is on its way meanwhile.
		e.last, n, err = []byte{p[n-1]}, n-1, nil
	case ended || e.left == 0:
		if err := e.end(); err != nil {
			return 0, err
		}
	}
	e.read += int64(n)
	return n, err
}

// end is reached when all announced bytes were read.
func (e *exact) end() error {
	if e.src.size >= 0 {
		if err := e.src.ended(e.src.size); err != nil {
			return e.audio.Fault(err)
		}
	}
	return e.proof.conclude(e.ctx, e.audio, e.src)
}

// ended fails when a source that was read to its announced end goes on, or has an
// error there instead of io.EOF, such as a checksum that does not match.
func (s *source) ended(announced int64) error {
	more := false
	switch {
	case s.grown != nil:
		more = s.grown()
	case s.foreign:
		n, err := io.ReadFull(s, make([]byte, 1))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		more = n > 0
	}
	if more {
		return fmt.Errorf("changed while it was sent: it holds more than the %d bytes announced", announced)
	}
	return nil
}

// sniff returns the media type by extension, else by the first bytes. It fails
// when there are none, before anything is sent.
func sniff(name string, src *source) (string, error) {
	kind := MediaType(name)
	known := kind != ""
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
	return kindOf(first), nil
}

// MediaType returns what sniff does, and opens the audio only where its name
// does not tell.
func (a Audio) MediaType(ctx context.Context) (string, error) {
	if kind := MediaType(a.name); kind != "" {
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
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if err != nil {
		err = a.Fault(err)
	}
	return kind, errors.Join(err, src.Close())
}
