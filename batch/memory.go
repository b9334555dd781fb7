package batch

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Memory returns a ledger that keeps everything in memory and forgets it with
// the process: for tests, and for batches that need not be resumed.
func Memory() Ledger {
	return &memory{
		records: make(map[string]Record), jobs: make(map[string]string), tokens: make(map[string]string),
		parked: make(map[string][]Event),
	}
}

type memory struct {
	budgets
	hub ledger.Hub

	mu      sync.Mutex
	closed  bool
	records map[string]Record
	jobs    map[string]string // job id to key
	tokens  map[string]string
	parked  map[string][]Event // by job id, the oldest first
	order   []string           // job ids, the one that was parked first in front
	budget  []byte
}

// enter locks the ledger for one call.
func (m *memory) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, ErrClosed
	}
	return m.mu.Unlock, nil
}

func (m *memory) Claim(ctx context.Context, r Record) (Record, bool, error) {
	if err := ledger.CheckClaim(r); err != nil {
		return Record{}, false, err
	}
	leave, err := m.enter(ctx)
	if err != nil {
		return Record{}, false, err
	}
	defer leave()
	if stored, taken := m.records[r.Key]; taken {
		return stored, false, nil
	}
	if _, taken := m.tokens[r.Token]; taken {
		return Record{}, false, ledger.ErrTokenTaken
	}
	r.Revision = 1
	m.records[r.Key], m.tokens[r.Token] = r, r.Key
	return r, true, nil
}

func (m *memory) Get(ctx context.Context, by Index, value string) (Record, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return Record{}, err
	}
	defer leave()
	switch by {
	case ByJob:
		value = m.jobs[value]
	case ByToken:
		value = m.tokens[value]
	}
	r, ok := m.records[value]
	if !ok {
		return Record{}, ErrNoRecord
	}
	return r, nil
}

func (m *memory) Apply(ctx context.Context, key string, change func(Record) (Record, error)) (Record, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return Record{}, err
	}
	defer leave()
	old, ok := m.records[key]
	if !ok {
		return Record{}, ErrNoRecord
	}
	r, err := ledger.Change(old, change)
	if err != nil || r == old {
		return old, err
	}
	if r.JobID != old.JobID {
		if _, taken := m.jobs[r.JobID]; taken {
			return old, ErrJobTaken
		}
		for _, e := range m.parked[r.JobID] {
			r = Heard(r, e)
		}
		m.unpark(r.JobID)
		m.jobs[r.JobID] = key
	}
	if r.Token != old.Token {
		if _, taken := m.tokens[r.Token]; taken {
			return old, ledger.ErrTokenTaken
		}
		delete(m.tokens, old.Token)
		m.tokens[r.Token] = key
	}
	r.Revision = old.Revision + 1
	m.records[key] = r
	if ledger.Wakes(old, r) {
		m.hub.Tell(key)
	}
	return r, nil
}

func (m *memory) Park(ctx context.Context, e Event) (string, error) {
	if err := ledger.CheckName(e.JobID); err != nil {
		return "", err
	}
	leave, err := m.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	if key, bound := m.jobs[e.JobID]; bound {
		return key, nil
	}
	events := m.parked[e.JobID]
	if len(events) == 0 {
		for len(m.order) > 0 && (len(m.order) >= ledger.MaxParked || time.Since(m.parked[m.order[0]][0].At) > ledger.ParkedFor) {
			m.unpark(m.order[0])
		}
		m.order = append(m.order, e.JobID)
	}
	if len(events) < ledger.MaxPerJob {
		m.parked[e.JobID] = append(events, e)
	}
	return "", nil
}

func (m *memory) unpark(jobID string) {
	if _, ok := m.parked[jobID]; !ok {
		return
	}
	delete(m.parked, jobID)
	m.order = slices.DeleteFunc(m.order, func(id string) bool { return id == jobID })
}

func (m *memory) Due(ctx context.Context, limit int, lease time.Duration) ([]Record, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	now := time.Now()
	var due []Record
	for _, r := range m.records {
		if !r.Due.IsZero() && !r.Due.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b Record) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Key, b.Key))
	})
	due = due[:min(max(limit, 0), len(due))]
	for i := range due {
		due[i].Due = ledger.Leased(now, lease)
		due[i].Revision++
		m.records[due[i].Key] = due[i]
	}
	return due, nil
}

func (m *memory) Watch(ctx context.Context) (<-chan string, error) { return m.hub.Watch(ctx) }

func (m *memory) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		leave, err := m.enter(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		records := slices.Collect(maps.Values(m.records))
		leave()
		slices.SortFunc(records, func(a, b Record) int {
			return cmp.Or(a.ClaimedAt.Compare(b.ClaimedAt), cmp.Compare(a.Key, b.Key))
		})
		for _, r := range records {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) LoadBudget(ctx context.Context) ([]byte, error) {
	leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return bytes.Clone(m.budget), nil
}

func (m *memory) StoreBudget(ctx context.Context, state []byte) error {
	leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	m.budget = bytes.Clone(state)
	return nil
}

func (m *memory) Close() error {
	err := m.stopBudget()
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.hub.Close()
	return err
}
