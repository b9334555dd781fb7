package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/scriptix-io/scriptix-go"
)

type submitCmd struct {
	service
	paramFlags
	fileList
	Files      []string `arg:"" optional:"" name:"file" help:"Recordings, directories or patterns; - is standard input."`
	WebhookURL string   `name:"webhook-url" placeholder:"URL" help:"Where the service is to send its callbacks."`
	Force      bool     `help:"Send files that are no recordings by their first bytes."`
	JSON       bool     `help:"Print one JSON object per recording."`
}

type submitted struct {
	File  string `json:"file"`
	JobID string `json:"job_id,omitempty"`
	Error string `json:"error,omitempty"`
}

// Help says what submit does not do.
func (*submitCmd) Help() string {
	return `Each recording is sent once and nothing is remembered: called again, it makes another, billed job. transcribe keeps a ledger and does not.

Examples:
  scriptix submit call.wav --language en
  scriptix submit calls/ -l auto --webhook-url https://jobs.example.com/scriptix`
}

// Run uploads one recording after the other and prints the ids of their jobs.
func (c *submitCmd) Run(ctx context.Context, e *env, parsed *kong.Context) error {
	c.given = givenFlags(parsed)
	if err := c.over(params{}).speaks(c.Dialect); err != nil {
		return err
	}
	listed, err := c.names(ctx, e, c.Files)
	if err != nil {
		return err
	}
	if len(c.Files)+len(listed) == 0 {
		return usage("name recordings, or a list of them with --files-from; see scriptix submit --help")
	}
	in, err := expand(c.Files, listed, nil)
	if err != nil {
		return err
	}
	var files []string
	for _, r := range in.recordings {
		files = append(files, r.shown)
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
		return in.also(e, errTold)
	}
	return in.also(e, nil)
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
	if kind, err := foreignKind(path); err == nil && kind != "" && !c.Force {
		return nil, fmt.Errorf("it is %s and no recording; --force sends it all the same", kind)
	}
	p := c.over(params{Language: "auto"}).submit()
	p.WebhookURL = c.WebhookURL
	defer view.sent(file)
	return client.STT.Submit(ctx, scriptix.File(path), p, scriptix.OnProgress(func(sent, total int64) {
		view.sending(file, filepath.Base(path), sent, total)
	}))
}
