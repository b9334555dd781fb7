package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// reported is an outcome as --json prints it.
type reported struct {
	File     string   `json:"file"`
	State    string   `json:"state"` // done, skipped, refused, failed, rejected, unknown or interrupted
	JobID    string   `json:"job_id,omitempty"`
	Outputs  []string `json:"outputs,omitempty"`
	Seconds  float64  `json:"duration_seconds,omitempty"` // of the audio
	Source   string   `json:"source,omitempty"`           // how the end was learned: webhook or poll
	Attempts int      `json:"attempts,omitempty"`
	Error    string   `json:"error,omitempty"`

	Exec      string `json:"exec,omitempty"` // what came of the program of --exec, if it was run: done, failed or interrupted
	ExecError string `json:"exec_error,omitempty"`
}

// stateRefused is that of a recording which this program would not send.
const stateRefused = "refused"

// report tells what became of one recording.
func (t *transcription) report(one *entry, o batch.Outcome) {
	if one.Spool != "" {
		t.fetch.release(string(one.Spool))
		if o.State != batch.StateUnknown && o.State != batch.StateInterrupted {
			one.dropSpool() // these may go on with the same bytes
		}
	}
	t.view.sent(o.Key)
	t.health.ended(o)
	line := reported{File: one.name(), State: string(o.State), JobID: o.JobID, Source: string(o.Source), Attempts: o.Attempts}
	if o.Transcript != nil {
		line.Seconds = o.Transcript.Duration.Seconds()
	}
	var why cause
	switch o.State {
	case batch.StateDone, batch.StateSkipped:
		for _, path := range one.outputs(one.Stem) {
			line.Outputs = append(line.Outputs, shorten(path))
		}
	default:
		why = t.cause(one, o)
		line.Error = why.text
	}
	rec, owed := t.execs.owed(one, o)
	if !owed && !t.watched.ended(one, o, why.text) {
		return // it failed again, as before
	}
	t.tally(one, o)
	if owed {
		t.watched.running(one)
		t.execs.add(execTask{one: one, key: o.Key, line: line, rec: rec})
		return
	}
	if t.watched.quiet(o.State) {
		return
	}
	t.tell(line, why)
}

// tally counts an outcome, and the hours that were sent for it.
func (t *transcription) tally(one *entry, o batch.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counted := o.State
	if t.watched.again(o) > 0 {
		counted = batch.StateInterrupted // what gets another turn is open, and has not failed
	}
	t.counts[counted]++
	switch o.State {
	case batch.StateDone:
		t.view.ended(one.size, false)
		t.finished = append(t.finished, one)
	case batch.StateSkipped:
		t.view.skip(one.size)
		t.finished = append(t.finished, one)
	default:
		t.view.ended(one.size, true)
	}
	if errors.Is(o.Err, scriptix.ErrUnauthorized) || errors.Is(o.Err, scriptix.ErrQuota) && o.State == batch.StateRejected {
		t.halted = o.Err
	}
	billed := o.JobID != "" || o.State == batch.StateUnknown
	if !billed || !t.uploaded[o.Key] {
		return
	}
	delete(t.uploaded, o.Key) // its copies were not sent
	length := one.length
	if o.Transcript != nil && o.Transcript.Duration > 0 {
		length = o.Transcript.Duration
	}
	t.sent.add(length)
}

func (t *transcription) halting() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.halted
}

// tell prints an outcome.
func (t *transcription) tell(line reported, why cause) {
	switch {
	case t.flags.JSON:
		t.env.tried(t.env.object(line))
	case line.State == string(batch.StateDone):
		t.env.tried(t.view.printf("%s: done, %s%s", oneLine(line.File), oneLine(together(line.Outputs)), line.afterwards()))
	case line.State == string(batch.StateSkipped):
		t.env.tried(t.view.printf("%s: skipped, done before%s", oneLine(line.File), line.afterwards()))
	}
	if why.text != "" && !t.flags.JSON {
		why.hold = why.hold && t.watched == nil
		t.causes.add(line.File, why)
	}
}

// afterwards tells of a program that has succeeded; of a failure more is told.
func (l reported) afterwards() string {
	if l.Exec == "done" {
		return "; --exec done"
	}
	return ""
}

// refuse reports a recording that is not sent.
func (t *transcription) refuse(r recording, d decision) {
	if d.err != nil && (errors.Is(d.err, scriptix.ErrAudio) || d.entry == nil) {
		t.reject(r, d.err)
		return
	}
	why := refusal(d)
	if d.entry != nil && !d.entry.Done {
		t.files.drop(d.entry)
	}
	t.mu.Lock()
	t.refused++
	t.mu.Unlock()
	t.view.ended(0, true)
	t.watched.settled(r.path)
	t.tell(reported{File: r.shown, State: stateRefused, Error: why.text}, why)
}

