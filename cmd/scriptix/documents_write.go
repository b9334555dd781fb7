package main

import (
	"context"
	"io"
	"slices"

	"github.com/scriptix-io/scriptix-go"
)

// write writes the files of an entry: those that are made of the transcript, and
// those that the service makes of the job's document. With keep those that are
// there stay as they are.
func (t *transcription) write(ctx context.Context, one *entry, transcript *scriptix.Transcript, keep bool) error {
	if err := one.write(transcript, t.flags.EmbedAudio, keep); err != nil {
		return err
	}
	document := scriptix.Document{JobID: transcript.JobID, ID: transcript.DocumentID}
	for i, path := range one.outputs(one.Stem) {
		format := one.Formats[i]
		if !slices.Contains(serverFormats, format) || exists(path) {
			continue
		}
		err := writeFile(path, func(w io.Writer) error { return t.client.Documents.Export(ctx, document, format, w) })
		if err != nil {
			return err
		}
	}
	return nil
}
