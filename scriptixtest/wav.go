package scriptixtest

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// wavMeter finds out how long a WAV is while its bytes pass by. It keeps a few dozen of them at most.
type wavMeter struct {
	part  wavPart
	need  int    // bytes of buf that complete the part
	buf   []byte // what was gathered of the part
	skip  uint64 // bytes of the present chunk to be passed over
	bad   bool
	rate  uint32 // sample rate
	align uint16 // bytes per frame
	bytes uint32 // bytes per second, for formats whose frames have no fixed length
	plain bool   // frames have a fixed length
	size  uint64 // announced size of the samples
	seen  uint64 // bytes of them that came
	data  bool
}

type wavPart int

const (
	wavRIFF wavPart = iota
	wavChunk
	wavFormat
	wavSamples
)

// Write never fails.
func (m *wavMeter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && !m.bad {
		if m.skip > 0 {
			n := min(uint64(len(p)), m.skip)
			m.skip -= n
			if m.part == wavSamples {
				m.seen += n
			}
			p = p[n:]
			continue
		}
		if m.part == wavSamples { // all samples came: nothing behind them matters
			break
		}
		if m.need == 0 {
			m.need = 12 // RIFF, size, WAVE
		}
		n := min(m.need-len(m.buf), len(p))
		m.buf = append(m.buf, p[:n]...)
		p = p[n:]
		if len(m.buf) == m.need {
			m.complete()
			m.buf = m.buf[:0]
		}
	}
	return total, nil
}

// Duration is the length of the audio that came, 0 if it is no WAV.
func (m *wavMeter) Duration() time.Duration {
	if m.bad || !m.data {
		return 0
	}
	size := min(m.size, m.seen)
	count, perSecond := size, uint64(m.bytes)
	if m.plain {
		count, perSecond = size/uint64(m.align), uint64(m.rate)
	}
	if perSecond == 0 {
		return 0
	}
	hi, lo := bits.Mul64(count, uint64(time.Second))
	if hi >= perSecond {
		return math.MaxInt64
	}
	d, _ := bits.Div64(hi, lo, perSecond)
	return time.Duration(min(d, math.MaxInt64))
}

// complete handles a part whose bytes have all come, and says what comes next.
func (m *wavMeter) complete() {
	b := m.buf
	switch m.part {
	case wavRIFF:
		id := string(b[:4])
		m.bad = id != "RIFF" && id != "RF64" || string(b[8:12]) != "WAVE"
		m.part, m.need = wavChunk, 8
	case wavChunk:
		size := binary.LittleEndian.Uint32(b[4:8])
		switch string(b[:4]) {
		case "fmt ":
			if size < 16 {
				m.bad = true
				return
			}
			m.need = int(min(size, 40))
			m.skip = 0
			m.part = wavFormat
			m.size = uint64(size) // until the format is read
		case "data":
			if m.rate == 0 {
				m.bad = true // samples of unknown format
				return
			}
			m.part, m.data = wavSamples, true
			m.size = uint64(size)
			if size == 0 || size == math.MaxUint32 { // a recorder that streamed, or more than 4 GiB: up to the end
				m.size = math.MaxUint64
			}
			m.skip = m.size
		default:
			m.skip = uint64(size) + uint64(size&1) // chunks are padded to an even length
		}
	case wavFormat:
		format := binary.LittleEndian.Uint16(b[0:2])
		m.rate = binary.LittleEndian.Uint32(b[4:8])
		m.bytes = binary.LittleEndian.Uint32(b[8:12])
		m.align = binary.LittleEndian.Uint16(b[12:14])
		if format == 0xFFFE && len(b) >= 26 { // WAVE_FORMAT_EXTENSIBLE: the format is in front of the GUID
			format = binary.LittleEndian.Uint16(b[24:26])
		}
		switch format {
		case 1, 3, 6, 7: // PCM, float, A-law, mu-law
			m.plain = m.align > 0
		}
		m.bad = m.rate == 0 || !m.plain && m.bytes == 0
		m.skip = m.size - uint64(len(b)) + m.size&1
		m.size = 0
		m.part, m.need = wavChunk, 8
	}
}