// refusal is why a recording is not sent, in words.
func refusal(d decision) cause {
	if d.err != nil {
		text := explain(d.err)
		many := strings.NewReplacer("it is a ", "are each a ", "it is an ", "are each an ", "it is ", "are ", "and no recording;", "and no recordings;", "sends it", "sends them",
			"transcribed it,", "transcribed them,", "lost its job,", "lost their jobs,", "for it anew, transcribe it", "for them anew, transcribe them").Replace(text)
		return cause{text: text, many: many}
	}
	was, would := differences(d.was, d.would)
	return cause{
		text: fmt.Sprintf("was transcribed with %s; add --again to pay for it anew with %s", was, would),
		many: fmt.Sprintf("were transcribed with %s; add --again to pay for them anew with %s", was, would),
		hold: true, count: true,
	}
}

// reject reports a recording that never got as far as the batch.
func (t *transcription) reject(r recording, err error) {
	one := r.entry
	if one == nil {
		one = &entry{Path: pathText(r.path)}
	}
	one.shown = r.shown
	t.report(one, batch.Outcome{State: batch.StateRejected, Err: err})
}

// conclude says how it went, and makes the exit code of it. Its last line tells
// what was sent.
func (t *transcription) conclude(ctx context.Context, all int, took time.Duration) error {
	t.mu.Lock()
	n := t.counts
	execFailed, execOpen := t.execFailed, t.execOpen
	t.mu.Unlock()
	done, skipped := n[batch.StateDone], n[batch.StateSkipped]
	failed := n[batch.StateFailed] + n[batch.StateRejected] + n[batch.StateUnknown]
	open := max(all-done-skipped-failed-t.refused, 0)
	words := []string{fmt.Sprintf("%d done", done)}
	for _, part := range []struct {
		n    int
		word string
	}{{skipped, "skipped"}, {t.refused, "refused"}, {failed, "failed"}, {open, "open"}, {execFailed, "--exec failed"}, {execOpen, "--exec open"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	code := exitDone
	switch {
	case ctx.Err() != nil && open+execOpen > 0:
		code = exitInterrupted
		t.env.complain("%s; nothing is lost or paid twice, go on with: %s", t.ending(ctx), t.hint)
	case failed+open+t.refused+execFailed+execOpen > 0:
		code = exitFailed
	}
	for _, line := range t.bad {
		t.env.complain("%s", line)
	}
	if t.leftOut != "" {
		t.env.note("%s", t.leftOut)
	}
	if code == exitDone && len(t.bad) > 0 {
		code = exitFailed
	}
	t.env.note("%s in %s; %s sent", strings.Join(words, ", "), durationText(took.Round(100*time.Millisecond)), t.sent)
	if code == exitDone {
		return nil
	}
	return &exitError{code: code, quiet: true, err: io.ErrUnexpectedEOF}
}

// ending is why a run stopped before its end.
func (t *transcription) ending(ctx context.Context) string {
	if gaveUp, ok := errors.AsType[*patienceError](context.Cause(ctx)); ok {
		return gaveUp.Error()
	}
	return "interrupted"
}

// cause says in a line why there is no transcript; none for what was merely
// stopped.
func (t *transcription) cause(one *entry, o batch.Outcome) cause {
	name := quoted(one.name())
	switch {
	case o.State == batch.StateFailed:
		again := func(name string) string { return "; try again with: " + t.command("retry", name) }
		if failed, ok := errors.AsType[*scriptix.JobFailedError](o.Err); ok && failed.Job.Failure != "" {
			why := oneLine(failed.Job.Failure)
			return cause{text: fmt.Sprintf("job %s failed: %s", o.JobID, why) + again(name), many: "failed: " + why + again("NAME...")}
		}
		return cause{text: fmt.Sprintf("job %s failed, and the service does not say why", o.JobID) + again(name), many: "failed, and the service does not say why" + again("NAME...")}
	case o.State == batch.StateUnknown && t.wasGivenUp(o.Key):
		const text = "given up after an upload without an answer; send "
		return cause{text: "was " + text + "it again with: " + t.command("resubmit", name), many: "were " + text + "them again with: " + t.command("resubmit", "NAME...")}
	case o.State == batch.StateUnknown:
		return cause{text: explain(o.Err) + "; then: " + t.either(name), many: common(o.Err) + "; then: " + t.either("NAME...")}
	case o.State == batch.StateInterrupted && errors.Is(o.Err, context.Canceled):
		return cause{}
	case o.Err == nil:
		return cause{text: "no reason was given", many: "no reason was given"}
	}
	return cause{text: explain(o.Err), many: strings.ReplaceAll(common(o.Err), one.title(), "..."), hold: errors.Is(o.Err, scriptix.ErrUnauthorized) || errors.Is(o.Err, scriptix.ErrQuota)}
}

// wasGivenUp reports whether an unknown outcome was given up before this run.
func (t *transcription) wasGivenUp(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.givenUp[key]
}

// either is what can be done about an unknown outcome.
func (t *transcription) either(name string) string {
	return t.command("resubmit", name) + ", or " + t.command("abandon", name)
}

// command is a command of this program about a recording of this ledger.
func (t *transcription) command(verb, name string) string {
	words := []string{"scriptix", verb, name}
	if t.flags.Out != "." {
		words = append(words, "--out", quoted(t.flags.Out))
	}
	if t.flags.Ledger != "" {
		words = append(words, "--ledger", quoted(t.flags.Ledger))
	}
	return strings.Join(words, " ")
}
