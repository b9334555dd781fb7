package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/scriptix-io/scriptix-go/batch"
)

type forgetCmd struct {
	Out    string   `short:"o" default:"." placeholder:"DIR" help:"Directory of the transcripts (the present one)."`
	Ledger string   `placeholder:"FILE" help:"Ledger that has the recordings (.scriptix.db in --out)."`
	Names  []string `arg:"" optional:"" name:"name" help:"Recordings, by base name, path, or key as scriptix jobs --json prints it."`
	All    bool     `help:"All that are over."`
	Yes    bool     `short:"y" help:"Do not ask."`
}

// Help says what stays.
func (*forgetCmd) Help() string {
	return `Names, tokens and what the service said are taken out of the ledger, and paths out of the list beside it. What is needed not to pay again stays: a recording that was forgotten is still skipped. Nothing is sent, and transcripts stay where they are; transcribe --erase erases at the service.

Examples:
  scriptix forget interview.wav --out transcripts
  scriptix forget --all --out transcripts --yes`
}

// Run forgets recordings that are over.
func (c *forgetCmd) Run(ctx context.Context, e *env) error {
	f := &batchFlags{Out: c.Out, Ledger: c.Ledger}
	t := &transcription{env: e, flags: f}
	switch {
	case c.All == (len(c.Names) > 0):
		return usage("forget takes names of recordings, or --all")
	}
	if err := ledgerThere(f); err != nil {
		return err
	}
	defer t.close() //nolint:contextcheck // what is open is closed though ctx has ended
	if err := t.openFiles(); err != nil {
		return err
	}
	keys, list, err := c.over(ctx, t)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		e.note("nothing is over that could be forgotten")
		return nil
	}
	names := chosen{Yes: c.Yes}
	if err := names.confirmed(ctx, e, "forget "+several(keys, "recordings")+"?", "forget"); err != nil {
		return err
	}
	if err := batch.Forget(ctx, t.ledger, keys...); err != nil {
		return err
	}
	for _, one := range list {
		t.files.drop(one)
	}
	t.files.whole = true // what the file held of them before goes too
	if err := errors.Join(t.files.save(), t.files.keepURLs()); err != nil {
		return err
	}
	return e.printf("%d forgotten", len(keys))
}

// over finds the records that are meant and over, and their entries.
func (c *forgetCmd) over(ctx context.Context, t *transcription) (keys []string, list []*entry, err error) {
	for rec, err := range t.ledger.Records(ctx) {
		if err != nil {
			return nil, nil, err
		}
		entries := t.files.byKey[rec.Key]
		meant := c.All || slices.Contains(c.Names, rec.Name) || slices.Contains(c.Names, rec.Key) ||
			slices.ContainsFunc(entries, func(e *entry) bool { return c.names(e) })
		switch {
		case !meant:
			continue
		case rec.Phase.Open() && c.All:
			continue
		case rec.Phase.Open():
			return nil, nil, usage("%s: is %s; only what is over can be forgotten", oneLine(rec.Name), stateWord(rec.Phase))
		}
		keys, list = append(keys, rec.Key), append(list, entries...)
	}
	if len(keys) == 0 && !c.All {
		return nil, nil, usage("no recording of that name is known here; scriptix jobs lists them")
	}
	return keys, list, nil
}

// names reports whether one of the names is that of an entry.
func (c *forgetCmd) names(e *entry) bool {
	for _, name := range c.Names {
		name = publicName(name)
		abs, err := filepath.Abs(name)
		if err == nil && string(e.Path) == abs || e.name() == name || e.base() == name {
			return true
		}
	}
	return false
}
