package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 3
)

// exitError is an error that knows its exit code. With quiet everything was
// said already.
type exitError struct {
	code  int
	quiet bool
	err   error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is an error in how the program was called: nothing was sent.
func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// interrupted is an end before the end, after which everything can go on.
func interrupted(format string, args ...any) error {
	return &exitError{code: exitInterrupted, err: fmt.Errorf(format, args...)}
}

// errTold ends the program when each failure was reported by itself.
var errTold = &exitError{code: exitFailed, quiet: true, err: errors.New("some of it failed")}

// parseError says how to get help beside what is wrong with the arguments.
func parseError(err error) error {
	help := "scriptix --help"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		if c := parse.Context.Command(); c != "" {
			help = "scriptix " + strings.Fields(c)[0] + " --help"
		}
	}
	return usage("%w; see %s", err, help)
}

// fail says what went wrong, in one line, and returns the exit code.
func (e *env) fail(err error) int {
	switch {
	case err == nil && e.closed.Load():
		return exitInterrupted // whoever read the output did not read all of it
	case err == nil:
		return exitDone
	}
	code := exitFailed
	if e.closed.Load() && errors.Is(err, syscall.EPIPE) {
		return exitInterrupted
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		if exit.quiet {
			return code
		}
	} else if errors.Is(err, context.Canceled) {
		code = exitInterrupted
	}
	e.complain("%s", explain(err))
	return code
}
