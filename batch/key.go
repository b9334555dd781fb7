package batch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/scriptix-io/scriptix-go"
)

// Key returns the key that [Run] gives a recording: the SHA-256 of its bytes and
// of the parameters that change the result, in hexadecimal. Name and callback
// URL are not in it. The audio is read once, as a stream; a [scriptix.Reader]
// is used up by that. Of [scriptix.FromURL] the key is of the URL: where URLs are
// signed anew each time, give a key of your own. The error is [scriptix.ErrAudio]
// or the context's.
func Key(ctx context.Context, a scriptix.Audio, p scriptix.SubmitParams) (string, error) {
	key, _, err := keyOf(ctx, a, p)
	return key, err
}

// KeyAndDigest returns the key that [Key] does, and for [Input.Digest] what
// proves later that the recording still is what the key was made of. It reads
// the audio once.
func KeyAndDigest(ctx context.Context, a scriptix.Audio, p scriptix.SubmitParams) (string, scriptix.Digest, error) {
	key, digest, err := keyOf(ctx, a, p)
	if err != nil {
		return "", scriptix.Digest{}, err
	}
	return key, *digest, nil
}

// keyOf is the key of a recording, and what proves later that the recording
// still is what the key was made of.
func keyOf(ctx context.Context, a scriptix.Audio, p scriptix.SubmitParams) (string, *scriptix.Digest, error) {
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
	if link := a.URL(); link != "" {
		add("url")
		add(link)
		return hex.EncodeToString(h.Sum(nil)), nil, nil
	}
	add("audio")
	digest, err := a.Digest(ctx, h)
	if err != nil {
		return "", nil, err
	}
	return hex.EncodeToString(h.Sum(nil)), &digest, nil
}
