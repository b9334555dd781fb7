package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// env is what a command sees of the process around it.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	stdoutTerminal bool
	stderrTerminal bool

	mu sync.Mutex // a line is written whole
}

func processEnv() *env {
	return &env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: canDraw(os.Stderr),
	}
}

// canDraw reports whether bars can be drawn: on a terminal that can move its
// cursor, and of a size that is known.
func canDraw(f *os.File) bool {
	if !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return false
	}
	width, height, err := term.GetSize(int(f.Fd()))
	return err == nil && width > 0 && height > 0
}

// printf writes a line of output.
func (e *env) printf(format string, args ...any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := fmt.Fprintf(e.stdout, format+"\n", args...)
	return err
}

// object writes a value as one line of JSON.
func (e *env) object(v any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// note writes a line for people beside the output.
func (e *env) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...) // nobody is left to be told
}

// raw writes to the terminal as it is.
func (e *env) raw(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = io.WriteString(e.stderr, text) // nobody is left to be told
}

// complain writes a line about something that is wrong.
func (e *env) complain(format string, args ...any) { e.note("scriptix: "+format, args...) }
