package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/httpsource"
)

const (
	copyPrefix = ".scriptix-url-"
	mostCopied = 10_000_000_000 // of one recording: the service takes no larger ones
	mostHeld   = 10_000_000_000 // of all copies, before another is made
)

// fetcher opens recordings behind URLs: it finds out which version the server
// has, and copies what cannot be read from there while it is sent.
type fetcher struct {
	env    *env
	opener *httpsource.Opener
	dir    string // of the copies, beside the ledger
	force  bool   // copy what is no recording, too
	small  bool   // ffmpeg makes what is sent, of a file

	mu    sync.Mutex
	held  map[string]int64 // the copies of this run that are still needed, and their sizes
	freed chan struct{}    // told when one is not
}

func newFetcher(e *env, dir string, allowPrivate bool, sound string) *fetcher {
	return &fetcher{
		env: e, opener: httpsource.New(httpsource.Options{AllowPrivate: allowPrivate, Roots: e.roots, Pause: e.pause}), dir: dir, small: sound == recipeCopy || sound == recipeSmall,
		held: make(map[string]int64), freed: make(chan struct{}, 1),
	}
}

// ask finds out which version of a recording its server has, and whether it can
// be read from there while it is sent: why says what stands against that.
func (f *fetcher) ask(ctx context.Context, r *recording) (why string, err error) {
	for tries, pause := 1, cmp.Or(f.env.pause, time.Second); ; tries, pause = tries+1, 2*pause {
		r.remote.source, err = f.opener.Open(ctx, r.remote.full)
		_, refused := errors.AsType[*httpsource.RefusedError](err)
		if err == nil || refused || tries == 3 {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if err != nil {
		return "", lasting(err)
	}
	source := r.remote.source
	kind := foreign(source.Head())
	switch {
	case source.Size() == 0 || len(source.Head()) == 0:
		return "", errors.New("it is empty")
	case source.Size() > mostCopied:
		return "", fmt.Errorf("it has %s, and the service takes %s at most", bytesText(source.Size()), bytesText(mostCopied))
	case kind != "" && !f.force:
		return "", fmt.Errorf("it is %s and no recording; --force sends it all the same", kind)
	case source.Size() < 0:
		return "its server does not tell its size", nil
	case source.StrongETag() == "":
		return "its server has no strong ETag", nil
	case !r.remote.exact:
		return "its query may be what tells it from others", nil
	case f.small:
		return "--audio needs a file", nil
	}
	return "", nil
}

// prepare makes a recording ready to be looked at: either its version is known and
// will be read while it is sent, or a copy lies here.
func (f *fetcher) prepare(ctx context.Context, r *recording) error {
	if r.remote.failed != nil {
		return r.remote.failed
	}
	if r.entry != nil && r.entry.Spool != "" && exists(string(r.entry.Spool)) {
		r.remote.file = string(r.entry.Spool) // what was begun goes on with the same bytes
		f.hold(r.remote.file)
		return nil
	}
	why, err := f.ask(ctx, r)
	if err != nil || why == "" {
		return err
	}
	if err := f.room(ctx); err != nil {
		return err
	}
	size := ""
	if n := r.remote.source.Size(); n > 0 {
		size = " (" + bytesText(n) + ")"
	}
	f.env.note("%s: is copied to %s first%s, because %s", oneLine(r.shown), shown(f.dir), size, why)
	r.remote.file, err = f.copy(ctx, r)
	if err == nil {
		f.hold(r.remote.file)
	}
	return err
}

// copy makes a copy. Its name is made of the URL and of its content, so that the
// same bytes are found again, and two recordings of one content are two files.
func (f *fetcher) copy(ctx context.Context, r *recording) (place string, err error) {
	body, err := r.remote.source.From(ctx, 0)
	defer func() { _ = body.Close() }() // was only read
	if err != nil {
		return "", lasting(err)
	}
	tmp, err := os.CreateTemp(f.dir, copyPrefix+"*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	hash, head := sha256.New(), &prefix{}
	n, err := io.Copy(io.MultiWriter(tmp, hash, head), io.LimitReader(body, mostCopied+1))
	switch {
	case err != nil:
		err = lasting(err)
	case n > mostCopied:
		err = fmt.Errorf("it has more than %s, and the service takes no more", bytesText(mostCopied))
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return "", err
	}
	url := sha256.Sum256([]byte(r.path))
	extension := strings.ToLower(filepath.Ext(urlName(r.path)))
	if !slices.Contains(formats, extension) {
		extension = audio.Extension(head.data)
	}
	place = filepath.Join(f.dir, copyPrefix+hex.EncodeToString(url[:4])+"-"+hex.EncodeToString(hash.Sum(nil)[:8])+extension)
	if place, err = filepath.Abs(place); err != nil {
		return "", err
	}
	return place, os.Rename(tmp.Name(), place)
}

// lasting is the reason alone of an error that lasts.
func lasting(err error) error {
	if refused, ok := errors.AsType[*httpsource.RefusedError](err); ok {
		return errors.New(refused.Reason)
	}
	return err
}

// room waits until the copies that are still needed leave room for another.
func (f *fetcher) room(ctx context.Context) error {
	for {
		var all int64
		f.mu.Lock()
		for _, size := range f.held {
			all += size
		}
		f.mu.Unlock()
		if all < mostHeld {
			return nil
		}
		select {
		case <-f.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fetcher) hold(file string) {
	info, err := os.Stat(file)
	if err != nil {
		return // the upload will say it
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[file] = info.Size()
}

// release says that a run is done with a copy.
func (f *fetcher) release(file string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, file)
	select {
	case f.freed <- struct{}{}:
	default: // it is told already
	}
}
