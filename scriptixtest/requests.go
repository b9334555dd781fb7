package scriptixtest

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Request is a request that the service has seen.
type Request struct {
	Time     time.Time // when its header had come
	ID       string    // the X-Request-Id of its answer
	Method   string
	Path     string        // escaped, without the query
	Endpoint Endpoint      // empty for a path that there is not
	Status   int           // of the answer; 0 while there is none, and for a connection that was cut without one
	Bytes    int64         // of the body, read by the service
	Took     time.Duration // from its header to its answer
	Proto    string        // HTTP/1.1 or HTTP/2.0
	Header   http.Header   // without the key's; not to be modified
	KeyIn    string        // the header that held a key: Authorization or x-zoom-s2t-key; empty if none did
}

// Requests returns every request seen, in the order in which they came ([WithHistory] keeps only the last ones). Those that
// are not answered yet are among them.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history.all()
}

// requestLog holds the requests, or the last of them.
type requestLog struct {
	limit int // 0: all
	total int
	ring  []*Request
}

func (l *requestLog) add(r *Request) {
	if l.limit == 0 || len(l.ring) < l.limit {
		l.ring = append(l.ring, r)
	} else {
		l.ring[l.total%l.limit] = r
	}
	l.total++
}

func (l *requestLog) all() []Request {
	out := make([]Request, 0, len(l.ring))
	first := 0
	if l.limit > 0 && l.total > l.limit {
		first = l.total % l.limit
	}
	for i := range l.ring {
		out = append(out, *l.ring[(first+i)%len(l.ring)])
	}
	return out
}

// countingBody counts what was read of a request's body, and notes whether the connection broke under it.
type countingBody struct {
	io.ReadCloser
	n      atomic.Int64
	broken atomic.Bool
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	if err != nil && err != io.EOF {
		b.broken.Store(true)
	}
	return n, err
}
