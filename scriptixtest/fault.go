package scriptixtest

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Cut says where a connection is cut. Over HTTP/2 the stream is reset instead.
type Cut int

// The places where a [Fault] cuts.
const (
	NoCut        Cut = iota
	BeforeBody       // once the header is read
	WithinBody       // after half of the body, or 512 bytes if its length is unknown; a resumable upload keeps what came
	AfterBody        // the request is processed whole (the job exists), but no answer is sent
	WithinAnswer     // the request is processed, and the answer cut in the middle of its body; without a body like AfterBody
	AfterAnswer      // the answer's body comes whole, but chunked and without the last chunk: then the connection is cut
	NoEnd            // the same, but the connection stays open, in silence
)

// Fault is what goes wrong with some requests. See [Server.Fault].
//
// A Fault strikes after the key and the plan were checked, and what it strikes counts towards the plan.
type Fault struct {
	On    Endpoint // zero: Any
	JobID string   // only requests about this job or upload; empty: all
	Kept  bool     // only requests on a connection that had carried one before
	Skip  int      // lets so many requests pass first
	Times int      // then strikes so many of them; zero: one, negative: all until ClearFaults
	Share float64  // 0 to 1: strikes only that share of them, evenly spread, so that 0.1 is every tenth; zero: all

	// Status replaces the answer's. The request is read but not processed, so that a submit creates no job, unless the status
	// is a 2xx or Accept is set.
	Status     int
	Body       string      // the answer's body; empty with a Status of 400 and above: the documented one, unless NoBody is set
	NoBody     bool        // the answer's body is empty
	Header     http.Header // set on the answer; an empty list removes one
	RetryAfter string      // Retry-After of the answer: seconds, a date or nonsense
	Accept     bool        // the request is processed first (a job is created) and only then answered as above
	IgnoreBody bool        // answers at once, without reading the request's body and without processing it; Status zero: 503

	Delay     time.Duration // waits so long before the answer, or the cut: slow headers
	Stall     time.Duration // waits so long after the answer's header and half of its body
	BodyStall time.Duration // waits so long in the middle of the request's body, without reading on
	Trickle   time.Duration // sends the answer's body byte by byte, with such a pause before each
	Interim   time.Duration // sends a 102 so often while Delay lasts
	Cut       Cut

	Coding   string // the answer's body comes in this content coding, asked for or not: gzip, deflate, or both; others are only named
	Closes   bool   // closes the connection right after the answer, without a word: the next request on it finds it gone
	Twice    bool   // sends the answer twice, the second time in place of the next one on the connection
	Insecure bool   // resumable uploads: the Location is http whatever was asked, as behind a proxy that ends TLS

	OffsetDelta int64 // resumable uploads: added to the Upload-Offset of the answer
	NoOffset    bool  // resumable uploads: the answer has no Upload-Offset
	Vanish      bool  // resumable uploads: the upload is forgotten first
}

// Fault adds a fault. At most one strikes a request: the first added that applies.
func (s *Server) Fault(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	f.Header = f.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &putFault{Fault: f})
}

// putFault is a fault and how much of its share has gathered since it last struck.
type putFault struct {
	Fault

	gathered float64
}

// due reports whether a request that the fault applies to is one of its share.
func (f *putFault) due() bool {
	if f.Share <= 0 || f.Share >= 1 {
		return true
	}
	if f.gathered += f.Share; f.gathered < 1-1e-9 { // ten tenths are one, though their sum is less
		return false
	}
	f.gathered--
	return true
}

