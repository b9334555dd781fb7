package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// execGrace is how long a program has to end after it was asked to.
const execGrace = 5 * time.Second

// execs runs the program of --exec, for some recordings at a time. Those that
// wait stand in a list, so that a slow program holds no upload up.
type execs struct {
	t     *transcription
	each  func(execTask)
	ctx   context.Context //nolint:containedctx // of the run: its end ends what is running
	grace time.Duration

	// For the ledger: what happened is stored though the run has ended.
	always context.Context //nolint:containedctx // without an end

	mu      sync.Mutex
	running int
	list    []execTask
	workers sync.WaitGroup
}

// execTask is a recording for which the program is to be run.
type execTask struct {
	one  *entry
	key  string
	line reported // as it is printed afterwards
	rec  batch.Record
}

func newExecs(ctx context.Context, t *transcription) *execs {
	x := &execs{t: t, ctx: ctx, always: context.WithoutCancel(ctx), grace: execGrace}
	x.each = x.do
	return x
}

// owed returns the record of an entry, if the program is still to be run for it.
func (x *execs) owed(one *entry, o batch.Outcome) (rec batch.Record, owed bool) {
	if x.t.flags.program == nil || o.State != batch.StateDone && o.State != batch.StateSkipped {
		return rec, false
	}
	owes := x.t.flags.owes
	if o.State == batch.StateDone {
		owes = x.t.flags.unfollowed
	}
	rec, err := x.t.ledger.Get(x.always, batch.ByKey, o.Key)
	return rec, err == nil && owes(one, rec)
}

// add has the program run for a recording, at once or when its turn comes.
func (x *execs) add(task execTask) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running == x.t.flags.ExecJobs {
		x.list = append(x.list, task)
		return
	}
	x.running++
	x.workers.Go(func() {
		for more := true; more; task, more = x.next() {
			x.each(task)
		}
	})
}

// next takes the recording that has waited longest. Without one the worker ends.
func (x *execs) next() (task execTask, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.list) == 0 {
		x.running--
		return task, false
	}
	task, x.list = x.list[0], x.list[1:]
	return task, true
}

// wait waits until all have ended. Nothing is added any more.
func (x *execs) wait() { x.workers.Wait() }

// do runs the program for a recording, keeps in the ledger what came of it, and
// reports the recording.
func (x *execs) do(task execTask) {
	err := x.run(task)
	interrupted := x.ctx.Err() != nil && err != nil
	if !interrupted {
		// What is not stored is repeated, so it must not be said that it is done.
		if stored := batch.FollowUp(x.always, x.t.ledger, task.key, x.t.flags.place(task.one), err); err == nil {
			err = stored
		}
	}
	x.t.followed(task, err, interrupted)
}

// run runs the program once. Its output goes to standard error.
func (x *execs) run(task execTask) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	flags := x.t.flags
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	enc.SetEscapeHTML(false) // as --json prints it
	if err := enc.Encode(task.input()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(x.ctx, flags.ExecTimeout)
	defer cancel()
	output := &programLines{view: x.t.view}
	defer output.flush()
	cmd := exec.CommandContext(ctx, flags.program.path, flags.program.args[1:]...) //nolint:gosec // it is the user's own program
	cmd.Args[0] = flags.program.args[0]
	cmd.Env = withoutSecrets()
	cmd.Stdin = &input
	cmd.Stdout, cmd.Stderr = output, output
	// What the program has left in the background may hold its output open.
	cmd.WaitDelay = x.grace
	ownGroup(cmd)
	started, err := x.t.env.groups.start(cmd)
	if err != nil {
		return err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		killGroup(cmd) // those of its children that did not end when they were asked to
	}
	started()
	switch {
	case errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return nil
	case err != nil && x.ctx.Err() != nil:
		return x.ctx.Err()
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("it was ended after %v", flags.ExecTimeout)
	}
	return err
}

// input is what the program reads. It is the same whenever it is run: a recording
// that a later run skips is done all the same.
func (k execTask) input() reported {
	line := k.line
	line.State, line.Source, line.Attempts = string(batch.StateDone), k.rec.Source, k.rec.Attempts
	line.JobID = k.rec.JobID
	if line.Seconds == 0 {
		line.Seconds = k.rec.Duration.Seconds()
	}
	return line
}

// followed reports a recording for which the program has ended, or was not run
// because the run ended before.
func (t *transcription) followed(task execTask, err error, interrupted bool) {
	line, why := task.line, cause{}
	switch {
	case err == nil:
		line.Exec = "done"
	case interrupted:
		line.Exec = "interrupted"
	default:
		line.Exec, line.ExecError = "failed", oneLine(err.Error())
		text := fmt.Sprintf("--exec %s failed: %s; the next run with --exec repeats it", t.flags.program.name(), oneLine(err.Error()))
		why = cause{text: text, many: text}
	}
	if !t.watched.ran(task.one, err, why.text) {
		return // it failed again, as before
	}
	t.mu.Lock()
	switch line.Exec {
	case "interrupted":
		t.execOpen++
	case "failed":
		t.execFailed++
	}
	t.mu.Unlock()
	if interrupted && t.watched.quiet(batch.State(line.State)) {
		return // thousands may have waited for their turn
	}
	t.tell(line, why)
}

// programLines passes on what programs write, in whole lines.
type programLines struct {
	view progress

	mu   sync.Mutex
	part []byte
}

// longestPart is how much is kept of a line that does not end.
const longestPart = 64 << 10

func (w *programLines) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		line, rest, found := bytes.Cut(w.part, []byte("\n"))
		if !found && len(line) < longestPart {
			break
		}
		w.view.line(string(bytes.TrimSuffix(line, []byte("\r"))))
		w.part = rest
	}
	if len(w.part) == 0 {
		w.part = nil
	}
	return len(p), nil
}

func (w *programLines) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.view.line(string(w.part))
		w.part = nil
	}
}
