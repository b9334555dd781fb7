package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

type jobsCmd struct {
	Out    string   `short:"o" default:"." placeholder:"DIR" help:"Directory of the transcripts (the present one)."`
	Ledger string   `placeholder:"FILE" help:"Ledger to look at (.scriptix.db in --out)."`
	State  []string `placeholder:"LIST" help:"Only recordings in these states: claimed, sent, unknown, submitted, completed, done, failed, rejected, abandoned (all)."`
	Failed bool     `help:"Only those of which there is no transcript: failed, rejected, unknown, abandoned."`
	JSON   bool     `help:"Print one JSON object per recording."`
}

// Help says what is seen of a batch that runs.
func (*jobsCmd) Help() string {
	return `It sends nothing, and no run has to wait for it. Of a batch that is running it shows the 200 recordings that changed last and the counts of all, a second old at most.

Examples:
  scriptix jobs --out transcripts
  scriptix jobs --out transcripts --failed --json`
}

var phases = []batch.Phase{
	batch.Claimed, batch.Sent, batch.Unknown, batch.Submitted, batch.Completed, batch.Done, batch.Failed, batch.Rejected, batch.Abandoned,
}

// listed is a recording as the table and --json show it.
type listed struct {
	batch.Record
	Path   pathText `json:"path,omitempty"`
	Params *params  `json:"params,omitempty"`
	Waits  string   `json:"waits_for,omitempty"`
}

// Run lists the recordings of a ledger.
func (c *jobsCmd) Run(_ context.Context, e *env) error {
	f := &batchFlags{Out: c.Out, Ledger: c.Ledger}
	path := f.ledgerPath()
	if _, err := os.Stat(path); err != nil {
		return usage("%s: there is no ledger; name it with --out or --ledger", path)
	}
	wanted, err := c.wanted()
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // all that is read is kept: to look for garbage in it takes longer than the rest
	files, err := readManifest(path)
	if err != nil {
		return err
	}
	if out, err := filepath.Abs(c.Out); err == nil && c.Ledger == "" {
		files.relocate(out)
	}
	var list []listed
	for r, err := range batch.ReadRecords(path) {
		if errors.Is(err, batch.ErrLocked) {
			return c.running(e, path, files, wanted)
		}
		if err != nil {
			return err
		}
		list = c.take(list, files, wanted, r)
	}
	return c.print(e, list)
}

func (c *jobsCmd) wanted() (map[batch.Phase]bool, error) {
	wanted := make(map[batch.Phase]bool)
	for _, name := range c.State {
		phase := batch.Phase(strings.ToLower(strings.TrimSpace(name)))
		if !slices.Contains(phases, phase) {
			return nil, usage("--state %s: want some of %s", oneLine(name), joinedPhases())
		}
		wanted[phase] = true
	}
	if c.Failed {
		for _, phase := range []batch.Phase{batch.Failed, batch.Rejected, batch.Unknown, batch.Abandoned} {
			wanted[phase] = true
		}
	}
	return wanted, nil
}

func joinedPhases() string {
	var names []string
	for _, phase := range phases {
		names = append(names, string(phase))
	}
	return strings.Join(names, ",")
}

// take adds a record to the list, if it is wanted, once for each recording of it.
func (c *jobsCmd) take(list []listed, files *manifest, wanted map[batch.Phase]bool, r batch.Record) []listed {
	if len(wanted) > 0 && !wanted[r.Phase] {
		return list
	}
	r.Token, r.Upload = "", "" // they open a callback URL or an upload
	line := listed{Record: r, Waits: waitsFor(r)}
	entries := slices.DeleteFunc(slices.Clone(files.byKey[r.Key]), func(e *entry) bool { return e.Gone || e.record() != r.Key })
	if len(entries) == 0 {
		return append(list, line)
	}
	for _, one := range entries {
		line.Path, line.Params = one.Path, &one.Params
		list = append(list, line)
	}
	return list
}

