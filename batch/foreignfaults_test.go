package batch_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// manners decides when the foreign service misbehaves, by a seeded generator. Of
// the requests that a manner can spoil it spoils five in a hundred. Those that
// exclude one another, such as the ways in which one answer ends, share one roll.
//
// Left out is what needs TLS, a gateway or more minutes than a test has: an
// address without its s, an answer of a byte in 45 s. A 429 halves the client's
// minute, of which a tenth comes back with each quiet one: five in a hundred would
// stop the batch, so it comes once in three minutes at most. And the id of another
// recording is one that this process of the batch was given: an earlier one's is
// known to the ledger, which refuses it.
type manners struct {
	mu        sync.Mutex
	random    *rand.Rand
	calm      bool // no more faults
	committed map[string]int
	last      map[string]time.Time
}

const percent = 5

func newManners(seed uint64) *manners {
	return &manners{random: rand.New(rand.NewPCG(seed, 1)), committed: make(map[string]int), last: make(map[string]time.Time)}
}

// one picks one of manners that exclude one another, or none.
func (m *manners) one(names ...string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.random.IntN(100) / percent
	if m.calm || n >= len(names) {
		return ""
	}
	m.committed[names[n]]++
	return names[n]
}

func (m *manners) strikes(name string) bool { return m.one(name) == name }

// seldom is strikes, but not again for so long.
func (m *manners) seldom(name string, pause time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calm || m.random.IntN(100) >= percent || time.Since(m.last[name]) < pause {
		return false
	}
	m.last[name] = time.Now()
	m.committed[name]++
	return true
}

// still ends all faults.
func (m *manners) still() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calm = true
}

func (m *manners) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.committed)
}

func (m *manners) intN(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

// figures are headers that mean something else than they seem to.
func (m *manners) figures(h http.Header) {
	if m.strikes("limits of -1") {
		h.Set("X-Ratelimit-Limit", "-1")
		h.Set("X-Ratelimit-Remaining", "-1")
	}
}

// refuse refuses what no job was made of, in one of the shapes that refusals have.
func (m *manners) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Retry-After", []string{"1", "0.4", "1.9"}[m.intN(3)])
	shapes := []string{
		`{"error":%q}`, `{"error":%q,"message":"come back"}`, `{"error":%q,"detail":[{"loc":["body"],"msg":"come back"}]}`,
		`{"error":%q,"details":["come back"]}`, `{"error":%q,"errors":{"service":["come back"]}}`, `{"error":[%q]}`,
		`{"message":{"text":%q}}`, `{"message":%q,"error_message":"come back"}`, `{"err":"come back","error":%q}`,
	}
	m.write(w, status, fmt.Sprintf(shapes[m.intN(len(shapes))], code))
}

// write answers, in any of the codings and with what may come before and around a
// JSON object.
func (m *manners) write(w http.ResponseWriter, status int, body string) {
	m.figures(w.Header())
	w.Header().Set("Content-Type", "application/json")
	if m.strikes("an interim answer") {
		w.WriteHeader(http.StatusEarlyHints)
	}
	if m.strikes("a byte order mark") {
		body = "\ufeff" + body
	}
	data := []byte(body)
	switch m.one("gzip", "deflate") {
	case "gzip":
		w.Header().Set("Content-Encoding", "gzip")
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(data)
		_ = z.Close()
		data = packed.Bytes()
	case "deflate":
		w.Header().Set("Content-Encoding", "deflate")
		var packed bytes.Buffer
		if z, err := flate.NewWriter(&packed, flate.BestSpeed); err == nil {
			_, _ = z.Write(data)
			_ = z.Close()
		}
		data = packed.Bytes()
	}
	w.WriteHeader(status)
	if m.strikes("byte by byte") {
		for _, b := range data {
			_, _ = w.Write([]byte{b})
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Millisecond)
		}
		return
	}
	_, _ = w.Write(data)
}

// id is a job's id as JSON.
func (m *manners) id(id string) string {
	switch m.one("an id that is a number", "an id with a fraction", "an id with an exponent") {
	case "an id that is a number":
		return id
	case "an id with a fraction":
		return id + ".0"
	case "an id with an exponent":
		return id[:1] + "." + id[1:] + "e" + strconv.Itoa(len(id)-1)
	}
	return strconv.Quote(id)
}

