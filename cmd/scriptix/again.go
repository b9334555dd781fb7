package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scriptix-io/scriptix-go/batch"
)

// chosen are the recordings that retry, resubmit and abandon are about.
type chosen struct {
	fileList
	Names []string `arg:"" optional:"" name:"name" help:"Recordings, by base name, path, or key as scriptix jobs --json prints it."`
	Yes   bool     `short:"y" help:"Do not ask."`
}

type retryCmd struct {
	service
	callbacks
	batchFlags
	chosen
}

// Help says what it costs.
func (*retryCmd) Help() string {
	return `For recordings whose job the service has failed. Each becomes a new, billed job.

Examples:
  scriptix retry call.wav --out transcripts
  scriptix retry mon/call.wav tue/call.wav --out transcripts --yes`
}

// Run sends recordings again that the service could not transcribe.
func (c *retryCmd) Run(ctx context.Context, e *env) error {
	return again(ctx, e, &c.service, &c.callbacks, &c.batchFlags, c.chosen, takingUp{
		verb: "retry", phase: batch.Failed, is: "failed at the service",
		question: "send %s again, as a new, billed job?",
		change: func(_ context.Context, j *judge, one *entry) error {
			one.Try++
			one.Done = false
			j.files.byKey[one.record()] = append(j.files.byKey[one.record()], one)
			return j.files.save(one)
		},
	})
}

type resubmitCmd struct {
	service
	callbacks
	batchFlags
	chosen
}

// Help says what it may cost.
func (*resubmitCmd) Help() string {
	return `For recordings that went out without an answer: the service may have them, and then they are billed twice. Look into the account first.

Examples:
  scriptix resubmit call.wav --out transcripts
  scriptix resubmit call.wav --out transcripts --yes`
}

// Run sends recordings again of which nobody knows whether a job was made.
func (c *resubmitCmd) Run(ctx context.Context, e *env) error {
	return again(ctx, e, &c.service, &c.callbacks, &c.batchFlags, c.chosen, takingUp{
		verb: "resubmit", phase: batch.Unknown, or: batch.Abandoned, is: "without an answer to its upload",
		question: "send %s again, though it may be billed twice?",
		change: func(ctx context.Context, j *judge, one *entry) error {
			one.Done = false
			if err := j.files.save(one); err != nil {
				return err
			}
			return batch.Resubmit(ctx, j.ledger, one.record())
		},
	})
}

type abandonCmd struct {
	Out    string `short:"o" default:"." placeholder:"DIR" help:"Directory of the transcripts (the present one)."`
	Ledger string `placeholder:"FILE" help:"Ledger that has the recordings (.scriptix.db in --out)."`
	chosen
}

// Help says what is given up.
func (*abandonCmd) Help() string {
	return `For recordings that went out without an answer, and that are not wanted any more. Nothing is sent. A callback that comes after all still brings its transcript to the next run.

Examples:
  scriptix abandon call.wav --out transcripts
  scriptix abandon call.wav --out transcripts --yes`
}

// Run gives recordings up of which nobody knows whether a job was made.
func (c *abandonCmd) Run(ctx context.Context, e *env) error {
	f := &batchFlags{Out: c.Out, Ledger: c.Ledger}
	t := &transcription{env: e, flags: f}
	up := takingUp{
		verb: "abandon", phase: batch.Unknown, is: "without an answer to its upload", question: "give %s up?",
		change: func(ctx context.Context, j *judge, one *entry) error {
			return batch.Abandon(ctx, j.ledger, one.record())
		},
	}
	if err := ledgerThere(f); err != nil {
		return err
	}
	defer t.close() //nolint:contextcheck // what is open is closed though ctx has ended
	if err := t.openFiles(); err != nil {
		return err
	}
	list, err := up.apply(ctx, t, c.chosen)
	if err != nil {
		return err
	}
	for _, one := range list {
		if err := e.printf("%s: given up", oneLine(one.name())); err != nil {
			return err
		}
	}
	return nil
}

// takingUp is what is done about recordings that an earlier run has left in a
// state which no run changes by itself.
type takingUp struct {
	verb      string
	phase, or batch.Phase // the states that it is for
	is        string      // what they are, in words
	question  string
	change    func(context.Context, *judge, *entry) error
}

// again takes recordings up and goes on with them.
func again(ctx context.Context, e *env, s *service, c *callbacks, f *batchFlags, names chosen, up takingUp) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := ledgerThere(f); err != nil {
		return err
	}
	memory, err := recall(f.Out, f.ledgerPath())
	if err != nil {
		return err
	}
	if memory != nil {
		s.Plan, s.Dialect = cmp.Or(s.Plan, memory.Plan), cmp.Or(s.Dialect, memory.Dialect)
	}
	t, err := openBatch(ctx, e, s, c, f)
	if err != nil {
		return err
	}
	defer t.close() //nolint:contextcheck // what is open is closed though ctx has ended
	entries, err := up.apply(ctx, t, names)
	if err != nil {
		return err
	}
	var list []recording
	for _, one := range entries {
		list = append(list, t.files.recording(one))
	}
	return t.run(ctx, list, t.entriesJudge(memory))
}

