package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

type resultCmd struct {
	service
	subtitleFlags
	ID     string   `arg:"" name:"job" help:"Id of the job."`
	Format []string `short:"f" default:"txt" placeholder:"LIST" help:"json, txt, srt, vtt, html, md, csv or ass; several with --out (${default})."`
	Audio  string   `placeholder:"FILE" help:"Recording that the html page is to play."`
	Out    string   `short:"o" placeholder:"DIR" help:"Directory for files named after the job; without it standard output."`
}

// Help shows how it is used.
func (*resultCmd) Help() string {
	return `It costs one request.

Examples:
  scriptix result stt_abc123
  scriptix result stt_abc123 --format srt,html --audio call.wav --out transcripts`
}

// Run fetches the transcript of a job that has ended.
func (c *resultCmd) Run(ctx context.Context, e *env) error {
	formats, err := checkFormats(c.Format, localFormats)
	if err != nil {
		return err
	}
	if c.Out == "" && len(formats) > 1 {
		return usage("--format %s: standard output takes one format; name a directory with --out", strings.Join(c.Format, ","))
	}
	client, err := c.client(e)
	if err != nil {
		return err
	}
	t, err := client.STT.Result(ctx, c.ID)
	if err != nil {
		if ctx.Err() != nil {
			return interrupted("interrupted; ask again for %s", c.ID)
		}
		return c.problem(ctx, client, err)
	}
	if c.Out == "" {
		return writeFormat(e.stdout, formats[0], t, c.media("."), subtitling{preset: c.Subtitles})
	}
	if err := os.MkdirAll(c.Out, 0o777); err != nil { //nolint:gosec // the umask decides
		return err
	}
	for _, format := range formats {
		path := filepath.Join(c.Out, fileName(c.ID)+"."+format)
		if err := writeTranscript(path, format, t, c.media(path), subtitling{preset: c.Subtitles}); err != nil {
			return err
		}
		if err := e.printf("%s", path); err != nil {
			return err
		}
	}
	return nil
}

// problem says why there is no transcript. For one that is not ready it asks how
// the job is, since of a failed one the service may say no more than that.
func (c *resultCmd) problem(ctx context.Context, client *scriptix.Client, err error) error {
	if errors.Is(err, scriptix.ErrNotReady) {
		if job, asked := client.STT.Status(ctx, c.ID); asked == nil && job.Err() != nil {
			err = job.Err()
		}
	}
	return errors.New(jobProblem(c.ID, err))
}

func (c *resultCmd) media(page string) media {
	if c.Audio == "" {
		return media{name: c.ID}
	}
	return media{name: filepath.Base(c.Audio), path: c.Audio, page: page}
}

// fileName is an id as the name of a file, for it may hold any character.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, id)
}
