package main

import (
	"context"
	"os/exec"
	"sync"
)

// groups are the programs that run, each with its children in a process group of
// its own: a terminal's Ctrl-C does not reach them, so whoever ends this process
// ends them.
type groups struct {
	mu      sync.Mutex
	running map[*exec.Cmd]bool
	ended   bool
}

// start starts a program. The function that it returns is to be called once that
// has ended.
func (g *groups) start(cmd *exec.Cmd) (ended func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil, context.Canceled
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if g.running == nil {
		g.running = make(map[*exec.Cmd]bool)
	}
	g.running[cmd] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.running, cmd)
	}, nil
}

// kill ends all of them, and lets no other start.
func (g *groups) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for cmd := range g.running {
		killGroup(cmd)
	}
}
