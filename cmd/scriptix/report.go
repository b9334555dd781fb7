package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// reported is an outcome as --json prints it.
type reported struct {
	File     string   `json:"file"`
	State    string   `json:"state"` // done, skipped, failed, rejected, unknown or interrupted
	JobID    string   `json:"job_id,omitempty"`
	Outputs  []string `json:"outputs,omitempty"`
	Seconds  float64  `json:"duration_seconds,omitempty"` // of the audio
	Source   string   `json:"source,omitempty"`           // how the end was learned: webhook or poll
	Attempts int      `json:"attempts,omitempty"`
	Error    string   `json:"error,omitempty"`
}

// report prints what became of one recording.
func (t *transcription) report(one *entry, o batch.Outcome) error {
	t.mu.Lock()
	t.counts[o.State]++
	t.mu.Unlock()
	t.view.sent(o.Key)
	line := reported{File: one.shown, State: string(o.State), JobID: o.JobID, Source: string(o.Source), Attempts: o.Attempts}
	switch o.State {
	case batch.StateDone:
		t.view.ended(one.size, false)
		one.finish()
	case batch.StateSkipped:
		t.view.skip(one.size)
		one.finish()
	default:
		t.view.ended(one.size, true)
	}
	if o.Transcript != nil {
		line.Seconds = o.Transcript.Duration.Seconds()
	}
	if o.State == batch.StateDone || o.State == batch.StateSkipped {
		for _, path := range one.outputs(one.Stem) {
			line.Outputs = append(line.Outputs, shorten(path))
		}
	} else {
		line.Error = outcomeProblem(o)
	}
	if t.flags.JSON {
		return t.env.object(line)
	}
	return t.say(line)
}

func (t *transcription) say(line reported) error {
	switch batch.State(line.State) {
	case batch.StateDone:
		return t.view.printf("%s: done, %s", oneLine(line.File), oneLine(together(line.Outputs)))
	case batch.StateSkipped:
		return t.view.printf("%s: skipped, done before", oneLine(line.File))
	case batch.StateInterrupted:
		if line.Error == "" {
			return nil // the last line says it for all of them
		}
	}
	t.view.complain("%s: %s", oneLine(line.File), line.Error)
	return nil
}

// outcomeProblem says in one line why there is no transcript; "" for what was
// merely stopped.
func outcomeProblem(o batch.Outcome) string {
	switch {
	case o.State == batch.StateFailed:
		if failed, ok := errors.AsType[*scriptix.JobFailedError](o.Err); ok && failed.Job.Failure != "" {
			return fmt.Sprintf("job %s failed: %s", o.JobID, oneLine(failed.Job.Failure))
		}
		return fmt.Sprintf("job %s failed, and the service does not say why", o.JobID)
	case o.State == batch.StateUnknown:
		return explain(o.Err) + ", or send it again with --resubmit-after"
	case o.State == batch.StateInterrupted && errors.Is(o.Err, context.Canceled):
		return ""
	case o.Err == nil:
		return "no reason was given"
	}
	return explain(o.Err)
}

// fail reports a recording that never got as far as the batch.
func (t *transcription) fail(one *entry, err error) {
	if err := t.report(one, batch.Outcome{State: batch.StateRejected, Err: err}); err != nil {
		t.env.complain("%s", explain(err))
	}
}

// conclude says how it went, and makes the exit code of it.
func (t *transcription) conclude(ctx context.Context, all int, took time.Duration) error {
	t.mu.Lock()
	n := t.counts
	t.mu.Unlock()
	done, skipped := n[batch.StateDone], n[batch.StateSkipped]
	failed := n[batch.StateFailed] + n[batch.StateRejected] + n[batch.StateUnknown]
	open := all - done - skipped - failed
	words := []string{fmt.Sprintf("%d done", done)}
	for _, part := range []struct {
		n    int
		word string
	}{{skipped, "skipped"}, {failed, "failed"}, {open, "open"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	t.env.note("%s in %v", strings.Join(words, ", "), took.Round(100*time.Millisecond))
	switch {
	case ctx.Err() != nil && open > 0:
		return interrupted("interrupted; nothing is lost or paid twice, go on with: %s", t.hint)
	case failed+open > 0:
		return errTold
	}
	return nil
}

// finish notes that an entry is done, and removes what was kept for it.
func (e *entry) finish() {
	e.Done = true
	if e.Spooled {
		_ = os.Remove(e.Path) // a copy of standard input
	}
}

// write writes the entry's files, and makes no difference if they are there.
func (e *entry) write(t *scriptix.Transcript, embed bool) error {
	for i, path := range e.outputs(e.Stem) {
		source := media{name: filepath.Base(e.shown), path: e.Path, page: path, embed: embed, gone: e.Spooled && !embed}
		if err := writeTranscript(path, e.Formats[i], t, source); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether all of the entry's files are there.
func (e *entry) complete() bool {
	for _, path := range e.outputs(e.Stem) {
		if !exists(path) {
			return false
		}
	}
	return true
}

// together writes the paths of one recording as a shell's braces do, since they
// differ in their extensions alone.
func together(paths []string) string {
	if len(paths) < 2 {
		return strings.Join(paths, "")
	}
	var extensions []string
	for _, path := range paths {
		extensions = append(extensions, strings.TrimPrefix(filepath.Ext(path), "."))
	}
	return strings.TrimSuffix(paths[0], filepath.Ext(paths[0])) + ".{" + strings.Join(extensions, ",") + "}"
}

// shorten is a path as seen from here, where that is shorter.
func shorten(path string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
			return rel
		}
	}
	return path
}
