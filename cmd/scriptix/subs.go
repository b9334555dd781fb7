package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/subtitle"
)

type subsCmd struct {
	Action string `arg:"" enum:"check" help:"check."`
	fileList
	Files     []string `arg:"" optional:"" name:"file" help:"Subtitles, SRT or WebVTT; - is standard input."`
	Profile   string   `enum:"netflix,bbc,default" default:"netflix" help:"The limits: netflix, bbc, or default, those of transcribe (${default})."`
	Language  string   `short:"l" placeholder:"TAG" default:"en" help:"Of the text: netflix has limits of each (${default})."`
	FrameRate float64  `name:"frame-rate" placeholder:"FPS" help:"Of the video, when it is not 24 (netflix) or 25 (bbc)."`
	JSON      bool     `help:"Print one JSON object per rule that is broken."`
}

// Help says what is checked, and what the exit code means.
func (*subsCmd) Help() string {
	return `Checks lines, durations, gaps, frames and reading speed against published limits. A line says which cue breaks which rule, and "forced" if the cues around it leave no room for anything better; only what is not forced makes the exit code 1.

Examples:
  scriptix subs check call.srt
  scriptix subs check call.srt call.vtt --profile bbc --json`
}

// mostSubtitles is the largest file that is read: a day of subtitles is a few megabytes.
const mostSubtitles = 64 << 20

// Run checks files.
func (c *subsCmd) Run(ctx context.Context, e *env) error {
	listed, err := c.names(ctx, e, c.Files)
	if err != nil {
		return err
	}
	if c.Files = append(c.Files, listed...); len(c.Files) == 0 {
		return usage("name subtitles, or a list of them with --files-from; see scriptix subs --help")
	}
	limits := map[string]subtitle.Options{"netflix": subtitle.Netflix(c.Language), "bbc": subtitle.BBC(), "default": {}}[c.Profile]
	if err := checkFrameRate(c.FrameRate); err != nil {
		return err
	}
	if c.FrameRate != 0 {
		limits.FrameRate = c.FrameRate
	}
	failed := false
	for _, name := range c.Files {
		cues, err := readSubtitles(e, name)
		if err != nil {
			failed = true
			e.complain("%s: %s", oneLine(name), explain(err))
			continue
		}
		broken, err := c.report(e, name, cues, subtitle.Check(cues, limits))
		if err != nil {
			return err
		}
		failed = failed || broken
	}
	if failed {
		return errTold
	}
	return nil
}

func readSubtitles(e *env, name string) ([]subtitle.Cue, error) {
	r := e.stdin
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // was only read
		r = f
	}
	content, err := io.ReadAll(io.LimitReader(r, mostSubtitles+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > mostSubtitles:
		return nil, fmt.Errorf("is larger than %d MiB", mostSubtitles>>20)
	}
	return parseSubtitles(bytes.ToValidUTF8(content, []byte("\uFFFD")))
}

// report prints what was found, and says whether any of it could be better.
func (c *subsCmd) report(e *env, name string, cues []subtitle.Cue, found []subtitle.Violation) (broken bool, err error) {
	forced := 0
	for _, v := range found {
		if v.Forced {
			forced++
		}
		cue := cues[v.Cue]
		if c.JSON {
			value := v.Value
			if math.IsInf(value, 0) {
				value = -1 // JSON has no infinity; the cue lasts no time at all
			}
			err = e.object(struct {
				File   string  `json:"file"`
				Cue    int     `json:"cue"` // from 1, as players count
				Start  float64 `json:"start"`
				Rule   string  `json:"rule"`
				Value  float64 `json:"value"`
				Limit  float64 `json:"limit"`
				Forced bool    `json:"forced"`
			}{name, v.Cue + 1, cue.Start.Seconds(), v.Rule, value, v.Limit, v.Forced})
		} else {
			note := ""
			if v.Forced {
				note = " (forced)"
			}
			err = e.printf("%s: cue %d at %s: %s: %s, limit %s%s", oneLine(name), v.Cue+1, stampOf(cue.Start), v.Rule, figure(v.Value), figure(v.Limit), note)
		}
		if err != nil {
			return false, err
		}
	}
	e.note("%s: %d cues, %d rules broken, %d of them forced", oneLine(name), len(cues), len(found), forced)
	return len(found) > forced, nil
}

func figure(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", f), "0"), ".")
}

func stampOf(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
