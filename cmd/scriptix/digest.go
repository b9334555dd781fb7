package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// content is what was read of a file.
type content struct {
	key           string // of content and parameters
	sum           string // of the content, by which it is known under others
	digest        scriptix.Digest
	size          int64       // of what is streamed
	before, after fs.FileInfo // nil for what is streamed
}

// digest reads a file once, for its key under the parameters.
func digest(ctx context.Context, path string, p params) (c content, err error) {
	if c.before, err = os.Stat(path); err != nil {
		return c, fmt.Errorf("%w: %w", scriptix.ErrAudio, err)
	}
	if c.key, c.digest, err = batch.KeyAndDigest(ctx, scriptix.File(path), p.submit()); err != nil {
		return c, err
	}
	c.sum = hex.EncodeToString(c.digest.Sum[:])
	if c.after, err = os.Stat(path); err != nil {
		return c, fmt.Errorf("%w: %w", scriptix.ErrAudio, err)
	}
	return c, nil
}
