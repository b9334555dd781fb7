package main

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const (
	lateBy        = 30 * time.Second // after the end of the job, when a poll may have found out
	repeatedAfter = time.Second
)

// dose is how often something goes wrong.
type dose struct {
	times int     // the first so many times; negative: always
	share float64 // of all times, evenly spread; 0: times says

	mu  sync.Mutex
	sum float64
}

// strikes reports whether it goes wrong this time.
func (d *dose) strikes() bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.share > 0:
		if d.sum += d.share; d.sum < 1-1e-9 {
			return false
		}
		d.sum--
		return true
	case d.times > 0:
		d.times--
		return true
	}
	return d.times < 0
}

// faultNames are what --fault knows, for its message.
var faultNames = []string{"cut", "429", "5xx", "lost", "late", "repeated"}

// mockFaults is what --fault asks for, by name.
type mockFaults map[string]*dose

// parseFaults reads a list such as cut=1, 429=2, 5xx=10%, lost.
func parseFaults(list []string) (mockFaults, error) {
	faults := make(mockFaults)
	for _, item := range list {
		name, value, given := strings.Cut(strings.TrimSpace(item), "=")
		known := false
		for _, n := range faultNames {
			known = known || n == name
		}
		switch {
		case !known:
			return nil, usage("--fault %s: want some of %s, each alone or with a count or a share, as cut=1 or 5xx=10%%", oneLine(item), strings.Join(faultNames, ", "))
		case faults[name] != nil:
			return nil, usage("--fault %s: %s is named twice", oneLine(item), name)
		}
		d := &dose{times: -1}
		if given && value != "all" {
			percent, isShare := strings.CutSuffix(value, "%")
			number, err := strconv.ParseFloat(percent, 64)
			switch {
			case err == nil && isShare && number > 0 && number <= 100:
				d.share = number / 100
			case err == nil && !isShare && number >= 1 && number <= 1e6 && number == float64(int(number)):
				d.times = int(number)
			default:
				return nil, usage("--fault %s: want a count from 1 on, a share up to 100%%, or all", oneLine(item))
			}
		}
		faults[name] = d
	}
	return faults, nil
}

// put puts the faults of requests on the fake. Its own are counted there.
func (f mockFaults) put(server *scriptixtest.Server) {
	add := func(name string, fault scriptixtest.Fault) {
		if d := f[name]; d != nil {
			fault.Times, fault.Share = d.times, d.share
			if d.share > 0 {
				fault.Times = -1
			}
			server.Fault(fault)
		}
	}
	add("cut", scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
	add("429", scriptixtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"})
	add("5xx", scriptixtest.Fault{Status: http.StatusBadGateway})
}

// callback says how the callback of the next job behaves.
func (f mockFaults) callback() scriptixtest.Callback {
	var c scriptixtest.Callback
	c.Lose = f["lost"].strikes()
	if f["late"].strikes() {
		c.Delay = lateBy
	}
	if f["repeated"].strikes() {
		c.Repeat, c.RepeatEvery = 1, repeatedAfter
	}
	return c
}