// The ways in which the answer to a submit ends that has made a job.
var endings = []string{
	"cut after the job was made", "reset after the job was made", "504 after the job was made", "cut within the object",
	"an object that is whole, then a cut", "an object that is whole, then no last chunk", "an object that is whole, then an open connection",
	"closed after the answer", "answered twice", "a blank id", "an id that another recording was given", "a coding of its own",
	"silent for a while",
}

// created answers a submit that has made a job. It reports whether the client was
// told of it in so many words.
func (m *manners) created(w http.ResponseWriter, body, other string) (told bool) {
	w.Header().Set("Content-Type", "application/json")
	ending := m.one(endings...)
	switch ending {
	case "cut after the job was made":
		cutOff()
	case "reset after the job was made":
		reset(w)
	case "504 after the job was made":
		answer(w, http.StatusGatewayTimeout, `upstream timed out`)
	case "cut within the object":
		answer(w, http.StatusCreated, body[:len(body)/3])
	case "an object that is whole, then a cut":
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+100))
		answer(w, http.StatusCreated, body)
	case "an object that is whole, then no last chunk":
		answer(w, http.StatusCreated, body)
		_ = http.NewResponseController(w).Flush()
		cutOff()
	case "an object that is whole, then an open connection":
		answer(w, http.StatusCreated, body)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(2 * time.Second)
	case "closed after the answer", "answered twice":
		text := fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if ending == "answered twice" {
			text += text
		}
		raw(w, text)
	case "a blank id":
		answer(w, http.StatusCreated, `{"id":" ","status":"uploaded"}`)
	case "an id that another recording was given":
		if other != "" {
			answer(w, http.StatusCreated, fmt.Sprintf(`{"id":%q,"status":"uploaded"}`, other))
			return false
		}
		m.write(w, http.StatusCreated, body)
		return true
	case "a coding of its own":
		w.Header().Set("Content-Encoding", "br")
		answer(w, http.StatusCreated, body)
	case "silent for a while":
		time.Sleep(400 * time.Millisecond)
		m.write(w, http.StatusCreated, body)
		return true
	default:
		m.write(w, http.StatusCreated, body)
		return true
	}
	return false
}

// result is an answer with a transcript, of which optional parts may have any
// shape.
func (m *manners) result(job foreignJob) string {
	text := strconv.Quote("audio " + job.Sum)
	words, transcript := `[{"word":"audio","start":0,"end":0.5}]`, text
	switch m.one("words as lists", "words as text", "words as an object", "words as null") {
	case "words as lists":
		words = `[["audio",0,0.5]]`
	case "words as text":
		words = `["audio"]`
	case "words as an object":
		words = `{"0":"audio"}`
	case "words as null":
		words = `null`
	}
	switch m.one("a transcript that is an object", "a transcript that is a list") {
	case "a transcript that is an object":
		transcript = `{"text":` + text + `}`
	case "a transcript that is a list":
		transcript = `[{"start":0,"end":1.5,"text":` + text + `}]`
	}
	return fmt.Sprintf(`{"id":%s,"status":"completed","transcript":%s,"segments":[{"start":0,"end":1.5,"text":%s,"words":%s}]}`,
		m.id(job.ID), transcript, text, words)
}

// spoils answers a request that costs nothing in a manner of its own.
func (m *manners) spoils(w http.ResponseWriter, get bool) bool {
	names := []string{"cut before an answer"}
	if get {
		names = append(names, "502 of a gateway", "503 that refuses a question", "an empty answer")
	}
	switch m.one(names...) {
	case "cut before an answer":
		cutOff()
	case "502 of a gateway":
		answer(w, http.StatusBadGateway, `<html>bad gateway</html>`)
	case "503 that refuses a question":
		m.refuse(w, http.StatusServiceUnavailable, "MAINTENANCE")
	case "an empty answer":
		answer(w, http.StatusOK, "")
	default:
		return false
	}
	return true
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// cutOff ends the connection without an answer, or within one.
func cutOff() { panic(http.ErrAbortHandler) }

// reset ends the connection so that what lies in it is lost.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// raw writes an answer of its own and closes the connection, unannounced.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.Copy(conn, strings.NewReader(text))
	_ = conn.Close()
}
