package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// work transcribes what is uploaded until ctx ends. A batch goes on for as long as the service takes recordings: when the
// key is refused or the account's quota is used up, the next one begins after the pause.
func work(ctx context.Context, s *store, client *scriptix.Client, ledger batch.Ledger, pause time.Duration, log *slog.Logger) {
	sink := func(_ context.Context, o batch.Outcome) error {
		data, err := json.Marshal(o.Transcript)
		if err != nil {
			return err
		}
		return replace(s.transcriptPath(o.Key), data)
	}
	for ctx.Err() == nil {
		s.release()
		round, leave := context.WithCancel(ctx)
		for o := range batch.Run(round, client, s.inputs(round), batch.Options{Ledger: ledger, Sink: sink}) {
			again, err := s.settle(o)
			if err != nil || again {
				log.WarnContext(ctx, "upload not ended", "upload", o.Key, "state", o.State, "reason", errors.Join(o.Err, err))
			}
			if again { // the key, the account, the ledger or the disk: the others would fare no better
				leave()
			}
		}
		leave()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// inputs are the uploads as they come. The key in the ledger is the upload's id, so whatever happens to this process, each
// has one job.
func (s *store) inputs(ctx context.Context) iter.Seq[batch.Input] {
	return func(yield func(batch.Input) bool) {
		for {
			u := s.take()
			if u == nil {
				select {
				case <-s.wake:
					continue
				case <-ctx.Done():
					return
				}
			}
			// The service is told the name that the file has here, not the one that it had at the user's.
			if !yield(batch.Input{Audio: scriptix.File(s.path(u)), Params: scriptix.SubmitParams{Language: u.Language, Diarization: true}, Key: u.ID}) {
				return
			}
		}
	}
}

// settle notes what became of an upload. again says that it stays open, for the next batch.
func (s *store) settle(o batch.Outcome) (again bool, err error) {
	switch o.State {
	case batch.StateDone, batch.StateSkipped: // skipped: an earlier process has written its transcript
		return false, s.end(o.Key, stateDone, "", o.JobID)
	case batch.StateFailed:
		return false, s.end(o.Key, stateFailed, "the recording could not be transcribed", o.JobID)
	case batch.StateUnknown:
		return false, s.end(o.Key, stateUnknown, "it is not known whether the recording was taken", o.JobID)
	case batch.StateRejected:
		if errors.Is(o.Err, scriptix.ErrInvalid) || errors.Is(o.Err, scriptix.ErrTooLarge) || errors.Is(o.Err, scriptix.ErrAudio) {
			return false, s.end(o.Key, stateFailed, "the recording was refused", o.JobID)
		}
	}
	return true, nil
}
