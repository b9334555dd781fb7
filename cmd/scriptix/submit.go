package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/scriptix-io/scriptix-go"
)

type submitCmd struct {
	service
	params
	Files      []string `arg:"" name:"file" help:"Recordings, directories or patterns; - is standard input."`
	WebhookURL string   `name:"webhook-url" placeholder:"URL" help:"Where the service is to send its callbacks."`
	JSON       bool     `help:"Print one JSON object per recording."`
}

type submitted struct {
	File  string `json:"file"`
	JobID string `json:"job_id,omitempty"`
	Error string `json:"error,omitempty"`
}

// Help says what submit does not do.
func (*submitCmd) Help() string {
	return "Each recording is sent once and nothing is remembered: called again, it makes another, billed job. transcribe keeps a ledger and does not."
}

// Run uploads one recording after the other and prints the ids of their jobs.
func (c *submitCmd) Run(ctx context.Context, e *env) error {
	files, err := expand(c.Files)
	if err != nil {
		return err
	}
	client, err := c.client(e)
	if err != nil {
		return err
	}
	view := newProgress(e, len(files), 0)
	defer view.close()
	failed := false
	for _, file := range files {
		job, err := c.submitOne(ctx, e, client, view, file)
		line := submitted{File: file}
		switch {
		case err != nil && ctx.Err() != nil && !errors.Is(err, scriptix.ErrUnknownOutcome):
			return interrupted("interrupted before %s was sent; submit it and what follows it again", file)
		case err != nil:
			failed = true
			line.Error = explain(err)
			view.complain("%s: %s", file, line.Error)
		default:
			line.JobID = job.ID
		}
		if c.JSON {
			err = e.object(line)
		} else if line.Error == "" {
			err = view.printf("%s", job.ID)
		} else {
			err = nil
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

func (c *submitCmd) submitOne(ctx context.Context, e *env, client *scriptix.Client, view progress, file string) (*scriptix.Job, error) {
	path := file
	if file == standardInput {
		spooled, err := e.spool(ctx, os.TempDir())
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.Remove(spooled) }() // a copy in a temporary directory
		path = spooled
	}
	p := c.submit()
	p.WebhookURL = c.WebhookURL
	defer view.sent(file)
	return client.STT.Submit(ctx, scriptix.File(path), p, scriptix.OnProgress(func(sent, total int64) {
		view.sending(file, filepath.Base(path), sent, total)
	}))
}
