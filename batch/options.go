package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// Options are those of [Run]. The zero value is a batch that remembers nothing.
type Options struct {
	// Ledger remembers the batch; nil: one in memory. Run does not close it.
	Ledger Ledger

	// Concurrency is how many recordings are uploaded at once. Zero: one less
	// than the client's budget allows requests at once, or 4. Jobs that run at
	// the service do not count.
	Concurrency int

	// AtHand bounds the memory of the transcripts that are being fetched, decoded,
	// taken by the Sink, and seen by the loop over Run, in bytes: others wait. Each
	// counts twice its length as it came, for what was decoded from it. One that is
	// larger than all of it is alone. Zero: 512 MiB.
	AtHand int64

	// ResubmitAfter has an unknown outcome sent again, which may be billed a
	// second time, when no callback has told of its job for so long since the
	// upload. Zero: never.
	ResubmitAfter time.Duration

	// UnknownAfter is how long an unknown outcome waits for its callback before
	// it is reported. Zero: half an hour, which is longer than the service tries
	// to deliver one; without a callback URL it is reported at once. In both
	// cases ResubmitAfter, where it is longer.
	UnknownAfter time.Duration

	// Sink takes each transcript: Input, Key, JobID, Transcript, Source and
	// Attempts are set. The record is marked done once it has returned nil, so a
	// crash before that brings the same transcript again. An error or a panic is
	// tried again after 1, 2, 4 and 8 seconds; then the outcome is interrupted.
	// It is called from several goroutines. Without one the record is marked
	// done when the loop over Run has come to its next round, or ends.
	Sink func(context.Context, Outcome) error

	// Erase has each job erased at the service once its transcript was handed
	// over: [scriptix.STTService.Delete], tried until the service says that the job
	// is gone. That is a phase of its own in the ledger, [Erasing], so a run that is
	// killed leaves it to the next, whatever that one's options. It costs one more
	// request per recording. The outcome comes once the job is gone; where that
	// cannot be, it is interrupted, with the transcript, and its error is
	// [ErrErase]. A job that the service does not know counts as gone; the record's
	// Failure then says that it may be another key's. Without a Sink the transcript
	// counts as handed over when the loop over Run has come to its next round, and
	// what cannot be erased is reported by the next run. A dialect that cannot
	// delete rejects every input, [scriptix.ErrUnsupported].
	Erase bool

	// OnProgress is told how much of a recording's audio went out, as by
	// [scriptix.OnProgress]; of several inputs of one key, the first is named. It
	// is called concurrently for different recordings, and should be quick.
	OnProgress func(in Input, sent, total int64)

	// OnRetry is told that an upload made no job, for a reason that may pass, and
	// after which wait it is tried again. It is called concurrently, and should be
	// quick.
	OnRetry func(in Input, err error, after time.Duration)
}

func (o Options) check(ctx context.Context, c *scriptix.Client) error {
	switch {
	case ctx == nil:
		return errors.New("batch: the context is nil; use context.Background")
	case c == nil:
		return errors.New("batch: the client is nil")
	case o.Erase && errors.Is(c.STT.Delete(ctx, ""), scriptix.ErrUnsupported): // sends nothing
		return fmt.Errorf("batch: nothing can be erased: %w", c.STT.Delete(ctx, ""))
	case o.Concurrency < 0 || o.AtHand < 0 || o.ResubmitAfter < 0 || o.UnknownAfter < 0:
		return errors.New("batch: an option is negative; zero stands for its default")
	}
	return nil
}