// waitsFor says what has to happen before a record goes on.
func waitsFor(r batch.Record) string {
	switch r.Phase {
	case batch.Claimed:
		return "its upload"
	case batch.Sent:
		return "the answer to its upload"
	case batch.Unknown:
		return "a callback, or resubmit or abandon"
	case batch.Submitted:
		return "the service"
	case batch.Completed:
		return "its transcript to be fetched"
	case batch.Done:
		if r.FollowFailure != "" {
			return "the next run with --exec, which failed: " + plain(r.FollowFailure)
		}
	case batch.Failed:
		return "retry"
	case batch.Rejected:
		return "the next run"
	case batch.Abandoned:
		return "resubmit"
	}
	return ""
}

// running shows what another process works on.
func (c *jobsCmd) running(e *env, path string, files *manifest, wanted map[batch.Phase]bool) error {
	s, err := batch.ReadSnapshot(path)
	if errors.Is(err, os.ErrNotExist) {
		e.note("a batch is running and has not changed anything yet")
		return nil
	}
	if err != nil {
		return err
	}
	var counts []string
	for _, phase := range slices.Sorted(maps.Keys(s.Counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", s.Counts[phase], phase))
	}
	who := "another process"
	if s.Open && running(s.PID) {
		who = fmt.Sprintf("process %d", s.PID)
	}
	e.note("%s is working on it; %s ago: %s", who, durationText(max(time.Since(s.Time), 0).Round(time.Second)), strings.Join(counts, ", "))
	var list []listed
	for _, r := range s.Recent {
		list = c.take(list, files, wanted, r)
	}
	return c.print(e, list)
}

func (c *jobsCmd) print(e *env, list []listed) error {
	slices.SortStableFunc(list, func(a, b listed) int {
		return cmp.Or(a.ClaimedAt.Compare(b.ClaimedAt), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Path, b.Path))
	})
	w := bufio.NewWriterSize(e.stdout, 64<<10)
	if c.JSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		for _, one := range list {
			if err := enc.Encode(one); err != nil {
				return err
			}
		}
		return w.Flush()
	}
	rows := [][]string{{"RECORDING", "STATE", "JOB", "SINCE", "PARAMETERS", "WAITS FOR"}}
	here := hereNow()
	for _, one := range list {
		rows = append(rows, one.row(here))
	}
	if err := writeTable(w, rows, e.width()); err != nil {
		return err
	}
	return w.Flush()
}

// row is a recording as the table shows it.
func (l *listed) row(here directory) []string {
	since := l.ClaimedAt
	for _, later := range []time.Time{l.SentAt, l.SubmittedAt, l.EndedAt} {
		if !later.IsZero() {
			since = later
		}
	}
	name := l.Name
	if l.Path != "" {
		name = here.shorten(string(l.Path))
	}
	parameters := "-"
	if l.Params != nil {
		parameters = strings.Join(l.Params.words(), ", ")
	}
	note := l.Waits
	if l.Failure != "" {
		note = strings.TrimPrefix(note+"; "+unrepeated(plain(l.Failure)), "; ")
	}
	return []string{oneLine(name), string(l.Phase), oneLine(cmp.Or(l.JobID, "-")), since.Local().Format(time.DateTime), oneLine(parameters), oneLine(cmp.Or(note, "-"))}
}

// writeTable writes rows in columns. On a terminal that is too narrow for them
// each row becomes a few lines instead; a width of 0 is none.
func writeTable(w io.Writer, rows [][]string, width int) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], cells(text))
		}
	}
	total := 0
	for _, column := range widths {
		total += column + 2
	}
	if width > 0 && total-2 > width {
		return writeStacked(w, rows, width)
	}
	for _, row := range rows {
		var line strings.Builder
		for i, text := range row {
			if i == len(row)-1 {
				line.WriteString(text)
				break
			}
			line.WriteString(padded(text, widths[i]+2))
		}
		if _, err := fmt.Fprintln(w, line.String()); err != nil {
			return err
		}
	}
	return nil
}

// writeStacked writes each row as its first cell and, below that, the others.
func writeStacked(w io.Writer, rows [][]string, width int) error {
	for _, row := range rows[1:] {
		var rest []string
		for _, text := range row[1:] {
			if text != "-" && text != "" {
				rest = append(rest, text)
			}
		}
		if _, err := fmt.Fprintln(w, fit(row[0], width)); err != nil {
			return err
		}
		for _, line := range wrapped(strings.Join(rest, "  "), width-2, 20) {
			if _, err := fmt.Fprintln(w, "  "+line); err != nil {
				return err
			}
		}
	}
	return nil
}
