package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is how close two signals are to be one: a terminal that is closed,
// and a shell that ends its jobs, send several.
const sameSignal = 500 * time.Millisecond

// interruptible returns a context that the first Ctrl-C ends, or a SIGTERM, or
// the end of the terminal, or that of whoever reads the output. A second signal
// ends the process: nothing is lost by that either, for what matters is on disk
// before anything is sent.
func interruptible(ctx context.Context, e *env) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	e.stop = cancel
	wanted := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		wanted = append(wanted, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, wanted...)
	signal.Ignore(syscall.SIGPIPE) // a write then fails, which out notices
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			if e.stderrTerminal {
				e.raw("\r") // the terminal wrote ^C, and bars are drawn from the first column on
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
			case time.Since(first) >= sameSignal:
				e.complain("interrupted twice")
				e.groups.kill()
				os.Exit(exitInterrupted)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
