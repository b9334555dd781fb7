package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// content is what was read of a file.
type content struct {
	key, sum      string
	before, after fs.FileInfo
}

// digest reads a file once, for its key under the parameters and for the
// checksum by which it is known under others.
func digest(ctx context.Context, path string, p params) (c content, err error) {
	if c.before, err = os.Stat(path); err != nil {
		return c, fmt.Errorf("%w: %w", scriptix.ErrAudio, err)
	}
	sum := sha256.New()
	audio := scriptix.Opener(filepath.Base(path), c.before.Size(), func(context.Context, int64) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		sum.Reset()
		return &summed{f, sum}, nil
	})
	if c.key, err = batch.Key(ctx, audio, p.submit()); err != nil {
		return c, err
	}
	c.sum = hex.EncodeToString(sum.Sum(nil))
	if c.after, err = os.Stat(path); err != nil {
		return c, fmt.Errorf("%w: %w", scriptix.ErrAudio, err)
	}
	return c, nil
}

// summed is a file whose bytes are added to a hash as they are read.
type summed struct {
	io.ReadCloser
	sum hash.Hash
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.sum.Write(p[:n])
	return n, err
}
