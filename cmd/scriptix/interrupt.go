package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that the first Ctrl-C (or a SIGTERM) ends. The
// second ends the process: nothing is lost by that either, for what matters is
// on disk before anything is sent.
func interruptible(ctx context.Context, e *env) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			if e.stderrTerminal {
				e.raw("\r") // the terminal wrote ^C, and bars are drawn from the first column on
			}
			if ctx.Err() != nil {
				e.complain("interrupted twice")
				os.Exit(exitInterrupted)
			}
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