// ClearFaults removes the faults that have not struck yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault finds the fault of a request. The mutex is held.
func (s *Server) takeFault(on Endpoint, id string, kept bool) *Fault {
	for i, f := range s.faults {
		if f.On != Any && f.On != on || f.JobID != "" && f.JobID != id || f.Kept && !kept {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if !f.due() {
			continue
		}
		struck := f.Fault
		if f.Times > 0 {
			f.Times--
			if f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return &struck
	}
	return nil
}

var errCut = errors.New("cut by a fault")

// strike answers a request that a fault was put on.
func (x *exchange) strike(w http.ResponseWriter, r *http.Request) {
	s, f := x.s, x.fault
	if f.Vanish {
		s.forgetFile(x.id)
	}
	if f.Cut == BeforeBody || f.Cut == WithinBody && r.ContentLength == 0 {
		s.pause(r.Context(), f.Delay)
		x.cut(w)
		return
	}
	half := int64(512)
	if r.ContentLength > 0 {
		half = r.ContentLength / 2
	}
	if f.BodyStall > 0 {
		r.Body = &haltingBody{ReadCloser: r.Body, left: half, halt: func() error {
			if !s.pause(r.Context(), f.BodyStall) {
				return errCut
			}
			return nil
		}}
	}
	if f.Cut == WithinBody {
		r.Body = &haltingBody{ReadCloser: r.Body, left: half, halt: func() error { return errCut }}
	}

	var a answer
	switch {
	case f.IgnoreBody:
		if f.Status == 0 {
			f.Status = http.StatusServiceUnavailable
		}
	case f.Status < 300 || f.Accept || f.Cut > WithinBody:
		a = s.process(x, w, r)
	default:
		_, err := io.Copy(io.Discard, r.Body)
		a.gone = err != nil
	}
	f.apply(&a)
	if !x.delay(w, r) || a.gone || f.Cut == WithinBody || f.Cut == AfterBody || f.Cut == WithinAnswer && len(a.body) == 0 {
		x.cut(w)
		return
	}
	switch {
	case f.Trickle > 0:
		x.trickle(w, r, a)
	case f.Cut == AfterAnswer || f.Cut == NoEnd || f.Closes || f.Twice:
		x.sendByHand(w, a)
	case f.Cut == WithinAnswer || f.Stall > 0:
		x.sendHalf(w, r, a)
	default:
		x.send(w, a)
	}
}

// sendHalf sends half of an answer, waits, and then sends the rest or cuts.
func (x *exchange) sendHalf(w http.ResponseWriter, r *http.Request, a answer) {
	half := len(a.body) / 2
	x.writeHeader(w, a)
	_, _ = w.Write(a.body[:half])
	_ = http.NewResponseController(w).Flush() // fails only if the client is gone
	waited := x.s.pause(r.Context(), x.fault.Stall)
	x.finish(a.status)
	if !waited || x.fault.Cut == WithinAnswer {
		abort(w)
		return
	}
	_, _ = w.Write(a.body[half:])
}

// apply changes the answer.
func (f *Fault) apply(a *answer) {
	h := a.header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	if f.Status != 0 {
		a.status, a.body = f.Status, []byte(f.Body)
		if f.Body == "" && f.Status >= 400 {
			a.body = []byte(documented(f.Status))
		}
	} else if f.Body != "" {
		a.body = []byte(f.Body)
	}
	if f.NoBody {
		a.body = nil
	}
	if f.RetryAfter != "" {
		h.Set("Retry-After", f.RetryAfter)
	}
	if offset := h.Get("Upload-Offset"); offset != "" {
		if f.NoOffset {
			h.Del("Upload-Offset")
		} else if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
			h.Set("Upload-Offset", strconv.FormatInt(n+f.OffsetDelta, 10))
		}
	}
	for k, v := range f.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	if f.Insecure {
		if location := h.Get("Location"); strings.HasPrefix(location, "https:") {
			h.Set("Location", "http:"+strings.TrimPrefix(location, "https:"))
		}
	}
	a.header = h
	a.encode(f.Coding)
}

// haltingBody calls halt once, after so many bytes or at the end, whichever comes first.
type haltingBody struct {
	io.ReadCloser
	left int64
	halt func() error
	err  error
}

func (b *haltingBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.halt == nil {
		return b.ReadCloser.Read(p)
	}
	if b.left > 0 {
		n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		if err != io.EOF {
			return n, err
		}
		b.left = 0
		if n > 0 {
			return n, nil
		}
	}
	b.err, b.halt = b.halt(), nil
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}
