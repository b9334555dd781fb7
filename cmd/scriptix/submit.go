package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/scriptix-io/scriptix-go"
)

type submitCmd struct {
	service
	paramFlags
	fileList
	Files        []string `arg:"" optional:"" name:"file" help:"Recordings, directories, patterns or https URLs; - is standard input."`
	WebhookURL   string   `name:"webhook-url" placeholder:"URL" help:"Where the service is to send its callbacks."`
	AllowPrivate bool     `name:"allow-private" help:"Let URLs lead to private addresses, as in your own network."`
	Force        bool     `help:"Send files that are no recordings by their first bytes."`
	JSON         bool     `help:"Print one JSON object per recording."`
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
	client, err := c.client(e)
	if err != nil {
		return err
	}
	view := newProgress(e, len(in.recordings), 0)
	defer view.close()
	fetch := newFetcher(e, os.TempDir(), c.AllowPrivate, "")
	fetch.force = c.Force
	defer fetch.opener.Close()
	failed := false
	for _, one := range in.recordings {
		file := one.shown
		job, err := c.submitOne(ctx, fetch, client, view, one)
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

func (c *submitCmd) submitOne(ctx context.Context, fetch *fetcher, client *scriptix.Client, view progress, one recording) (*scriptix.Job, error) {
	file, audio := one.shown, scriptix.File(one.shown)
	switch {
	case one.spooled:
		spooled, err := fetch.env.spool(ctx, os.TempDir())
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.Remove(spooled) }() // a copy in a temporary directory
		one.path, audio = spooled, scriptix.File(spooled)
	case one.remote != nil:
		if _, err := fetch.ask(ctx, &one); err != nil {
			return nil, err
		}
		name := urlName(one.path)
		// Nothing is known by a key here, so only a length is needed to read it while it is sent.
		if audio = one.remote.audio(name); one.remote.source.Size() < 0 {
			copied, err := fetch.copy(ctx, &one)
			if err != nil {
				return nil, err
			}
			defer func() { _ = os.Remove(copied) }() // a copy in a temporary directory
			audio = copiedAudio(name, copied)
		}
	}
	if kind := one.foreign(); kind != "" && !c.Force {
		return nil, fmt.Errorf("it is %s and no recording; --force sends it all the same", kind)
	}
	p := c.over(params{Language: "auto"}).submit()
	p.WebhookURL = c.WebhookURL
	defer view.sent(file)
	return client.STT.Submit(ctx, audio, p, scriptix.OnProgress(func(sent, total int64) {
		view.sending(file, audio.Name(), sent, total)
	}))
}
