package batch_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// report is what the test asks of the service.
type report struct {
	Jobs                  []foreignJob
	Whole                 map[string]bool
	Requests, Most        int // Most: in any minute
	Refused, Uploads, Cut int
	Committed             map[string]int
}

// control answers the test, and is no part of the service.
func (s *foreign) control(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "redeliver":
		s.redeliver()
	case "killed":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.batches++
		s.given = ""
	case "limit":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.limit, _ = strconv.Atoi(r.URL.RawQuery)
		s.busy.Store(true)
	default:
		s.report(w)
	}
}

// redeliver returns once the callback of each job was taken. There are no more faults from then on.
func (s *foreign) redeliver() {
	s.still()
	s.mu.Lock()
	jobs := slices.Collect(maps.Values(s.jobs))
	s.mu.Unlock()
	var calls sync.WaitGroup
	for _, job := range jobs {
		calls.Go(func() { s.call(*job) })
	}
	calls.Wait()
}

func (s *foreign) report(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := report{Whole: s.whole, Cut: s.cut, Committed: s.counts(), Requests: len(s.times), Refused: s.refused, Uploads: len(s.uploads)}
	for _, job := range s.jobs {
		r.Jobs = append(r.Jobs, *job)
	}
	for i, at := range s.times {
		n := 0
		for _, later := range s.times[i:] {
			if later.Sub(at) <= time.Minute {
				n++
			}
		}
		r.Most = max(r.Most, n)
	}
	_ = json.NewEncoder(w).Encode(r)
}
