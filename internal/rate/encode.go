package rate

import (
	"encoding/binary"
	"errors"
	"math"
)

// encodingVersion is the first byte of an encoded meter.
const encodingVersion = 1

// AppendBinary appends the meter's encoding to b. It holds everything but the
// limits, in numbers of variable length, and times as the distance from the one
// before: about 1,200 bytes for a plan of 120 requests a minute whose windows are
// full. The error is always nil.
func (m *Meter) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, encodingVersion)
	for i := range m.windows {
		b = m.windows[i].append(b)
	}
	for _, q := range m.quotas {
		b = appendNumbers(b, int64(q.until), int64(q.left), int64(q.total), int64(q.next))
	}
	t := &m.throttle
	b = appendNumbers(b, int64(t.until), int64(t.bursts), int64(t.reducedLimit), int64(t.fullLimit), int64(t.quietSince))
	b = binary.AppendUvarint(b, t.burstEnd)
	b = binary.AppendUvarint(b, m.granted)
	for class := range Classes {
		b = appendNumbers(b, int64(m.inFlight[class]), int64(m.passed[class]))
	}
	return b, nil
}

// append writes a slot as the distance from the beginning of the one before, its
// length and its count. One answer by itself, which is what a minute consists of,
// has neither of the last two.
func (w *window) append(b []byte) []byte {
	b = appendSize(b, len(w.present()))
	var before Millis
	for i, s := range w.present() {
		if i == 0 {
			b = appendNumbers(b, int64(s.first))
			before = s.first
		}
		distance := 2 * (s.first - before)
		before = s.first
		if s.count == 1 && s.first == s.last {
			b = appendSize(b, distance+1)
			continue
		}
		b = appendSize(b, distance)
		b = appendSize(b, s.last-s.first)
		b = appendSize(b, s.count)
	}
	return b
}

// appendSize appends a number that is never negative.
func appendSize[T int | Millis](b []byte, n T) []byte {
	return binary.AppendUvarint(b, uint64(n))
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// ErrEncoding is data that no meter was encoded as.
var ErrEncoding = errors.New("rate: not the encoding of a meter")

// Decode returns the meter that data encodes, under the same limits or, where the
// plan has changed, other ones. Its error is [ErrEncoding].
func Decode(l Limits, data []byte) (*Meter, error) {
	d := &decoder{data: data}
	d.require(d.byte() == encodingVersion)
	m := New(l)
	for i := range m.windows {
		d.window(&m.windows[i])
	}
	for i := range m.quotas {
		m.quotas[i] = quota{until: d.time(), left: int(d.varint(-maxCount, maxCount)), total: int(d.varint(0, maxCount)), next: d.time()}
	}
	m.throttle = throttle{
		until: d.time(), bursts: d.count(), reducedLimit: d.count(), fullLimit: d.count(), quietSince: d.time(),
		burstEnd: d.uvarint(), // in the order in which they were written
	}
	m.granted = d.uvarint()
	for class := range Classes {
		m.inFlight[class], m.passed[class] = d.count(), d.count()
	}
	d.require(len(d.data) == 0)
	if d.bad {
		return nil, ErrEncoding
	}
	return m, nil
}

// decoder takes numbers from the front of data. Once one was bad all are zero.
type decoder struct {
	data []byte
	bad  bool
}

// latest is the year 5138: times beyond are nonsense, and would overflow.
const latest = 100_000_000_000_000

func (d *decoder) window(w *window) {
	slots := d.size(int64(len(d.data))) // each takes a byte at least
	before := Millis(0)
	if slots > 0 {
		before = d.time()
	}
	for range slots {
		if d.bad {
			return
		}
		distance := d.size(4 * latest)
		s := slot{first: before + Millis(distance/2), count: 1}
		s.last, before = s.first, s.first
		if distance%2 == 0 {
			s.last += Millis(d.size(latest))
			s.count = int(d.size(maxCount))
		}
		w.slots = append(w.slots, s)
		w.sum += s.count
		d.require(s.last <= latest && w.sum <= maxCount)
	}
}

func (d *decoder) require(ok bool) {
	if !ok {
		d.data, d.bad = nil, true
	}
}

func (d *decoder) byte() (b byte) {
	if len(d.data) == 0 {
		d.require(false)
		return 0
	}
	b, d.data = d.data[0], d.data[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.require(false)
		return 0
	}
	d.data = d.data[size:]
	return n
}

// size is a number that is never negative.
func (d *decoder) size(most int64) int64 {
	n := d.uvarint()
	if n > math.MaxInt64 || int64(n) > most {
		d.require(false)
		return 0
	}
	return int64(n)
}

func (d *decoder) varint(least, most int64) int64 {
	n, size := binary.Varint(d.data)
	if size <= 0 || n < least || n > most {
		d.require(false)
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) time() Millis { return Millis(d.varint(-latest, latest)) }
func (d *decoder) count() int   { return int(d.varint(0, maxCount)) }
