package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/scriptix-io/scriptix-go/batch"
)

// execFlags name the program that is run for each recording that is done.
type execFlags struct {
	Exec        string        `placeholder:"COMMAND" help:"Run a program, as 'upload --to archive', for each recording that is done. There is no shell; its standard input is the recording's --json object. A failure is repeated by the next run, a success never."`
	ExecTimeout time.Duration `name:"exec-timeout" default:"10m" placeholder:"DURATION" help:"End the program of --exec, and what it has started, after so long (${default})."`
	ExecJobs    int           `name:"exec-jobs" default:"2" placeholder:"N" help:"Programs of --exec at once (${default})."`

	program *program
}

// program is a command without a shell.
type program struct {
	path string // absolute, as found when the flags were read
	args []string
}

// name is what the user calls the program.
func (p *program) name() string { return oneLine(p.args[0]) }

// find looks the program up, so that a missing one is told before anything is sent.
func (f *execFlags) find() error {
	switch {
	case f.ExecTimeout <= 0:
		return usage("--exec-timeout %v: want more than 0", f.ExecTimeout)
	case f.ExecJobs < 1:
		return usage("--exec-jobs %d: want 1 or more", f.ExecJobs)
	case f.Exec == "":
		return nil
	}
	args, err := shellquote.Split(f.Exec)
	switch {
	case err != nil:
		return usage("--exec %s: %s", oneLine(f.Exec), strings.ToLower(err.Error()))
	case len(args) == 0 || args[0] == "":
		return usage("--exec %q: names no program", f.Exec)
	}
	path, err := exec.LookPath(args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return usage("--exec %w; nothing was sent", err)
	}
	f.program = &program{path: path, args: args}
	return nil
}

// secretVariables are not handed on to a program: it need not know them, and its
// own children and crash reports would have them too.
var secretVariables = []string{keyVariable, secretVariable}

// withoutSecrets is the environment of this process, as a program gets it.
func withoutSecrets() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(secretVariables, name)
	})
}

// place names where an entry's files lie, for the ledger: it stays the same when
// a folder is moved together with its ledger, and tells nothing of the names.
func (f *batchFlags) place(e *entry) string {
	beside, err := filepath.Abs(filepath.Dir(f.ledgerPath()))
	if err != nil {
		beside = ""
	}
	out, err := filepath.Rel(beside, string(e.Out))
	if err != nil {
		out = string(e.Out)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{filepath.ToSlash(out), filepath.ToSlash(e.Dir), e.Stem}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// follows reports whether the program of --exec has succeeded for an entry.
func (f *batchFlags) follows(e *entry, rec batch.Record) bool {
	return f.program != nil && rec.WasFollowed(f.place(e))
}

// owes reports whether the program of --exec is still to be run for an entry that
// is done. It is not where the entry's files cannot come any more.
func (f *batchFlags) owes(e *entry, rec batch.Record) bool {
	return e.complete() && f.unfollowed(e, rec)
}

// unfollowed is the same of an entry whose files were just written: until it is
// finished it may still be taken for that of the recording before it. What was
// forgotten is left alone.
func (f *batchFlags) unfollowed(e *entry, rec batch.Record) bool {
	done := rec.Phase == batch.Done || rec.Phase == batch.Erasing
	return f.program != nil && done && rec.Name != "" && !rec.WasFollowed(f.place(e))
}

// takenAway reports whether none of an entry's files is there.
func (e *entry) takenAway() bool {
	return !slices.ContainsFunc(e.outputs(e.Stem), exists)
}
