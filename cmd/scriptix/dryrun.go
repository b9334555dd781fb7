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

// dryFlags ask what a run would do, without doing it.
type dryFlags struct {
	DryRun       bool    `short:"n" name:"dry-run" help:"Send nothing; say what would be sent, skipped, fetched or refused, and why."`
	Probe        bool    `help:"With --dry-run: ask ffprobe how long recordings are that are no WAV."`
	PricePerHour float64 `name:"price-per-hour" placeholder:"N" help:"With --dry-run: what an hour of audio costs you, to tell the price."`
}

// rehearsal is what a dry run has found so far.
type rehearsal struct {
	cmd     *transcribeCmd
	env     *env
	judge   *judge
	remotes *fetcher
	keys    map[string]string // of what would be sent, and who is first
	send    int
	audio   hours
	longest time.Duration
	skip    int
	fetch   int
	follow  int
	refuse  int
	execs   int // recordings that the program of --exec would be run for
}

// rehearsed is a verdict as --json prints it.
type rehearsed struct {
	File    string  `json:"file"`
	Would   string  `json:"would"` // send, skip, fetch, wait or refuse
	Why     string  `json:"why,omitempty"`
	JobID   string  `json:"job_id,omitempty"`
	Seconds float64 `json:"duration_seconds,omitempty"`
	Exec    bool    `json:"exec,omitempty"` // the program of --exec would be run
}

// dryRun decides about each recording as a run would, and does nothing else.
func (c *transcribeCmd) dryRun(ctx context.Context, e *env, j *judge, in *inputs, told settings) error {
	if c.PricePerHour < 0 {
		return usage("--price-per-hour %v: is negative", c.PricePerHour)
	}
	var err error
	if j.files, err = openManifest(c.ledgerPath(), j.out, c.Ledger == ""); err != nil {
		return err
	}
	if _, missing := os.Stat(c.ledgerPath()); missing == nil {
		ledger, err := openLedger(c.ledgerPath())
		if err != nil {
			return err
		}
		defer func() { _ = ledger.Close() }() // nothing was changed
		j.ledger = ledger
	}
	j.dry = true
	in.know(j.files)
	if text := told.words(); text != "" {
		e.note("%s", text)
	}
	r := &rehearsal{cmd: c, env: e, judge: j, keys: make(map[string]string), remotes: newFetcher(e, filepath.Dir(c.ledgerPath()), c.AllowPrivate, c.Audio)}
	r.remotes.force = c.Force
	defer r.remotes.opener.Close()
	for _, one := range in.recordings {
		if one.spooled {
			if one.path, err = e.spool(ctx, os.TempDir()); err != nil {
				return err
			}
			defer func() { _ = os.Remove(one.path) }() // a copy in a temporary directory
		}
		if err := r.show(ctx, one); err != nil {
			return err
		}
	}
	err = in.also(e, r.result())
	return errors.Join(r.summary(), err)
}

func (r *rehearsal) show(ctx context.Context, one recording) error {
	if one.remote != nil {
		var why string
		if why, one.remote.failed = r.remotes.ask(ctx, &one); why != "" {
			return r.copied(one, why)
		}
	}
	d := r.judge.decide(ctx, one)
	if ctx.Err() != nil {
		return interrupted("interrupted; nothing was sent")
	}
	if err := r.tell(ctx, one, d); err != nil || !d.changed {
		return err
	}
	return r.tell(ctx, one, r.judge.successor(ctx, one, d.entry))
}

func (r *rehearsal) tell(ctx context.Context, one recording, d decision) error {
	line := rehearsed{File: one.shown, JobID: d.job}
	words := ""
	var err error
	switch d.verdict {
	case toRefuse:
		r.refuse++
		line.Would, line.Why = "refuse", refusal(d).text
		words = "would be refused: " + line.Why
	case toSkip:
		r.skip++
		line.Would, line.Why = "skip", "done before"
		words = "would be skipped, done before"
		if r.owes(ctx, d, &line) {
			words += "; --exec would be run"
		}
	case toFetch:
		r.fetch++
		line.Would, line.Why = "fetch", "its files are missing"
		words = "would be fetched for 1 request, since files of it are missing"
		r.owes(ctx, d, &line)
	case toFollow:
		if words = r.followed(&line, d); line.Would == "wait" {
			r.owes(ctx, d, &line)
		}
	case toSend:
		if words, err = r.sending(ctx, one, d, &line); err != nil {
			return err
		}
	}
	if r.cmd.JSON {
		return r.env.object(line)
	}
	return r.env.printf("%s: %s", oneLine(one.shown), words)
}

// sending tells of a recording of which nothing was sent yet.
func (r *rehearsal) sending(ctx context.Context, one recording, d decision, line *rehearsed) (words string, err error) {
	if first, twice := r.keys[d.key]; twice {
		r.skip++
		line.Would, line.Why = "skip", "the same recording as "+first
		r.owes(ctx, d, line)
		return "would be sent once, with " + oneLine(first), nil
	}
	r.keys[d.key] = one.shown
	length, why := r.cmd.silent(ctx, one.file())
	if why != "" {
		r.refuse++
		line.Would, line.Why = "refuse", why
		return "would be refused: " + why, nil
	}
	if length == 0 {
		if length, err = r.length(ctx, one); err != nil {
			return "", err
		}
	}
	r.send++
	r.owes(ctx, d, line)
	r.audio.add(length)
	r.longest = max(r.longest, length)
	line.Would, line.Seconds = "send", length.Seconds()
	if length > 0 {
		return "would be sent, " + hoursText(length), nil
	}
	return "would be sent, of unknown length", nil
}

