package main

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

type transcribeCmd struct {
	service
	params
	callbacks
	batchFlags
	Paths  []string `arg:"" name:"path" help:"Recordings, directories or patterns; - is standard input."`
	Format []string `short:"f" default:"json,txt" placeholder:"LIST" help:"Files to write: json, txt, srt, vtt, html (${default})."`
}

// batchFlags are those of transcribe and resume.
type batchFlags struct {
	Out           string        `short:"o" default:"." placeholder:"DIR" help:"Directory for the transcripts (the present one)."`
	Ledger        string        `placeholder:"FILE" help:"What was sent and done is remembered here (.scriptix.db in --out)."`
	Jobs          int           `short:"j" placeholder:"N" help:"Uploads at once (one less than the plan's requests at once)."`
	ResubmitAfter time.Duration `name:"resubmit-after" placeholder:"DURATION" help:"Send a recording again whose upload had no answer for so long. It may be billed twice. Without it, never."`
	EmbedAudio    bool          `name:"embed-audio" help:"Put the recording into the html page, up to 360 MiB; without, the page plays the file where it is."`
	JSON          bool          `help:"Print one JSON object per recording."`
}

func (f *batchFlags) check() error {
	switch {
	case f.Jobs < 0:
		return usage("--jobs %d: is negative", f.Jobs)
	case f.ResubmitAfter < 0:
		return usage("--resubmit-after %v: is negative", f.ResubmitAfter)
	}
	return nil
}

func (f *batchFlags) ledgerPath() string {
	if f.Ledger != "" {
		return f.Ledger
	}
	return filepath.Join(f.Out, ".scriptix.db")
}

// Help says what makes a second call cheap.
func (*transcribeCmd) Help() string {
	return `Each recording is paid for once: the ledger knows it by its content, and what is done is skipped. After an interruption, a crash or kill -9 run the same again, or scriptix resume.
With --listen and --webhook-url the service calls back; without, jobs are polled. Ctrl-C stops and says how to go on, twice ends at once.`
}

// Run transcribes recordings and writes their transcripts.
func (c *transcribeCmd) Run(ctx context.Context, e *env) error {
	formats, err := checkFormats(c.Format)
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	paths, err := expand(c.Paths)
	if err != nil {
		return err
	}
	out, err := filepath.Abs(c.Out)
	if err != nil {
		return err
	}
	b, err := openBatch(ctx, e, &c.service, &c.callbacks, &c.batchFlags)
	if err != nil {
		return err
	}
	defer b.close() //nolint:contextcheck // what is open is closed though ctx has ended
	var entries []*entry
	for _, path := range paths {
		full, spooled := path, path == standardInput
		if spooled {
			if full, err = e.spool(ctx, filepath.Dir(c.ledgerPath())); err != nil {
				if ctx.Err() != nil {
					return interrupted("interrupted while standard input was read; nothing was sent, pipe it again")
				}
				return err
			}
		}
		if full, err = filepath.Abs(full); err != nil {
			return err
		}
		one := b.files.add(full, c.params, out, formats, spooled)
		one.shown = path
		entries = append(entries, one)
	}
	return b.run(ctx, entries)
}

type resumeCmd struct {
	service
	callbacks
	batchFlags
}

// Help says what is gone on with.
func (*resumeCmd) Help() string {
	return "The recordings, their parameters and formats are those of the earlier runs of transcribe on the same ledger; only the flags below are given anew."
}

// Run goes on with every recording that is not done.
func (c *resumeCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	if _, err := os.Stat(c.ledgerPath()); err != nil {
		return usage("%s: there is no ledger to resume; name it with --out or --ledger", c.ledgerPath())
	}
	b, err := openBatch(ctx, e, &c.service, &c.callbacks, &c.batchFlags)
	if err != nil {
		return err
	}
	defer b.close() //nolint:contextcheck // what is open is closed though ctx has ended
	entries := b.files.open()
	if len(entries) == 0 {
		e.note("nothing is left to be done")
		return nil
	}
	return b.run(ctx, entries)
}
