// Package blobscriptix sends recordings that lie in a bucket: in S3, Google
// Cloud Storage, Azure, a directory or memory, through gocloud.dev/blob.
//
// A recording is read by range while it is uploaded, so it needs no disk and a
// fixed amount of memory. [Open] notes the object's size and ETag. Whatever is
// read later has to be of that version, and the last bytes are let go only once
// the store has confirmed that it still is: an object that is replaced while it
// is sent ends the upload with [scriptix.ErrAudio], before a job can exist.
package blobscriptix

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// Open is the recording in the object called key. It asks the store once for
// the object's attributes; an object that is missing or empty becomes an Audio
// whose use fails with [scriptix.ErrAudio].
//
// Each attempt of an upload costs the store three requests: the attributes, the
// bytes from where the attempt starts, and the attributes again before the last
// of them goes out. The bucket has to stay open until the recording was sent.
// The Audio may be used again and concurrently.
func Open(ctx context.Context, bucket *blob.Bucket, key string) scriptix.Audio {
	pinned, err := versionOf(ctx, bucket, key)
	if err != nil {
		return scriptix.Opener(path.Base(key), -1, func(context.Context, int64) (io.ReadCloser, error) { return nil, err })
	}
	object := object{bucket: bucket, key: key, pinned: pinned}
	return scriptix.Opener(path.Base(key), pinned.size, object.open)
}

// Key is a key for [batch.Input] that needs no reading: it is made of the
// object's name, size and ETag, and of the parameters that change the result.
// It asks the store once for the attributes.
//
// Where the default key hashes a whole recording, and knows it again under
// another name or in another bucket, this one takes the store's word: the same
// bytes uploaded to the bucket anew may have another ETag, and are then paid for
// again. It differs from the default key, so a batch should keep to one of them.
// The error is [scriptix.ErrAudio] if the object is missing or empty or the
// store gives no strong ETag.
func Key(ctx context.Context, bucket *blob.Bucket, key string, p scriptix.SubmitParams) (string, error) {
	version, err := versionOf(ctx, bucket, key)
	if err != nil {
		return "", err
	}
	if version.etag == "" {
		return "", fmt.Errorf("%w: %q: the store gives no strong ETag: leave Input.Key empty, so that the bytes are hashed", scriptix.ErrAudio, key)
	}
	identity := fmt.Sprintf("scriptix blob 1\x00%d\x00%s\x00%s", version.size, version.etag, key)
	return batch.Key(ctx, scriptix.Bytes(path.Base(key), []byte(identity)), p)
}

// version tells one content of an object from another.
type version struct {
	size    int64
	etag    string // a strong one; "" where the store has none
	modTime time.Time
}

func versionOf(ctx context.Context, bucket *blob.Bucket, key string) (version, error) {
	attributes, err := bucket.Attributes(ctx, key)
	if err != nil {
		if ctx.Err() != nil {
			return version{}, context.Cause(ctx)
		}
		return version{}, fmt.Errorf("%w: %q: %w", scriptix.ErrAudio, key, err)
	}
	if attributes.Size == 0 {
		return version{}, fmt.Errorf("%w: %q: the object is empty", scriptix.ErrAudio, key)
	}
	etag := strings.TrimSpace(attributes.ETag)
	if strings.HasPrefix(etag, "W/") {
		etag = "" // a weak one stays the same while bytes change
	}
	return version{size: attributes.Size, etag: etag, modTime: attributes.ModTime}, nil
}

// equal reports whether two versions are one. An ETag decides alone, because
// some stores touch the time without touching the bytes.
func (v version) equal(other version) bool {
	if v.etag != "" && other.etag != "" {
		return v.size == other.size && v.etag == other.etag
	}
	return v.size == other.size && v.modTime.Equal(other.modTime)
}

// object is one version of an object in a bucket.
type object struct {
	bucket *blob.Bucket
	key    string
	pinned version
}

// open reads from offset on.
func (o object) open(ctx context.Context, offset int64) (io.ReadCloser, error) {
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	r, err := o.bucket.NewRangeReader(ctx, o.key, offset, o.pinned.size-offset, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", scriptix.ErrAudio, o.key, err)
	}
	return &reader{ReadCloser: r, ctx: ctx, object: o, left: o.pinned.size - offset}, nil
}

// check compares what the store has now with the version that was opened.
func (o object) check(ctx context.Context) error {
	now, err := versionOf(ctx, o.bucket, o.key)
	if err != nil {
		return err
	}
	if !o.pinned.equal(now) {
		return fmt.Errorf("%w: %q: the object changed after it was opened (%d bytes, ETag %s; now %d bytes, ETag %s): send it again",
			scriptix.ErrAudio, o.key, o.pinned.size, o.pinned.etag, now.size, now.etag)
	}
	return nil
}

// reader holds the last bytes back until the version is confirmed.
type reader struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // lives as long as the attempt that reads
	object object
	left   int64 // bytes still to come
}

// Read returns the last bytes only if the object is still the one that was opened.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.left -= int64(n)
	if r.left > 0 || n == 0 {
		return n, err
	}
	if changed := r.object.check(r.ctx); changed != nil {
		return 0, changed
	}
	return n, err
}
