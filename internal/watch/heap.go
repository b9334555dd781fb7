package watch

import "container/heap"

// recordHeap orders records: those due later by their time, those that are due
// by who waits for them.
type recordHeap struct {
	records []*record
	place   place
}

func (h *recordHeap) top() *record     { return h.records[0] }
func (h *recordHeap) push(r *record)   { heap.Push(h, r) }
func (h *recordHeap) fix(r *record)    { heap.Fix(h, int(r.index)) }
func (h *recordHeap) remove(r *record) { heap.Remove(h, int(r.index)) }
func (h *recordHeap) init()            { heap.Init(h) }

// rank is how urgent a record that is due is: 0 goes first.
func (r *record) rank() int {
	switch {
	case r.phase == confirming && r.asked == 0: // a failure that stays unconfirmed does not go before others
		return 0
	case r.reason == spare && !r.urgent:
		return 5
	case r.reason == spare:
		return 4
	case r.urgent:
		return 1
	case r.overtaken:
		return 2
	}
	return 3
}

// Len, Less, Swap, Push and Pop are for [container/heap].
func (h *recordHeap) Len() int { return len(h.records) }

func (h *recordHeap) Less(i, j int) bool {
	a, b := h.records[i], h.records[j]
	if h.place == inReady {
		if x, y := a.rank(), b.rank(); x != y {
			return x < y
		}
	}
	return a.due < b.due
}

func (h *recordHeap) Swap(i, j int) {
	h.records[i], h.records[j] = h.records[j], h.records[i]
	h.records[i].index, h.records[j].index = int32(i), int32(j) //nolint:gosec // memory ends long before
}

func (h *recordHeap) Push(x any) {
	r := x.(*record)
	r.place, r.index = h.place, int32(len(h.records)) //nolint:gosec // as above
	h.records = append(h.records, r)
}

func (h *recordHeap) Pop() any {
	last := len(h.records) - 1
	r := h.records[last]
	h.records[last] = nil
	h.records = h.records[:last]
	r.place = nowhere
	return r
}
