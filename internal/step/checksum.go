package step

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/scriptix-io/scriptix-go"
)

// Checksum is the SHA-256 of a recording's bytes, in hexadecimal. The error is
// [scriptix.ErrAudio] or the context's.
func Checksum(ctx context.Context, a scriptix.Audio) (string, error) {
	h := sha256.New()
	if err := Digest(ctx, h, a); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Digest writes a recording's bytes to h, as a stream.
func Digest(ctx context.Context, h io.Writer, a scriptix.Audio) error {
	r, _, err := a.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if _, err := io.Copy(h, &untilDone{ctx, r}); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %q: %w", scriptix.ErrAudio, a.Name(), err)
	}
	return nil
}

// untilDone ends a long read with its context.
type untilDone struct {
	ctx context.Context //nolint:containedctx // lives as long as the read
	io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
