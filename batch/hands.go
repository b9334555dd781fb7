package batch

import "sync"

// inHand says which records the runs of this process are at, by their tokens,
// which no two records share. It belongs to the process, because several runs
// may use one ledger, each through a wrapper of its own: what one of them has in
// hand, no other takes for the leavings of a dead one.
var inHand = hands{records: make(map[string]*hand)}

type hands struct {
	mu      sync.Mutex
	records map[string]*hand
}

// hand is a record in hand, and who waits for it.
type hand struct {
	holder  *item
	waiting map[*item]func()
}

// take makes holder the one who is at the record. If somebody else is, free is
// called once that one lets go, and must not block.
func (h *hands) take(token string, holder *item, free func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.records[token]
	if held == nil {
		h.records[token] = &hand{holder: holder, waiting: make(map[*item]func())}
		return true
	}
	if held.holder == holder {
		return true
	}
	held.waiting[holder] = free
	return false
}

// release lets go of a record, if holder has it.
func (h *hands) release(token string, holder *item) {
	h.mu.Lock()
	held := h.records[token]
	if held == nil || held.holder != holder {
		h.mu.Unlock()
		return
	}
	delete(h.records, token)
	h.mu.Unlock()
	for _, free := range held.waiting {
		free()
	}
}
