package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"
)

// env is what a command sees of the process around it.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	stdinTerminal  bool
	stdoutTerminal bool
	stderrTerminal bool

	groups groups         // programs that were started
	roots  *x509.CertPool // of the servers behind URLs; nil: the system's
	pause  time.Duration  // before such a server is asked again; 0: as long as usual

	quiet  bool        // nothing is told but what failed
	closed atomic.Bool // whoever read the output has gone
	stop   func()      // ends the program as SIGTERM does
	mu     sync.Mutex  // a line is written whole
}

// garbage is how much may come on top of what is in use before it is collected,
// in percent. A transcript of a day is hundreds of megabytes in each of its
// shapes, which are needed one after the other: this keeps the peak below eight
// times the answer, for a tenth more of processor time.
const garbage = 30

// frugal is called by commands that may read transcripts. The others end before
// the first collection, and start sooner without one.
func (e *env) frugal() {
	if e.getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

func processEnv() *env {
	e := &env{
		stdin: os.Stdin, getenv: os.Getenv,
		stdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: canDraw(os.Stderr),
	}
	e.stdout, e.stderr = out{os.Stdout, e}, out{os.Stderr, e}
	return e
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

// width is that of the terminal which shows the output; 0 where none does.
func (e *env) width() int {
	if !e.stdoutTerminal {
		return 0
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
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

// tried deals with a line of output that could not be written. When its reader
// has gone, as head does, the program stops as it does for SIGTERM.
func (e *env) tried(err error) {
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		e.complain("standard output: %s", explain(err))
	}
}

// out is where the process writes to: it notices when nobody reads any more.
type out struct {
	io.Writer
	e *env
}

func (o out) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) && !o.e.closed.Swap(true) && o.e.stop != nil {
		o.e.stop()
	}
	return n, err
}

// note writes a line for people beside the output.
func (e *env) note(format string, args ...any) {
	if e.quiet {
		return
	}
	e.say(format, args...)
}

func (e *env) say(format string, args ...any) {
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
func (e *env) complain(format string, args ...any) { e.say("scriptix: "+format, args...) }
