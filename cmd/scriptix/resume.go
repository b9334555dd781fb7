package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/scriptix-io/scriptix-go/batch"
)

type resumeCmd struct {
	service
	callbacks
	batchFlags
}

// Help says what is gone on with.
func (*resumeCmd) Help() string {
	return `The recordings, their parameters and formats are those of the earlier runs of transcribe on the same ledger; only the flags below are given anew. A transcript whose job was made is brought home though its recording was deleted, moved or changed.

Examples:
  scriptix resume --out transcripts
  scriptix resume --out transcripts --quiet --json`
}

// Run goes on with every recording that is not done.
func (c *resumeCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := ledgerThere(&c.batchFlags); err != nil {
		return err
	}
	memory, err := recall(c.Out, c.ledgerPath())
	if err != nil {
		return err
	}
	if memory != nil {
		c.Plan, c.Dialect = cmp.Or(c.Plan, memory.Plan), cmp.Or(c.Dialect, memory.Dialect)
	}
	b, err := openBatch(ctx, e, &c.service, &c.callbacks, &c.batchFlags)
	if err != nil {
		return err
	}
	defer b.close() //nolint:contextcheck // what is open is closed though ctx has ended
	j := b.entriesJudge(memory)
	list, err := j.unfinished(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		e.note("nothing is left to be done")
		return nil
	}
	return b.run(ctx, list, j)
}

func ledgerThere(f *batchFlags) error {
	if _, err := os.Stat(f.ledgerPath()); err != nil {
		return usage("%s: there is no ledger to resume; name it with --out or --ledger", f.ledgerPath())
	}
	return nil
}

// unfinished returns the recordings of which something is still to be done: those
// of the manifest, and then what the ledger alone knows of.
func (j *judge) unfinished(ctx context.Context) ([]recording, error) {
	var list []recording
	for _, e := range j.files.entries {
		if e.Done || e.Gone {
			continue
		}
		if e.Key == "" && exists(string(e.Path)) {
			if _, err := j.identified(ctx, recording{path: string(e.Path)}, e); ctx.Err() != nil {
				return nil, err // another error comes again when it is decided
			}
		}
	}
	if err := j.adopt(ctx); err != nil {
		return nil, err
	}
	for _, e := range j.files.entries {
		if e.Gone || e.Done && j.batch.program == nil {
			continue
		}
		rec, err := j.find(ctx, e.record())
		if err != nil {
			return nil, err
		}
		switch {
		case j.batch.owes(e, rec) && rec.Phase == batch.Done:
			list = append(list, recording{path: string(e.Path), shown: e.name(), entry: e, owed: true})
			continue
		case e.Done:
			continue
		case rec.Phase == batch.Failed, rec.Phase == batch.Abandoned:
			continue // told when it happened; retry and resubmit take it up
		case rec.Phase == batch.Done && e.complete():
			e.finish()
			continue
		}
		list = append(list, j.files.recording(e))
	}
	return list, nil
}

// adopt finds the entries of records that are open and that no entry has: those
// of an earlier version, whose recording is not there any more, and those whose
// entry was lost.
func (j *judge) adopt(ctx context.Context) error {
	var orphans []batch.Record
	for rec, err := range j.ledger.Records(ctx) {
		if err != nil {
			return err
		}
		switch rec.Phase {
		case batch.Sent, batch.Unknown, batch.Submitted, batch.Completed:
			if len(j.files.byKey[rec.Key]) == 0 {
				orphans = append(orphans, rec)
			}
		}
	}
	for _, rec := range orphans {
		one := j.unkeyed(rec.Name)
		if one == nil {
			stem := strings.TrimSuffix(rec.Name, filepath.Ext(rec.Name))
			one = j.files.add(&entry{Out: pathText(j.out), Stem: stem, Params: j.now.params, Formats: j.now.Formats, Subtitles: j.now.Subtitles, shown: rec.Name})
			one.shown = rec.Name
		}
		j.files.identify(one, rec.Key, "")
	}
	return nil
}

// unkeyed finds the entry of a recording that is not there any more, by its name.
func (j *judge) unkeyed(name string) *entry {
	for _, e := range j.files.entries {
		if e.Key == "" && !e.Done && !e.Gone && filepath.Base(string(e.Path)) == name {
			return e
		}
	}
	return nil
}
