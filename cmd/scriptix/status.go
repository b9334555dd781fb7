package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/scriptix-io/scriptix-go"
)

type statusCmd struct {
	service
	IDs  []string `arg:"" name:"job" help:"Ids of jobs."`
	JSON bool     `help:"Print one JSON object per job."`
}

// Help shows how it is used.
func (*statusCmd) Help() string {
	return `Each job costs one request.

Examples:
  scriptix status stt_abc123
  scriptix status stt_abc123 stt_def456 --json`
}

// Run asks once for each job.
func (c *statusCmd) Run(ctx context.Context, e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	failed := false
	for _, id := range c.IDs {
		job, err := client.STT.Status(ctx, id)
		switch {
		case ctx.Err() != nil:
			return interrupted("interrupted; ask again for %s and those behind it", id)
		case err != nil:
			failed = true
			err = reportJob(e, c.JSON, id, err)
		case c.JSON:
			err = e.object(job)
		default:
			err = e.printf("%s", describe(job))
		}
		if err != nil {
			return err
		}
	}
	if failed {
		return errTold
	}
	return nil
}

// reportJob says what is wrong with one job of several.
func reportJob(e *env, asJSON bool, id string, err error) error {
	text := jobProblem(id, err)
	e.complain("%s", text)
	if asJSON {
		return e.object(struct {
			ID    string `json:"id"`
			Error string `json:"error"`
		}{id, text})
	}
	return nil
}

func jobProblem(id string, err error) string {
	switch {
	case errors.Is(err, scriptix.ErrNotFound):
		return fmt.Sprintf("%s: no such job for this key; check the id, and that the key is of the same account", oneLine(id))
	case errors.Is(err, scriptix.ErrNotReady):
		return fmt.Sprintf("%s: has not ended yet; wait for it with: scriptix wait %[1]s", oneLine(id))
	}
	if failed, ok := errors.AsType[*scriptix.JobFailedError](err); ok {
		if failed.Job.Failure != "" {
			return fmt.Sprintf("%s: failed: %s", oneLine(id), oneLine(failed.Job.Failure))
		}
		return oneLine(id) + ": failed, and the service does not say why"
	}
	return oneLine(id) + ": " + explain(err)
}
