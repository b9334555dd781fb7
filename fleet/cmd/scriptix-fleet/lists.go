package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
)

type statusCmd struct{ database }

// Help shows how it is used.
func (*statusCmd) Help() string {
	return `Examples:
  scriptix-fleet status
  scriptix-fleet status --account acme`
}

// Run prints the counts as JSON.
func (c *statusCmd) Run(ctx context.Context, e *env) error {
	f, done, err := c.open(ctx, e, fleet.Options{})
	if err != nil {
		return err
	}
	defer done()
	status, err := f.Status(ctx)
	if err != nil {
		return err
	}
	return e.object(status.Counts)
}

type outcomesCmd struct {
	database
	After  int64 `placeholder:"CURSOR" help:"Begin behind this outcome."`
	Count  int   `placeholder:"N" help:"End after so many outcomes."`
	Follow bool  `short:"f" help:"Wait for more until it is told to stop."`
	Text   bool  `help:"Add the transcript's text where there is one."`
}

// Help shows how it is used.
func (*outcomesCmd) Help() string {
	return `Examples:
  scriptix-fleet outcomes --after 1200
  scriptix-fleet outcomes --follow --text`
}

// outcomeLine is an outcome as it is printed.
type outcomeLine struct {
	Cursor   fleet.Cursor    `json:"cursor"`
	Key      string          `json:"key"`
	State    batch.State     `json:"state"`
	JobID    string          `json:"job_id,omitempty"`
	Source   scriptix.Source `json:"source,omitempty"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error,omitempty"`
	Meta     json.RawMessage `json:"meta,omitempty"`
	Text     string          `json:"text,omitempty"`
}

// Run prints outcomes as JSON, one a line.
func (c *outcomesCmd) Run(ctx context.Context, e *env) error {
	f, done, err := c.open(ctx, e, fleet.Options{})
	if err != nil {
		return err
	}
	defer done()
	read := f.Outcomes(ctx, fleet.Cursor(c.After))
	if !c.Follow {
		read = f.OutcomesSoFar(ctx, fleet.Cursor(c.After))
	}
	printed := 0
	for o, err := range read {
		if err != nil {
			return err
		}
		line := outcomeLine{o.Cursor, o.Key, o.State, o.JobID, o.Source, o.Attempts, "", o.Meta, ""}
		if o.Err != nil {
			line.Error = o.Err.Error()
		}
		if c.Text && o.State == batch.StateDone {
			t, err := f.Transcript(ctx, o.Key)
			if err != nil && !errors.Is(err, fleet.ErrNoTranscript) {
				return err
			}
			if t != nil {
				line.Text = t.Text
			}
		}
		if err := e.object(line); err != nil {
			return err
		}
		if printed++; printed == c.Count {
			return nil
		}
	}
	if c.Follow {
		return ctx.Err()
	}
	return nil
}

type budgetCmd struct{ database }

// Help shows how it is used.
func (*budgetCmd) Help() string {
	return `Examples:
  scriptix-fleet budget
  scriptix-fleet budget --account acme`
}

// Run prints how much of the budget is used as JSON.
func (c *budgetCmd) Run(ctx context.Context, e *env) error {
	f, done, err := c.open(ctx, e, fleet.Options{})
	if err != nil {
		return err
	}
	defer done()
	s, err := f.Budget().Read(ctx)
	if err != nil {
		return err
	}
	window := func(use scriptix.WindowUse) map[string]int {
		return map[string]int{"limit": use.Limit, "used": use.Used}
	}
	all := map[string]any{
		"minute": window(s.Minute), "hour": window(s.Hour), "day": window(s.Day), "in_flight": s.InFlight, "at_once": s.Concurrent,
	}
	if !s.BlockedUntil.IsZero() {
		all["blocked_until"] = s.BlockedUntil.UTC()
	}
	return e.object(all)
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e *env) error { return e.printf("scriptix-fleet %s", scriptix.Version) }