// owes notes whether the program of --exec would be run for a recording, once
// that is done.
func (r *rehearsal) owes(ctx context.Context, d decision, line *rehearsed) bool {
	if r.cmd.program == nil {
		return false
	}
	rec, err := r.judge.find(ctx, d.key)
	done := err == nil && rec.Phase == batch.Done
	if done && (r.cmd.follows(d.entry, rec) || d.verdict == toSkip && !r.cmd.owes(d.entry, rec)) {
		return false
	}
	if d.verdict == toSkip && !done {
		return false // the ledger was lost, so nothing is known
	}
	line.Exec = true
	r.execs++
	return true
}

// copied tells of a recording that has to be copied here before anything can be
// said of it.
func (r *rehearsal) copied(one recording, why string) error {
	r.send++
	length := one.length()
	r.audio.add(length)
	r.longest = max(r.longest, length)
	why = "after it was copied here, because " + why + ", unless its content was sent before"
	line := rehearsed{File: one.shown, Would: "send", Why: why, Seconds: length.Seconds(), Exec: r.cmd.program != nil}
	if line.Exec {
		r.execs++
	}
	if r.cmd.JSON {
		return r.env.object(line)
	}
	return r.env.printf("%s: would be sent %s", oneLine(one.shown), why)
}

// followed tells of a recording of which a job was made, or may have been.
func (r *rehearsal) followed(line *rehearsed, d decision) string {
	line.Would, line.Why = "refuse", string(d.phase)
	switch d.phase {
	case batch.Failed:
		r.refuse++
		return fmt.Sprintf("would not be sent again: job %s failed; scriptix retry does", oneLine(d.job))
	case batch.Abandoned:
		r.refuse++
		return "would not be sent again: it was given up after an upload without an answer; scriptix resubmit does"
	case batch.Sent, batch.Unknown:
		r.refuse++
		return "would not be sent again: its upload had no answer, and may be billed; scriptix resubmit does"
	}
	r.follow++
	line.Would = "wait"
	return "would be waited for, as job " + oneLine(d.job)
}

func (r *rehearsal) length(ctx context.Context, one recording) (time.Duration, error) {
	if length := one.length(); length > 0 || !r.cmd.Probe || one.remote != nil {
		return length, nil
	}
	return probe(ctx, one.path)
}

func (r *rehearsal) result() error {
	if r.refuse > 0 {
		return errTold
	}
	return nil
}

// summary tells what all of it comes to: hours, requests, time and price.
func (r *rehearsal) summary() error {
	say := r.env.printf
	if r.cmd.JSON {
		say = func(format string, args ...any) error { r.env.note(format, args...); return nil }
	}
	requests := 2*r.send + r.fetch + 2*r.follow
	if r.cmd.Listen == "" {
		requests += r.send // polls
	}
	limits := r.cmd.limits()
	wait := spread(requests, limits)
	if r.send+r.follow > 0 {
		wait += r.longest*15/100 + 5*time.Second
	}
	lines := []string{
		fmt.Sprintf("about %s; %s", count(requests, "request"), allowed(limits, r.cmd.Plan)),
		fmt.Sprintf("done in about %s, at %s, if the service does not queue", durationText(wait), time.Now().Add(wait).Format("Mon 15:04")),
	}
	if r.cmd.PricePerHour > 0 {
		text := fmt.Sprintf("price: %.2f at %.2f an hour", r.audio.known.Hours()*r.cmd.PricePerHour, r.cmd.PricePerHour)
		if r.audio.unknown > 0 {
			text += fmt.Sprintf(", without the %s", count(r.audio.unknown, "recording")+" of unknown length")
		}
		lines = append(lines, text)
	}
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{{r.send, "would be sent"}, {r.skip, "skipped"}, {r.fetch, "fetched"}, {r.follow, "waited for"}, {r.refuse, "refused"}} {
		if part.n > 0 || len(parts) == 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	if r.cmd.program != nil {
		lines = append(lines, fmt.Sprintf("--exec %s would be run for %s", r.cmd.program.name(), count(r.execs, "recording")))
	}
	lines = append(lines, fmt.Sprintf("dry run, nothing was sent: %s; %s to be sent", strings.Join(parts, ", "), r.audio))
	for _, line := range lines {
		if err := say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// allowed says what a plan allows in each of its windows.
func allowed(l scriptix.Limits, plan string) string {
	who := "without --plan"
	if plan != "" {
		who = "plan " + plan + " allows"
	}
	text := fmt.Sprintf("%s %d a minute", who, l.PerMinute)
	if l.PerHour > 0 {
		text += fmt.Sprintf(", %d an hour", l.PerHour)
	}
	if l.PerDay > 0 {
		text += fmt.Sprintf(", %d a day", l.PerDay)
	}
	return text
}

// spread is how long the windows of a plan let so many requests take.
func spread(requests int, l scriptix.Limits) time.Duration {
	const day = 24 * 60
	var granted []int // in each minute
	inHour, inDay := 0, 0
	for left := requests; left > 0 && len(granted) < 100*day; {
		now := len(granted)
		if now >= 60 {
			inHour -= granted[now-60]
		}
		if now >= day {
			inDay -= granted[now-day]
		}
		n := left
		for _, window := range []struct{ limit, used int }{{l.PerMinute, 0}, {l.PerHour, inHour}, {l.PerDay, inDay}} {
			if window.limit > 0 {
				n = min(n, max(window.limit-window.used, 0))
			}
		}
		granted = append(granted, n)
		inHour, inDay, left = inHour+n, inDay+n, left-n
	}
	return time.Duration(max(len(granted)-1, 0)) * time.Minute
}
