package step

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

	// Digest is what the record's key was made of, and what the audio must hold.
	// Where it is nil the key says nothing of the bytes, and nothing is hashed: a
	// resumable upload goes on with a recording of the same size and, of files, the
	// same modification time.
	Digest *scriptix.Digest

	// Whole is called with true once the mark is stored, before the last byte is
	// let go, and with false when a refusal has disproved it.
	Whole   func(whole bool)
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
		if params.WebhookURL, err = withToken(params.WebhookURL, r.Token); err != nil {
			return nil, &scriptix.Error{Op: "stt.submit", Err: fmt.Errorf("%w: %w", scriptix.ErrInvalid, err)}
		}
	}
	digest := u.Digest
	if r.Upload != "" {
		var err error
		if r, digest, err = u.resumed(ctx, r); err != nil {
			return nil, err
		}
	}
	job, err := u.Client.STT.Submit(ctx, u.Audio, params, u.options(r, digest)...)
	if r.Upload == "" || !errors.Is(err, scriptix.ErrOtherAudio) {
		return job, err
	}
	if r, letGo := u.letGo(ctx, r); letGo {
		return u.Client.STT.Submit(ctx, u.Audio, params, u.options(r, digest)...)
	}
	return nil, err
}

// letGo forgets an upload that began with another recording, unless all of it may
// have gone out: then its job may exist.
func (u *Upload) letGo(ctx context.Context, r ledger.Record) (ledger.Record, bool) {
	stored, err := u.Store(context.WithoutCancel(ctx), r.Key, func(r ledger.Record) (ledger.Record, error) {
		if r.Phase != ledger.Claimed || r.Owner != u.Owner {
			return r, ledger.ErrMoved
		}
		return ledger.UploadGone(r, otherAudio, time.Now()), nil
	})
	return stored, err == nil
}

// options are those of one submit: the ledger learns of each step before it is
// taken.
func (u *Upload) options(r ledger.Record, digest *scriptix.Digest) []scriptix.SubmitOption {
	opts := append([]scriptix.SubmitOption{
		scriptix.OnUploadCreated(func(ctx context.Context, upload string) error { return u.created(ctx, r.Key, upload) }),
		scriptix.BeforeLastByte(func(ctx context.Context) error { return u.mark(ctx, r.Key) }),
		scriptix.OnRepeat(func(ctx context.Context, _ error) { u.unmark(ctx, r.Key) }),
	}, u.Options...)
	if digest != nil {
		opts = append(opts, scriptix.ExpectDigest(*digest))
	}
	if r.Upload != "" {
		opts = append(opts, scriptix.ResumeUpload(r.Upload))
	}
	return opts
}

// mark notes that a job may exist from here on.
func (u *Upload) mark(ctx context.Context, key string) error {
	err := u.change(ctx, key, func(r ledger.Record) (ledger.Record, error) {
		return ledger.Sending(r, u.Owner, time.Now())
	})
	if err == nil && u.Whole != nil {
		u.Whole(true)
	}
	return err
}

// unmark notes that a refusal has disproved the mark, before it is waited out: a
// process that is killed during the wait leaves no unknown outcome. What cannot
// be stored here is stored once the submit has ended.
func (u *Upload) unmark(ctx context.Context, key string) {
	_, _ = u.Store(context.WithoutCancel(ctx), key, func(r ledger.Record) (ledger.Record, error) {
		return ledger.Unsent(r, u.Owner), nil
	})
	if u.Whole != nil {
		u.Whole(false)
	}
}

// created keeps the token of a resumable upload before its first byte goes out.
func (u *Upload) created(ctx context.Context, key, upload string) error {
	return u.change(ctx, key, func(r ledger.Record) (ledger.Record, error) {
		return ledger.Uploading(r, upload, "", u.Owner)
	})
}

const otherAudio = "the recording is not what its upload began with"

// resumed makes an interrupted upload this owner's. One that began with other
// audio is let go, unless all of it may have gone out.
func (u *Upload) resumed(ctx context.Context, r ledger.Record) (ledger.Record, *scriptix.Digest, error) {
	digest, differs := u.Digest, false // a sum is that of an earlier version
	if r.Sum != "" {
		read, err := u.Audio.Digest(ctx, io.Discard)
		if err != nil {
			return r, nil, err
		}
		digest, differs = &read, hex.EncodeToString(read.Sum[:]) != r.Sum
	}
	if differs && r.Phase != ledger.Claimed {
		return r, nil, fmt.Errorf("%w: %q: %s", scriptix.ErrAudio, u.Audio.Name(), otherAudio)
	}
	stored, err := u.Store(context.WithoutCancel(ctx), r.Key, func(r ledger.Record) (ledger.Record, error) {
		if differs {
			return ledger.UploadGone(r, otherAudio, time.Now()), nil
		}
		return ledger.Uploading(r, r.Upload, r.Sum, u.Owner)
	})
	if err != nil {
		return r, nil, fmt.Errorf("%w: %w", ledger.ErrStore, err)
	}
	return stored, digest, nil
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
