package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// Store makes a change of one record durable, as Ledger.Apply does.
type Store func(ctx context.Context, key string, change func(ledger.Record) (ledger.Record, error)) (ledger.Record, error)

// Upload sends the audio of a record that its Owner has begun.
type Upload struct {
	Client *scriptix.Client
	Store  Store
	Owner  string
	Audio  scriptix.Audio
	Params scriptix.SubmitParams // its WebhookURL gets the record's token

	// Keyed says that the record's key was made of the bytes of the audio, just
	// now. Without it the checksum of an upload that goes on is kept and compared.
	Keyed bool

	// Whole is called once the mark is stored, before the last bytes are let go.
	Whole   func()
	Options []scriptix.SubmitOption
}

// Send makes one submit of the record, and says what came of it. What must be
// known before the last byte goes out is stored first, even if ctx ends then.
func (u *Upload) Send(ctx context.Context, r ledger.Record) Sent {
	job, err := u.submit(ctx, r)
	err = concealed(err, r.Token)
	return Sent{Kind: Classify(err, ctx.Err() != nil), Job: job, Err: err, Owner: u.Owner}
}

func (u *Upload) submit(ctx context.Context, r ledger.Record) (*scriptix.Job, error) {
	params := u.Params
	if params.WebhookURL != "" {
		var err error
		if params.WebhookURL, err = WithToken(params.WebhookURL, r.Token); err != nil {
			return nil, &scriptix.Error{Op: "stt.submit", Err: fmt.Errorf("%w: %w", scriptix.ErrInvalid, err)}
		}
	}
	audio, done, err := marked(ctx, u.Audio, func() error { return u.mark(ctx, r.Key) })
	if err != nil {
		return nil, err
	}
	defer done()
	opts := append([]scriptix.SubmitOption{scriptix.OnUploadCreated(func(ctx context.Context, upload string) error {
		return u.created(ctx, r.Key, upload)
	})}, u.Options...)
	if r.Upload != "" {
		if r, err = u.resumed(ctx, r); err != nil {
			return nil, err
		}
	}
	if r.Upload != "" {
		opts = append(opts, scriptix.ResumeUpload(r.Upload))
	}
	return u.Client.STT.Submit(ctx, audio, params, opts...)
}

// mark notes that a job may exist from here on.
func (u *Upload) mark(ctx context.Context, key string) error {
	err := u.change(ctx, key, func(r ledger.Record) (ledger.Record, error) {
		return ledger.Sending(r, u.Owner, time.Now())
	})
	if err == nil && u.Whole != nil {
		u.Whole()
	}
	return err
}

// created keeps the token of a resumable upload before its first byte goes out.
func (u *Upload) created(ctx context.Context, key, upload string) error {
	sum := ""
	if !u.Keyed {
		// The key says nothing of the bytes that the upload is to be continued with.
		var err error
		if sum, err = Checksum(ctx, u.Audio); err != nil {
			return err
		}
	}
	return u.change(ctx, key, func(r ledger.Record) (ledger.Record, error) {
		return ledger.Uploading(r, upload, sum, u.Owner)
	})
}

// resumed makes an interrupted upload this owner's. One that began with other
// audio is let go, unless all of it may have gone out.
func (u *Upload) resumed(ctx context.Context, r ledger.Record) (ledger.Record, error) {
	const changed = "the recording is not what its upload began with"
	differs := false
	if r.Sum != "" {
		sum, err := Checksum(ctx, u.Audio)
		if err != nil {
			return r, err
		}
		differs = sum != r.Sum
	}
	if differs && r.Phase != ledger.Claimed {
		return r, fmt.Errorf("%w: %q: %s", scriptix.ErrAudio, u.Audio.Name(), changed)
	}
	stored, err := u.Store(context.WithoutCancel(ctx), r.Key, func(r ledger.Record) (ledger.Record, error) {
		if differs {
			return ledger.UploadGone(r, changed, time.Now()), nil
		}
		return ledger.Uploading(r, r.Upload, r.Sum, u.Owner)
	})
	if err != nil {
		return r, fmt.Errorf("%w: %w", ledger.ErrStore, err)
	}
	return stored, nil
}

// change makes a change durable, and says whose failure it is when it cannot.
func (u *Upload) change(ctx context.Context, key string, change func(ledger.Record) (ledger.Record, error)) error {
	if _, err := u.Store(context.WithoutCancel(ctx), key, change); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrStore, err)
	}
	return nil
}

// UnknownOutcome is the error of an upload after which nobody knows whether a
// job exists.
func UnknownOutcome(attempts int, why error) error {
	return &scriptix.UnknownOutcomeError{Size: -1, Err: &scriptix.Error{Op: "stt.submit", Attempts: attempts, Err: why}}
}

// refusesAll reports whether every other submit with this key would end the same way.
func refusesAll(err error) bool {
	return errors.Is(err, scriptix.ErrUnauthorized) || errors.Is(err, scriptix.ErrQuota)
}
