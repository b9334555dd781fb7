package blobscriptix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/blobscriptix"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// stores are the buckets that every promise is tried on. S3 is spoken to a
// server that others wrote.
func stores(t *testing.T) map[string]*blob.Bucket {
	t.Helper()
	directory, err := fileblob.OpenBucket(t.TempDir(), nil)
	require.NoError(t, err)

	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	remote := s3At(t, server.URL)

	buckets := map[string]*blob.Bucket{"memory": memblob.OpenBucket(nil), "directory": directory, "s3": remote}
	for _, bucket := range buckets {
		t.Cleanup(func() { assert.NoError(t, bucket.Close()) })
	}
	return buckets
}

// s3At is a new bucket of a server.
func s3At(t *testing.T, url string) *blob.Bucket {
	t.Helper()
	client := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("calls")})
	require.NoError(t, err)
	bucket, err := s3blob.OpenBucket(t.Context(), client, "calls", nil)
	require.NoError(t, err)
	return bucket
}

func recording(size int) []byte {
	data := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	copy(data, "ID3")
	return data
}

func client(t *testing.T, fake *scriptixtest.Server) *scriptix.Client {
	t.Helper()
	c, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	require.NoError(t, err)
	return c
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func TestAnObjectIsSentByteForByte(t *testing.T) {
	t.Parallel()
	for name, bucket := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			data := recording(3 << 20)
			require.NoError(t, bucket.WriteAll(t.Context(), "2026/call.mp3", data, nil))

			_, err := client(t, fake).STT.Submit(t.Context(), blobscriptix.Open(t.Context(), bucket, "2026/call.mp3"), scriptix.SubmitParams{Language: "en"})

			require.NoError(t, err)
			require.Len(t, fake.Jobs(), 1)
			assert.Equal(t, sum(data), fake.Jobs()[0].SHA256)
			assert.Equal(t, "call.mp3", fake.Jobs()[0].FileName)
		})
	}
}

func TestAResumableUploadGoesOnInTheMiddleOfTheObject(t *testing.T) {
	t.Parallel()
	for name, bucket := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			data := recording(2 << 20)
			require.NoError(t, bucket.WriteAll(t.Context(), "call.mp3", data, nil))
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})

			_, err := client(t, fake).STT.Submit(t.Context(), blobscriptix.Open(t.Context(), bucket, "call.mp3"),
				scriptix.SubmitParams{Language: "en"}, scriptix.Resumable())

			require.NoError(t, err)
			require.Len(t, fake.Jobs(), 1)
			assert.Equal(t, sum(data), fake.Jobs()[0].SHA256)
		})
	}
}

func TestAnObjectThatChangesMakesNoJob(t *testing.T) {
	t.Parallel()
	for name, bucket := range stores(t) {
		t.Run(name+", before it is sent", func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			data := recording(1 << 20)
			require.NoError(t, bucket.WriteAll(t.Context(), "before.mp3", data, nil))
			audio := blobscriptix.Open(t.Context(), bucket, "before.mp3")
			data[len(data)-1]++
			require.NoError(t, bucket.WriteAll(t.Context(), "before.mp3", data, nil))

			_, err := client(t, fake).STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})

			require.ErrorIs(t, err, scriptix.ErrAudio)
			require.ErrorContains(t, err, "changed")
			assert.Empty(t, fake.Jobs())
		})
		t.Run(name+", while it is sent", func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			data := recording(1 << 20)
			require.NoError(t, bucket.WriteAll(t.Context(), "while.mp3", data, nil))
			audio := blobscriptix.Open(t.Context(), bucket, "while.mp3")
			changed := bytes.Clone(data)
			changed[len(changed)-1]++
			replaced := false

			_, err := client(t, fake).STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"}, scriptix.OnProgress(func(sent, _ int64) {
				if !replaced && sent > 0 {
					replaced = true
					assert.NoError(t, bucket.WriteAll(context.WithoutCancel(t.Context()), "while.mp3", changed, nil))
				}
			}))

			require.True(t, replaced, "the upload was seen before its end")
			require.ErrorIs(t, err, scriptix.ErrAudio)
			assert.Empty(t, fake.Jobs(), "not even a mixture of both")
		})
	}
}

func TestAMissingOrEmptyObjectIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	for name, bucket := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			require.NoError(t, bucket.WriteAll(t.Context(), "empty.mp3", nil, nil))
			for _, key := range []string{"gone.mp3", "empty.mp3"} {
				_, err := client(t, fake).STT.Submit(t.Context(), blobscriptix.Open(t.Context(), bucket, key), scriptix.SubmitParams{Language: "en"})
				require.ErrorIs(t, err, scriptix.ErrAudio)
				require.ErrorContains(t, err, key)
			}
			assert.Empty(t, fake.Requests())
		})
	}
}

func TestAKeyIsOfTheVersionAndTheParameters(t *testing.T) {
	t.Parallel()
	for name, bucket := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			english := scriptix.SubmitParams{Language: "en"}
			require.NoError(t, bucket.WriteAll(t.Context(), "a.mp3", recording(1000), nil))
			key := func(p scriptix.SubmitParams) string {
				k, err := blobscriptix.Key(t.Context(), bucket, "a.mp3", p)
				require.NoError(t, err)
				return k
			}
			first := key(english)
			assert.Equal(t, first, key(english), "stays")
			assert.NotEqual(t, first, key(scriptix.SubmitParams{Language: "nl"}), "other parameters")
			require.NoError(t, bucket.WriteAll(t.Context(), "a.mp3", recording(1001), nil))
			assert.NotEqual(t, first, key(english), "other bytes")
			_, err := blobscriptix.Key(t.Context(), bucket, "gone.mp3", english)
			require.ErrorIs(t, err, scriptix.ErrAudio)
		})
	}
}

// A weak ETag says that two versions mean the same, and not that their bytes are.
func TestAWeakETagProvesNothing(t *testing.T) {
	t.Parallel()
	var versions atomic.Int64
	inner := gofakes3.New(s3mem.New()).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			versions.Add(1)
		}
		changed := time.Date(2026, 1, 1, 0, 0, int(versions.Load()), 0, time.UTC)
		weak := weakly{w, changed}
		inner.ServeHTTP(weak, r)
		weak.weaken() // an answer without a body is written only now
	}))
	defer server.Close()
	bucket := s3At(t, server.URL)
	t.Cleanup(func() { assert.NoError(t, bucket.Close()) })
	data := recording(1 << 20)
	require.NoError(t, bucket.WriteAll(t.Context(), "a.mp3", data, nil))

	_, err := blobscriptix.Key(t.Context(), bucket, "a.mp3", scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrAudio)
	require.ErrorContains(t, err, "ETag")

	fake := scriptixtest.New(t)
	audio := blobscriptix.Open(t.Context(), bucket, "a.mp3")
	_, err = client(t, fake).STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})
	require.NoError(t, err, "it is what it was")
	data[len(data)-1]++
	require.NoError(t, bucket.WriteAll(t.Context(), "a.mp3", data, nil))
	_, err = client(t, fake).STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})
	require.ErrorIs(t, err, scriptix.ErrAudio)
	assert.Len(t, fake.Jobs(), 1)
}

// weakly is an answer as a proxy that compresses would change it.
type weakly struct {
	http.ResponseWriter
	changed time.Time
}

func (w weakly) weaken() {
	if w.Header().Get("ETag") != "" {
		w.Header().Set("ETag", `W/"the same"`)
		w.Header().Set("Last-Modified", w.changed.Format(http.TimeFormat))
	}
}

func (w weakly) WriteHeader(status int) {
	w.weaken()
	w.ResponseWriter.WriteHeader(status)
}

func (w weakly) Write(p []byte) (int, error) {
	w.weaken()
	return w.ResponseWriter.Write(p)
}

func TestAnAudioOfABucketCanBeReadSeveralTimesAtOnce(t *testing.T) {
	t.Parallel()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { assert.NoError(t, bucket.Close()) })
	data := recording(1 << 20)
	require.NoError(t, bucket.WriteAll(t.Context(), "a.mp3", data, nil))
	audio := blobscriptix.Open(t.Context(), bucket, "a.mp3")
	for range 4 {
		t.Run("reader", func(t *testing.T) {
			t.Parallel()
			r, size, err := audio.Open(t.Context())
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			assert.Equal(t, int64(len(data)), size)
			assert.True(t, bytes.Equal(data, got))
		})
	}
}
