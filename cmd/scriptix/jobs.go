package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

type jobsCmd struct {
	Out    string `short:"o" default:"." placeholder:"DIR" help:"Directory of the transcripts (the present one)."`
	Ledger string `placeholder:"FILE" help:"Ledger to look at (.scriptix.db in --out)."`
	JSON   bool   `help:"Print one JSON object per recording."`
}

// Help says what is seen of a batch that runs.
func (*jobsCmd) Help() string {
	return "Of a batch that is running it shows the 200 recordings that changed last and the counts of all, a second old at most. It sends nothing."
}

// Run lists the recordings of a ledger.
func (c *jobsCmd) Run(ctx context.Context, e *env) error {
	path := c.Ledger
	if path == "" {
		path = filepath.Join(c.Out, ".scriptix.db")
	}
	if _, err := os.Stat(path); err != nil {
		return usage("%s: there is no ledger; name it with --out or --ledger", path)
	}
	l, err := batch.Open(path)
	if errors.Is(err, batch.ErrLocked) {
		return c.running(e, path)
	}
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // nothing was changed
	if c.JSON {
		return batch.Export(ctx, l, e.stdout)
	}
	var list []batch.Record
	for r, err := range l.Records(ctx) {
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	return c.table(e, list)
}

// running shows what another process works on.
func (c *jobsCmd) running(e *env, path string) error {
	s, err := batch.ReadSnapshot(path)
	if errors.Is(err, os.ErrNotExist) {
		e.note("a batch is running and has not changed anything yet")
		return nil
	}
	if err != nil {
		return err
	}
	var counts []string
	for phase, n := range s.Counts {
		counts = append(counts, fmt.Sprintf("%d %s", n, phase))
	}
	slices.Sort(counts)
	e.note("process %d is working on it; %v ago: %s", s.PID, time.Since(s.Time).Round(time.Second), strings.Join(counts, ", "))
	if !c.JSON {
		return c.table(e, s.Recent)
	}
	enc := json.NewEncoder(e.stdout)
	for _, r := range s.Recent {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *jobsCmd) table(e *env, list []batch.Record) error {
	slices.SortFunc(list, func(a, b batch.Record) int {
		return cmp.Or(a.ClaimedAt.Compare(b.ClaimedAt), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "NAME\tSTATE\tJOB\tSINCE\tNOTE"); err != nil {
		return err
	}
	for _, r := range list {
		if err := row(w, r); err != nil {
			return err
		}
	}
	return w.Flush()
}

func row(w io.Writer, r batch.Record) error {
	since := r.ClaimedAt
	for _, later := range []time.Time{r.SentAt, r.SubmittedAt, r.EndedAt} {
		if !later.IsZero() {
			since = later
		}
	}
	job := cmp.Or(r.JobID, "-")
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", oneLine(r.Name), r.Phase, oneLine(job), since.Local().Format(time.DateTime), oneLine(r.Failure))
	return err
}
