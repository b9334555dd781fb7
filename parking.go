package scriptix

import (
	"container/list"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/due"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const (
	maxParked    = 10_000
	parkedFor    = 72 * time.Hour
	maxParkedRaw = 4 << 10 // bytes of a body that are kept with it
)

// parking keeps authentic events of jobs that are not known yet: a callback may
// come before Submit's own answer, or before a restarted process asks for the
// job. The first of a job is kept, the oldest go first.
type parking struct {
	byID  map[string]*list.Element
	order list.List // of *parkedEvent
}

type parkedEvent struct {
	event webhook.Event
	told  due.State
	at    time.Duration
}

func newParking() parking { return parking{byID: make(map[string]*list.Element)} }

func (s *scheduler) park(e webhook.Event, told due.State) {
	now := s.now()
	s.expireParked(now)
	if before, ok := s.parked.byID[e.Data.ID]; ok {
		if before.Value.(*parkedEvent).told == told {
			s.stats.Duplicates++
		} else {
			s.stats.Contradictions++
		}
		return
	}
	if len(e.Raw) > maxParkedRaw {
		e.Raw = nil
	}
	e.Data.Error = "" // a status request brings the reason
	s.parked.byID[e.Data.ID] = s.parked.order.PushBack(&parkedEvent{e, told, now})
	for len(s.parked.byID) > maxParked {
		s.dropParked(s.parked.order.Front())
	}
}

// unpark takes out the event of a job that has become known.
func (s *scheduler) unpark(id string) (*parkedEvent, bool) {
	s.expireParked(s.now())
	element, ok := s.parked.byID[id]
	if !ok {
		return nil, false
	}
	delete(s.parked.byID, id)
	return s.parked.order.Remove(element).(*parkedEvent), true
}

func (s *scheduler) expireParked(now time.Duration) {
	for element := s.parked.order.Front(); element != nil && now-element.Value.(*parkedEvent).at > parkedFor; element = s.parked.order.Front() {
		s.dropParked(element)
	}
}

func (s *scheduler) dropParked(element *list.Element) {
	delete(s.parked.byID, s.parked.order.Remove(element).(*parkedEvent).event.Data.ID)
	s.stats.ParkedDropped++
}
