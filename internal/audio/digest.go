package audio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
)

// SHA256 reads all of the recording and returns its SHA-256 in hexadecimal.
func (a Audio) SHA256(ctx context.Context) (string, error) {
	src, err := a.start(ctx)
	if err != nil {
		return "", err
	}
	if src.foreign {
		src = detach(ctx, src)
	}
	defer func() { _ = src.Close() }() // it was read alone
	sum, buf := sha256.New(), make([]byte, detachedBuffer)
	for {
		n, err := src.Read(buf)
		sum.Write(buf[:n])
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", a.Fault(err)
		}
	}
}
