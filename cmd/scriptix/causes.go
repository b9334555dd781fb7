package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// causes collects what failed, so that many recordings with one cause are one
// message with a count. A message waits a second for more of its cause, one that
// holds for the whole batch until the end.
type causes struct {
	view progress

	mu   sync.Mutex
	list []*cause
}

// cause is what is wrong with some recordings.
type cause struct {
	text  string // one of them
	many  string // several
	hold  bool   // until the end
	count bool   // its words begin with how many there are, and the names follow
	names []string
	last  time.Time
}

const causeGap = time.Second

func newCauses(view progress) *causes { return &causes{view: view} }

// add tells what is wrong with a recording. Those with the same words for
// several are told together.
func (c *causes) add(name string, one cause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, known := range c.list {
		if known.many == one.many {
			known.names, known.last = append(known.names, name), now
			return
		}
	}
	one.names, one.last = []string{name}, now
	c.list = append(c.list, &one)
}

// flush prints the messages that nothing was added to for a while, or all.
func (c *causes) flush(all bool) {
	c.mu.Lock()
	var due, kept []*cause
	for _, one := range c.list {
		if all || !one.hold && time.Since(one.last) >= causeGap {
			due = append(due, one)
		} else {
			kept = append(kept, one)
		}
	}
	c.list = kept
	c.mu.Unlock()
	for _, one := range due {
		c.view.complain("%s", one.String())
	}
}

// String is the message.
func (c *cause) String() string {
	slices.Sort(c.names) // they came as they ended
	switch {
	case c.count && len(c.names) == 1:
		return fmt.Sprintf("1 recording %s (%s)", c.text, oneLine(c.names[0]))
	case c.count:
		return fmt.Sprintf("%d recordings %s (%s)", len(c.names), c.many, named(c.names))
	case len(c.names) == 1:
		return fmt.Sprintf("%s: %s", oneLine(c.names[0]), c.text)
	}
	return several(c.names, "recordings") + ": " + c.many
}
