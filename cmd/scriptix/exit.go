package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/scriptix-io/scriptix-go"
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
	if err == nil {
		return exitDone
	}
	code := exitFailed
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

// explain is an error as one line, with what to do about it.
func explain(err error) string {
	text := prefixes.Replace(oneLine(err.Error()))
	if advice := advise(err); advice != "" {
		return text + "; " + advice
	}
	return text
}

// prefixes are those of the packages below: the program has its own.
var prefixes = strings.NewReplacer("scriptix: ", "", "batch: ", "", "webhook: ", "", "scriptixtest: ", "")

func advise(err error) string {
	_, resumable := errors.AsType[*scriptix.UploadInterruptedError](err)
	switch {
	case errors.Is(err, scriptix.ErrUnknownOutcome):
		return "look into the account before it is sent again, for it may be billed twice"
	case resumable:
		return "run it again to go on with the upload"
	case errors.Is(err, scriptix.ErrUnauthorized):
		return "check the key in $" + keyVariable + " or its file, or run scriptix doctor"
	case errors.Is(err, scriptix.ErrQuota):
		return "the account's quota is used up; upgrade the plan or wait"
	case errors.Is(err, scriptix.ErrForbidden):
		return "the key lacks the permission for this"
	case errors.Is(err, scriptix.ErrTooLarge):
		return "split the recording or encode it smaller"
	}
	return ""
}

// oneLine makes a text fit for one line of a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}
