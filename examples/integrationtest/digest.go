// Package digest is a small job of the kind that runs overnight: it transcribes
// a set of voicemails and writes one line about each. Its tests show how a
// program of your own is tested against the fake service; they need no network
// and no key.
package digest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// Write transcribes the recordings one after the other and writes a line about
// each to w. A recording that fails gets a line that says so, and the others go
// on; only the context's end stops the job.
func Write(ctx context.Context, client *scriptix.Client, w io.Writer, recordings ...scriptix.Audio) error {
	for _, r := range recordings {
		t, err := client.STT.Transcribe(ctx, r, scriptix.SubmitParams{Language: "auto"})
		if ctx.Err() != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", r.Name(), summary(t, err)); err != nil {
			return err
		}
	}
	return nil
}

func summary(t *scriptix.Transcript, err error) string {
	switch {
	case errors.Is(err, scriptix.ErrUnknownOutcome):
		return "sent, but it is not known whether a job exists; check the account before sending it again"
	case errors.Is(err, scriptix.ErrJobFailed):
		failed, _ := errors.AsType[*scriptix.JobFailedError](err)
		return "could not be transcribed: " + failed.Job.Failure
	case err != nil:
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%d words: %s", len(strings.Fields(t.Text)), t.Text)
}
