package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// streamed reports whether a recording is read from its server while it is sent.
func (r recording) streamed() bool { return r.remote != nil && r.remote.file == "" }

// file is where the bytes of a recording lie; "" for one that is streamed.
func (r recording) file() string {
	if r.remote != nil {
		return r.remote.file
	}
	return r.path
}

// stat is nil for what is streamed, about which its version tells all.
func (r recording) stat() (fs.FileInfo, error) {
	switch {
	case r.remote != nil && r.remote.failed != nil:
		return nil, r.remote.failed
	case r.streamed():
		return nil, nil
	}
	return os.Stat(r.file())
}

// foreign says what a recording is by its first bytes, if that is no recording.
func (r recording) foreign() string {
	if r.streamed() {
		return "" // was looked at when the server was asked
	}
	kind, err := foreignKind(r.file())
	if err != nil {
		return ""
	}
	return kind
}

// length reads how long a recording is, where its first bytes tell.
func (r recording) length() time.Duration {
	if r.streamed() {
		if r.remote.source == nil {
			return 0
		}
		return wavLength(bytes.NewReader(r.remote.source.Head()), r.remote.source.Size())
	}
	return audioLength(r.file())
}

// audio is what is sent of a recording that is streamed.
func (r *remote) audio(name string) scriptix.Audio {
	return scriptix.Opener(name, r.source.Size(), func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		body, err := r.source.From(ctx, offset)
		if err != nil {
			return nil, errors.Join(lasting(err), body.Close())
		}
		return plainReader{body}, nil
	})
}

// copiedAudio is what is sent of a copy: the service is to see the name in the URL.
func copiedAudio(name, path string) scriptix.Audio {
	size := int64(-1)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	return scriptix.Opener(name, size, func(_ context.Context, offset int64) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	})
}

// plainReader has errors without the URL, since whoever prints them names it.
type plainReader struct{ io.ReadCloser }

// Read reads on.
func (r plainReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lasting(err)
	}
	return n, err
}

// digest finds out what a recording is known by under the parameters. A file is
// read once for it; of what is streamed the version stands for the content.
func (r recording) digest(ctx context.Context, p params) (c content, err error) {
	if !r.streamed() {
		return digest(ctx, r.file(), p)
	}
	if r.remote.failed != nil {
		return c, fmt.Errorf("%w: %w", scriptix.ErrAudio, r.remote.failed)
	}
	source := r.remote.source
	version := fmt.Sprintf("scriptix https 1\x00%d\x00%s\x00%s", source.Size(), source.StrongETag(), r.path)
	if c.key, c.digest, err = batch.KeyAndDigest(ctx, scriptix.Bytes("version", []byte(version)), p.submit()); err != nil {
		return c, err
	}
	c.sum = hex.EncodeToString(c.digest.Sum[:])
	c.size = source.Size()
	return c, nil
}
