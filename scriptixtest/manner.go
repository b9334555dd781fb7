package scriptixtest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The manners in which servers and proxies answer that net/http would not: see the fields of [Fault].

// carried is the key of a connection's count of requests.
type carried struct{}

// countRequests gives each connection a count of its requests.
func countRequests(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, carried{}, new(atomic.Int64))
}

// carriedBefore counts a request, and reports whether its connection had carried one before.
func carriedBefore(r *http.Request) bool {
	n, ok := r.Context().Value(carried{}).(*atomic.Int64)
	return ok && n.Add(1) > 1
}

// delay waits as long as the fault says, with interim answers if it says so. It reports whether the client is still there.
func (x *exchange) delay(w http.ResponseWriter, r *http.Request) bool {
	left := x.fault.Delay
	for every := x.fault.Interim; every > 0 && left > every; left -= every {
		if !x.s.pause(r.Context(), every) {
			return false
		}
		w.WriteHeader(http.StatusProcessing)
	}
	return x.s.pause(r.Context(), left)
}

// trickle sends an answer's body byte by byte.
func (x *exchange) trickle(w http.ResponseWriter, r *http.Request, a answer) {
	x.finish(a.status)
	x.writeHeader(w, a)
	controller := http.NewResponseController(w)
	for _, b := range a.body {
		_ = controller.Flush() // fails only if the client is gone
		if !x.s.pause(r.Context(), x.fault.Trickle) {
			abort(w)
			return
		}
		_, _ = w.Write([]byte{b})
	}
}

// sendByHand sends an answer on the bare connection, which net/http would close or correct. Over HTTP/2, which has no such
// manners, the answer is cut.
func (x *exchange) sendByHand(w http.ResponseWriter, a answer) {
	x.finish(a.status)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = conn.Close() }()
	whole := x.fault.Cut != AfterAnswer && x.fault.Cut != NoEnd
	raw := x.onTheWire(a, whole)
	if x.fault.Twice {
		raw = append(raw, raw...)
	}
	_, _ = conn.Write(raw) // the client may be gone
	if x.fault.Cut == NoEnd || x.fault.Twice {
		x.untilGone(conn)
	}
}

// onTheWire is an answer in HTTP/1.1: with its length, or chunked and without its end.
func (x *exchange) onTheWire(a answer, whole bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	header := make(http.Header)
	header.Set("X-Request-Id", x.seen.ID)
	for _, more := range []http.Header{x.limits, a.header} {
		maps.Copy(header, more)
	}
	if t := contentType(a.body); t != "" {
		header.Set("Content-Type", t)
	}
	if whole {
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	} else {
		header.Set("Transfer-Encoding", "chunked")
	}
	_ = header.Write(&b) // memory takes everything
	b.WriteString("\r\n")
	if whole {
		b.Write(a.body)
		return b.Bytes()
	}
	if len(a.body) > 0 {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(a.body), a.body)
	}
	return b.Bytes()
}

// untilGone keeps a connection open until the client or the service closes it.
func (x *exchange) untilGone(conn net.Conn) {
	stop := context.AfterFunc(x.s.closing, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, _ = io.Copy(io.Discard, conn)
}

// encode puts an answer's body into content codings, in their order.
func (a *answer) encode(codings string) {
	if codings == "" || len(a.body) == 0 {
		return
	}
	for coding := range strings.SplitSeq(codings, ",") {
		var b bytes.Buffer
		var w io.WriteCloser
		switch strings.TrimSpace(coding) {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		default:
			continue
		}
		_, _ = w.Write(a.body) // memory takes everything
		_ = w.Close()
		a.body = b.Bytes()
	}
	a.header.Set("Content-Encoding", codings)
}
