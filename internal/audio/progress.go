package audio

import (
	"sync"
	"time"
)

// Meter turns the counts of attempts into calls of OnProgress's function.
type Meter struct {
	fn    func(sent, total int64)
	total int64

	mu     sync.Mutex
	most   int64 // the furthest any attempt came
	told   int64
	last   time.Time
	called bool
	over   bool
}

const progressGap = time.Second / 20

// NewMeter makes the meter of one recording of total bytes, -1 when that is unknown.
func NewMeter(fn func(sent, total int64), total int64) *Meter { return &Meter{fn: fn, total: total} }

// Report returns what an attempt calls, nil when nobody asks.
func (m *Meter) Report() func(sent, total int64) {
	if m.fn == nil {
		return nil
	}
	return func(sent, total int64) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.total = total
		if m.over || sent <= m.most {
			return
		}
		m.most = sent
		if now := time.Now(); now.Sub(m.last) >= progressGap {
			m.last = now
			m.tell()
		}
	}
}

// Finish makes the last call, with what was reached.
func (m *Meter) Finish() {
	if m.fn == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	if !m.called || m.told != m.most {
		m.tell()
	}
}

func (m *Meter) tell() {
	m.called, m.told = true, m.most
	m.fn(m.most, m.total)
}
