package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// spool copies standard input into a file of dir, for a recording must be read
// twice, once to know it and once to send it. The name is made of its content:
// what was interrupted finds the same file when the same bytes are piped again,
// and resume finds it without them.
func (e *env) spool(ctx context.Context, dir string) (path string, err error) {
	tmp, err := os.CreateTemp(dir, spoolPrefix+"*.tmp")
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	hash := sha256.New()
	head := &prefix{}
	n, err := io.Copy(io.MultiWriter(tmp, hash, head), untilDone{ctx, e.stdin})
	if err == nil && n == 0 {
		err = usage("it is empty")
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	path = filepath.Join(dir, spoolPrefix+hex.EncodeToString(hash.Sum(nil)[:8])+audio.Extension(head.data))
	return path, os.Rename(tmp.Name(), path)
}

const spoolPrefix = ".scriptix-stdin-"

// prefix keeps the first bytes written to it.
type prefix struct{ data []byte }

func (p *prefix) Write(b []byte) (int, error) {
	if room := 64 - len(p.data); room > 0 {
		p.data = append(p.data, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

// untilDone ends a copy with its context, at the next read.
type untilDone struct {
	ctx context.Context //nolint:containedctx // lives as long as the copy
	io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}
