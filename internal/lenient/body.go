package lenient

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// ErrTooLong is the error of a body that is longer than it may be.
var ErrTooLong = errors.New("it is longer than any answer may be")

// Large is the size from which on a body is large: see [Reading.Large].
const Large = 1 << 20

// Reading says how a body is to be read.
type Reading struct {
	Header   http.Header
	Length   int64                  // of the body as it comes; -1 when unknown
	Limit    int64                  // of what it holds once decoded
	Large    func(size int64) error // asked before more than Large is kept of a body, which may become size bytes
	Room     func(size int64) error // asked before so many bytes in all are kept of a body; nil: nobody is
	Complete func()                 // called once a JSON object is complete, if more may come; nil: nobody asks
}

// Body is what came as the body of an answer.
type Body struct {
	Raw []byte // decoded from its content coding where that is known
	end int    // of the JSON object with which it begins; 0: it does not, or not whole
}

// JSON is the object with which the body begins, else all of it, without a byte
// order mark.
func (b Body) JSON() []byte {
	if b.end > 0 {
		return JSON(b.Raw[:b.end])
	}
	return JSON(b.Raw)
}

// Whole reports whether a JSON object is complete, which nothing that follows
// can make another one.
func (b Body) Whole() bool { return b.end > 0 }

// Read reads a body. Its error is why the body is not whole; a body that is cut
// after a complete JSON object is.
func Read(src io.Reader, how Reading) (Body, error) {
	plain, unknown := decoded(src, how.Header)
	c := collector{how: how}
	if plain == src && how.Length > 0 {
		c.expect = min(how.Length, how.Limit)
	}
	err := c.collect(plain)
	body := Body{Raw: c.join(), end: c.object.end}
	switch {
	case unknown != nil:
		return Body{Raw: body.Raw}, unknown
	case Final(err), body.end == 0:
		return body, err
	}
	return body, nil
}

// mostCodings bounds how many content codings are undone, because each takes
// memory before a byte was read. Nobody applies more than one.
const mostCodings = 4

// Plain is a body without its content codings. Where one of them is unknown,
// reading it fails.
func Plain(src io.Reader, header http.Header) io.Reader {
	plain, err := decoded(src, header)
	if err != nil {
		return unreadable{err}
	}
	return plain
}

// decoded undoes the content codings of a body. A header that names one which is
// not there, as those of some proxies do, is not believed.
func decoded(src io.Reader, header http.Header) (io.Reader, error) {
	var codings []string
	for _, list := range header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(list, ",") {
			coding = strings.ToLower(strings.TrimSpace(coding))
			switch coding {
			case "", "identity":
			case "gzip", "x-gzip", "deflate":
				codings = append(codings, coding)
			default:
				return src, fmt.Errorf("its content coding %.32q is none that was asked for", coding)
			}
		}
	}
	if len(codings) > mostCodings {
		return src, fmt.Errorf("it is said to be in %d content codings", len(codings))
	}
	for _, coding := range slices.Backward(codings) {
		src = &inflater{src: bufio.NewReader(src), coding: coding}
	}
	return src, nil
}

// unreadable is a body that nobody can decode.
type unreadable struct{ err error }

func (u unreadable) Read([]byte) (int, error) { return 0, u.err }

// inflater undoes gzip or deflate, which is zlib's format or, from some, the
// bare one.
type inflater struct {
	src    *bufio.Reader
	coding string
	plain  io.Reader // nil before the first read
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.plain == nil {
		head, err := f.src.Peek(2)
		if len(head) == 0 {
			return 0, err
		}
		if f.plain, err = f.open(head); err != nil {
			return 0, err
		}
	}
	return f.plain.Read(p)
}

func (f *inflater) open(head []byte) (io.Reader, error) {
	isGzip := len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b
	isZlib := len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0
	isText := head[0] == '{' || head[0] == '[' || head[0] == '<' || head[0] == ' ' || head[0] == '\n' || head[0] == 0xef
	switch {
	case isGzip:
		return gzip.NewReader(f.src)
	case f.coding != "deflate" || isText:
		return f.src, nil
	case isZlib:
		return zlib.NewReader(f.src)
	}
	return flate.NewReader(f.src), nil
}

// collector keeps what is read, in pieces that are joined at the end: a slice
// that grows would be copied again and again.
type collector struct {
	how    Reading
	expect int64 // 0: unknown
	pieces [][]byte
	total  int64
	asked  bool
	object objectScanner
}

func (c *collector) collect(src io.Reader) error {
	for {
		piece, err := c.room()
		if err != nil {
			return err
		}
		n, err := src.Read(piece[len(piece):cap(piece)])
		c.pieces[len(c.pieces)-1] = piece[:len(piece)+n]
		complete := c.object.end > 0
		c.object.scan(piece[len(piece):len(piece)+n], int(c.total))
		c.total += int64(n)
		switch {
		case c.total > c.how.Limit:
			return ErrTooLong
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !complete && c.object.end > 0 && c.how.Complete != nil:
			c.how.Complete()
		}
	}
}

const (
	smallPiece = 4 << 10
	mostPiece  = 4 << 20
)

// room returns a piece that has some.
func (c *collector) room() ([]byte, error) {
	if last := len(c.pieces) - 1; last >= 0 && len(c.pieces[last]) < cap(c.pieces[last]) {
		return c.pieces[last], nil
	}
	if may := max(c.expect, c.total); may >= Large && !c.asked && c.how.Large != nil {
		c.asked = true
		if c.expect == 0 {
			may = c.how.Limit
		}
		if err := c.how.Large(may); err != nil {
			return nil, err
		}
	}
	size := min(max(c.total, smallPiece), mostPiece)
	if len(c.pieces) == 0 && c.expect > 0 {
		size = c.expect + 1 // and room to find the end
	}
	if c.how.Room != nil {
		if err := c.how.Room(c.total + size); err != nil {
			return nil, err
		}
	}
	piece := make([]byte, 0, size)
	c.pieces = append(c.pieces, piece)
	return piece, nil
}

func (c *collector) join() []byte {
	if len(c.pieces) == 1 {
		return c.pieces[0]
	}
	whole := make([]byte, 0, c.total)
	for i, piece := range c.pieces {
		whole = append(whole, piece...)
		c.pieces[i] = nil
	}
	return whole
}

// objectScanner finds the end of the JSON object with which a text begins.
type objectScanner struct {
	end      int // 0: not yet
	depth    int
	inString bool
	escaped  bool
	none     bool // it begins with something else
}

// scan goes on with a piece of the text that begins at offset.
func (o *objectScanner) scan(piece []byte, offset int) {
	if o.end > 0 || o.none {
		return
	}
	for i, b := range piece {
		switch {
		case o.escaped:
			o.escaped = false
		case o.inString:
			o.escaped, o.inString = b == '\\', b != '"'
		case b == '"' && o.depth > 0:
			o.inString = true
		case b == '{', b == '[' && o.depth > 0:
			o.depth++
		case (b == '}' || b == ']') && o.depth > 0:
			if o.depth--; o.depth == 0 {
				o.end = offset + i + 1
				return
			}
		case o.depth == 0 && b > ' ' && b != 0xef && b != 0xbb && b != 0xbf: // a byte order mark may stand before it
			o.none = true
			return
		}
	}
}