// entriesJudge decides by what the entries themselves say.
func (t *transcription) entriesJudge(memory *settings) *judge {
	if memory == nil {
		memory = &settings{Formats: defaultFormats}
	}
	out, err := filepath.Abs(t.flags.Out)
	if err != nil {
		out = t.flags.Out
	}
	return &judge{ledger: t.ledger, files: t.files, out: out, now: *memory, flags: &paramFlags{}, resume: true, batch: t.flags}
}

// apply finds the recordings, asks, and changes their records.
func (u takingUp) apply(ctx context.Context, t *transcription, names chosen) ([]*entry, error) {
	listed, err := names.names(ctx, t.env, names.Names)
	if err != nil {
		return nil, err
	}
	if names.Names = append(names.Names, listed...); len(names.Names) == 0 {
		return nil, usage("name recordings, or a list of them with --files-from; see scriptix %s --help", u.verb)
	}
	j := t.entriesJudge(nil)
	if _, err := j.unfinished(ctx); err != nil { // gives keys to what an earlier version left without
		return nil, err
	}
	var list []*entry
	for _, name := range names.Names {
		one, err := j.named(ctx, name, u)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	if err := names.confirmed(ctx, t.env, fmt.Sprintf(u.question, entryNames(list)), u.verb); err != nil {
		return nil, err
	}
	for _, one := range list {
		if err := u.change(ctx, j, one); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func entryNames(list []*entry) string {
	var names []string
	for _, one := range list {
		names = append(names, one.name())
	}
	return several(names, "recordings")
}

// named finds the one recording that a name means, in a state that fits.
func (j *judge) named(ctx context.Context, name string, up takingUp) (*entry, error) {
	var found []*entry
	name = publicName(name)
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	for _, e := range j.files.entries {
		switch {
		case e.Gone:
		case string(e.Path) == abs, e.name() == name, e.base() == name,
			len(name) >= 8 && (strings.HasPrefix(e.Key, name) || e.record() == name):
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil, usage("%s: no recording of that name is known here; scriptix jobs lists them", oneLine(name))
	}
	var fitting []*entry
	state := batch.Phase("")
	for _, e := range found {
		rec, err := j.find(ctx, e.record())
		if err != nil {
			return nil, err
		}
		state = rec.Phase
		if rec.Phase != "" && (rec.Phase == up.phase || rec.Phase == up.or || rec.Phase == batch.Sent && up.phase == batch.Unknown) {
			fitting = append(fitting, e)
		}
	}
	switch {
	case len(found) > 1 && len(fitting) != 1:
		return nil, usage("%s: is the name of %d recordings; say which: %s", oneLine(name), len(found), strings.Join(choices(found), ", "))
	case len(fitting) == 0:
		return nil, usage("%s: is %s; %s is for what is %s", oneLine(name), stateWord(state), up.verb, up.is)
	}
	return fitting[0], nil
}

// choices tells recordings of one name apart: by path, or by key where they lie
// in one place.
func choices(list []*entry) []string {
	var names []string
	for _, e := range list {
		name := quoted(e.name())
		if slices.ContainsFunc(list, func(o *entry) bool { return o != e && o.Path == e.Path }) {
			name = fmt.Sprintf("%.12s (%s with %s)", e.record(), oneLine(e.name()), strings.Join(e.Params.words(), ", "))
		}
		names = append(names, name)
	}
	return names
}

// confirmed asks where somebody can answer, and wants --yes elsewhere.
func (c chosen) confirmed(ctx context.Context, e *env, question, verb string) error {
	switch {
	case c.Yes:
		return nil
	case c.FilesFrom == standardInput:
		return usage("%s asks before it does anything, and standard input is the list of names: add --yes", verb)
	case !e.stdinTerminal || !e.stderrTerminal:
		return usage("%s asks before it does anything, and nobody is here to answer: add --yes", verb)
	}
	e.raw(question + " [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(e.stdin).ReadString('\n') // without an answer nothing is done
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
		return &exitError{code: exitFailed, err: fmt.Errorf("nothing was done")}
	case <-ctx.Done():
		return interrupted("nothing was done")
	}
}

// stateWord is a phase in a sentence.
func stateWord(p batch.Phase) string {
	switch p {
	case "":
		return "not sent yet"
	case batch.Submitted, batch.Sent:
		return "being transcribed"
	case batch.Unknown:
		return "without an answer to its upload"
	}
	return string(p)
}
