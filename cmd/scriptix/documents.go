package main

import (
	"context"
	"errors"
	"io"

	"github.com/scriptix-io/scriptix-go"
)

// documentsCmd is what can be done with the text of a finished job as the
// service's editor holds it.
type documentsCmd struct {
	Export documentsExportCmd `cmd:"" help:"Write a document in one of the service's own formats."`
	Delete documentsDeleteCmd `cmd:"" help:"Erase a document at the service."`
}

// documentName is which document a command is about.
type documentName struct {
	ID       string `arg:"" name:"job" help:"Id of the job."`
	Document string `placeholder:"ID" help:"Id of the document, which costs a request less than to ask for the job's."`
}

func (n documentName) document() scriptix.Document {
	return scriptix.Document{JobID: n.ID, ID: n.Document}
}

type documentsExportCmd struct {
	service
	documentName
	Format string `short:"f" default:"docx" placeholder:"FORMAT" help:"What the service makes: txt, docx, pdf, srt, vtt, json, and stl, ttml and more in the session dialect (${default})."`
	Out    string `short:"o" placeholder:"FILE" help:"File to write; without it standard output."`
}

// Help shows how it is used.
func (*documentsExportCmd) Help() string {
	return `It costs one request, and one or two more without --document. What people corrected in the editor is in it.

Examples:
  scriptix documents export stt_abc123 --format docx --out call.docx
  scriptix documents export 1b8a70f1 --dialect session --format stl --out call.stl`
}

// Run writes the file. A half of it never stays under its name.
func (c *documentsExportCmd) Run(ctx context.Context, e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	if c.Out == "" {
		err = client.Documents.Export(ctx, c.document(), c.Format, e.stdout)
	} else {
		err = writeFile(c.Out, func(w io.Writer) error { return client.Documents.Export(ctx, c.document(), c.Format, w) })
	}
	return documentProblem(ctx, err)
}

type documentsDeleteCmd struct {
	service
	documentName
}

// Help says what stays.
func (*documentsDeleteCmd) Help() string {
	return `It costs one request, and one or two more without --document. The job stays: transcribe --erase erases it too, where the service can.

Examples:
  scriptix documents delete stt_abc123
  scriptix documents delete stt_abc123 --document 456`
}

// Run erases the document.
func (c *documentsDeleteCmd) Run(ctx context.Context, e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	if err := client.Documents.Delete(ctx, c.document()); err != nil {
		return documentProblem(ctx, err)
	}
	return e.printf("%s: document deleted", oneLine(c.ID))
}

func documentProblem(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return interrupted("interrupted; ask again")
	case errors.Is(err, scriptix.ErrNotFound):
		return errors.New("the service knows no such document; is the job done, and is it the key that made it?")
	}
	return err
}

type modelsCmd struct {
	service
	JSON bool `help:"Print one JSON object per model."`
}

// Help says what the list is good for.
func (*modelsCmd) Help() string {
	return `The key of a model is what --model takes. It costs one request for each hundred.

Examples:
  scriptix models
  scriptix models --json`
}

// Run lists the account's models.
func (c *modelsCmd) Run(ctx context.Context, e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	for m, err := range client.Models.List(ctx) {
		if err != nil {
			return listProblem(ctx, err)
		}
		if c.JSON {
			err = e.object(map[string]any{"id": m.ID, "key": m.Key, "name": m.Name, "language": m.Language, "status": m.Status, "usable": m.Status == trained})
		} else {
			err = e.printf("%-24s  %-8s  %-10s  %s", oneLine(m.Key), oneLine(m.Language), usable(m.Status), oneLine(m.Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const trained = 4

func usable(status int) string {
	if status == trained {
		return "usable"
	}
	return "not ready"
}

type glossariesCmd struct {
	service
	JSON bool `help:"Print one JSON object per glossary."`
}

// Help says what the list is good for.
func (*glossariesCmd) Help() string {
	return `The id of a glossary is what --glossary-id takes. It costs one request for each hundred. Translation pairs, which the service calls glossaries too, are not among them.

Examples:
  scriptix glossaries
  scriptix glossaries --json`
}

// Run lists the account's glossaries.
func (c *glossariesCmd) Run(ctx context.Context, e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	for g, err := range client.Glossaries.List(ctx) {
		if err != nil {
			return listProblem(ctx, err)
		}
		if c.JSON {
			err = e.object(map[string]string{"id": g.ID, "name": g.Name})
		} else {
			err = e.printf("%-12s  %s", oneLine(g.ID), oneLine(g.Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func listProblem(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return interrupted("interrupted; ask again")
	case errors.Is(err, scriptix.ErrForbidden):
		return errors.New("the key may not list them: it lacks a permission, as custom_models:read")
	case errors.Is(err, scriptix.ErrNotFound):
		return errors.New("this service has no such list")
	}
	return err
}
