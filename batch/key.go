package batch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/scriptix-io/scriptix-go"
)

// Key returns the key that [Run] gives a recording: the SHA-256 of its bytes and
// of the parameters that change the result, in hexadecimal. Name and callback
// URL are not in it. The audio is read once, as a stream; a [scriptix.Reader]
// is used up by that. The error is [scriptix.ErrAudio] or the context's.
func Key(ctx context.Context, a scriptix.Audio, p scriptix.SubmitParams) (string, error) {
	r, _, err := a.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	h := sha256.New()
	add := func(text string) {
		// With its length: no two lists of parameters are the same bytes.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		_, _ = io.WriteString(h, text)
	}
	timestamps := p.Timestamps
	if timestamps == "" {
		timestamps = scriptix.TimestampsSegment
	}
	for _, text := range []string{"scriptix batch 1", p.Language, strconv.FormatBool(p.Diarization), string(timestamps), p.Model, strconv.FormatInt(p.GlossaryID, 10)} {
		add(text)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Extra)) {
		add(name)
		add(strconv.Itoa(len(p.Extra[name])))
		for _, value := range p.Extra[name] {
			add(value)
		}
	}
	add("audio")
	if err := digest(ctx, h, a, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// checksum is the SHA-256 of a recording's bytes.
func checksum(ctx context.Context, a scriptix.Audio) (string, error) {
	r, _, err := a.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	h := sha256.New()
	if err := digest(ctx, h, a, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digest(ctx context.Context, h io.Writer, a scriptix.Audio, r io.Reader) error {
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
