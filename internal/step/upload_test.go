package step_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const hook = "https://receiver.example/hook?tenant=7"

var english = scriptix.SubmitParams{Language: "en"}

func newClient(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{
		scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}),
	}, opts...)
	c, err := scriptix.New(fake.APIKey(), opts...)
	require.NoError(t, err)
	return c
}

// claimed is a ledger with one record, which "me" has begun.
func claimed(t *testing.T) (batch.Ledger, ledger.Record) {
	t.Helper()
	l := batch.Memory()
	r, ok, err := l.Claim(t.Context(), ledger.New("k", "a.wav", "t0ken", "me", time.Now()))
	require.NoError(t, err)
	require.True(t, ok)
	return l, r
}

func get(t *testing.T, l batch.Ledger) ledger.Record {
	t.Helper()
	r, err := l.Get(t.Context(), ledger.ByKey, "k")
	require.NoError(t, err)
	return r
}

func wav(size int) []byte { return []byte("RIFF" + strings.Repeat("x", size-4)) }

func upload(c *scriptix.Client, l batch.Ledger, a scriptix.Audio) *step.Upload {
	return &step.Upload{Client: c, Store: l.Apply, Owner: "me", Audio: a, Params: english}
}

func TestAnUploadIsMarkedBeforeItsLastByteGoesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		l, r := claimed(t)
		whole := 0
		up := upload(newClient(t, fake), l, scriptix.Bytes("a.wav", wav(5000)))
		up.Params.WebhookURL = hook
		up.Whole = func(bool) {
			whole++
			assert.Equal(t, ledger.Sent, get(t, l).Phase)
			assert.Empty(t, fake.Jobs())
		}
		sent := up.Send(t.Context(), r)
		require.NoError(t, sent.Err)
		assert.Equal(t, step.JobMade, sent.Kind)
		assert.Equal(t, 1, whole)
		require.Len(t, fake.Jobs(), 1)
		assert.Equal(t, hook+"&scriptix_token=t0ken", fake.Jobs()[0].Fields.Get("webhook_url"))
		r, verdict := sent.Settle(get(t, l), 1, time.Now())
		assert.Equal(t, step.Verdict{Then: step.Advance}, verdict)
		assert.Equal(t, fake.Jobs()[0].ID, r.JobID)
	})
}

func TestWhatCannotBeMarkedIsNotSent(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk full")
	for name, c := range map[string]struct {
		store step.Store
		want  step.Kind
	}{
		"the store fails": {func(context.Context, string, func(ledger.Record) (ledger.Record, error)) (ledger.Record, error) {
			return ledger.Record{}, errDisk
		}, step.StoreFailed},
		"another owner was faster": {func(_ context.Context, _ string, change func(ledger.Record) (ledger.Record, error)) (ledger.Record, error) {
			return change(ledger.Record{Key: "k", Phase: ledger.Claimed, Owner: "other"})
		}, step.Overtaken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := scriptixtest.New(t, scriptixtest.InMemory())
				l, r := claimed(t)
				up := upload(newClient(t, fake), l, scriptix.Bytes("a.wav", wav(5000)))
				up.Store = c.store
				sent := up.Send(t.Context(), r)
				assert.Equal(t, c.want, sent.Kind)
				assert.Empty(t, fake.Jobs())
				// Nobody knows which byte of a stream is the last: it is marked before the first.
				up.Audio = scriptix.Reader("a.wav", strings.NewReader(string(wav(100))))
				assert.Equal(t, c.want, up.Send(t.Context(), r).Kind)
				assert.Empty(t, fake.Jobs())
			})
		})
	}
}

func TestARefusalDoesNotShowTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: 422, Body: `{"message":"t0ken is odd","errors":{"webhook_url":"has t0ken"}}`})
		l, r := claimed(t)
		sent := upload(newClient(t, fake), l, scriptix.Bytes("a.wav", wav(5000))).Send(t.Context(), r)
		assert.Equal(t, step.Refused, sent.Kind)
		require.ErrorContains(t, sent.Err, "[token]")
		assert.NotContains(t, sent.Err.Error(), "t0ken")

		up := upload(newClient(t, fake), l, scriptix.Bytes("a.wav", wav(5000)))
		up.Params.WebhookURL = "https://x.example/%zz"
		sent = up.Send(t.Context(), r)
		assert.Equal(t, step.Refused, sent.Kind)
		require.ErrorIs(t, sent.Err, scriptix.ErrInvalid)
	})
}

// half leaves a resumable upload of which a part is at the service.
func half(t *testing.T, fake *scriptixtest.Server, c *scriptix.Client, l batch.Ledger, r ledger.Record, a scriptix.Audio) ledger.Record {
	t.Helper()
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: 500, Times: -1})
	sent := upload(c, l, a).Send(t.Context(), r)
	require.Equal(t, step.UploadCut, sent.Kind, "%v", sent.Err)
	fake.ClearFaults()
	r, err := l.Apply(t.Context(), "k", func(r ledger.Record) (ledger.Record, error) {
		r, verdict := sent.Settle(r, 1, time.Now())
		assert.Equal(t, step.Again, verdict.Then)
		return r, nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, r.Upload)
	require.Empty(t, r.Sum, "nothing is hashed")
	return r
}

func TestAnUploadGoesOnWithTheSameAudioAlone(t *testing.T) {
	t.Parallel()
	audio := wav(3 << 20)
	for name, c := range map[string]struct {
		audio scriptix.Audio
		want  step.Kind
		files int
	}{
		"the same":    {scriptix.Bytes("a.wav", audio), step.JobMade, 1},
		"another one": {scriptix.Bytes("a.wav", wav(3<<20+1)), step.JobMade, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := scriptixtest.New(t, scriptixtest.InMemory())
				client := newClient(t, fake, scriptix.WithResumableAbove(1000))
				l, r := claimed(t)
				r = half(t, fake, client, l, r, scriptix.Bytes("a.wav", audio))
				require.Equal(t, ledger.Claimed, r.Phase, "a part of it is not a job")
				sent := upload(client, l, c.audio).Send(t.Context(), r)
				require.NoError(t, sent.Err)
				assert.Equal(t, c.want, sent.Kind)
				assert.Len(t, fake.Jobs(), 1)
				created := 0
				for _, request := range fake.Requests() {
					if request.Endpoint == scriptixtest.FilesCreate {
						created++
					}
				}
				assert.Equal(t, c.files, created)
			})
		})
	}
}

// counted is audio of which it is known how much was read.
func counted(data []byte, read *atomic.Int64) scriptix.Audio {
	return scriptix.Opener("a.wav", int64(len(data)), func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(io.TeeReader(bytes.NewReader(data[offset:]), counter{read})), nil
	})
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func TestWithoutAContentKeyNothingIsReadButWhatIsSent(t *testing.T) {
	t.Parallel()
	audio := wav(3 << 20)
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := scriptixtest.New(t, scriptixtest.InMemory())
			l, r := claimed(t)
			var read atomic.Int64
			sent := upload(newClient(t, fake, scriptix.WithResumableAbove(1000)), l, counted(audio, &read)).Send(t.Context(), r)
			require.NoError(t, sent.Err)
			assert.Equal(t, step.JobMade, sent.Kind)
			assert.Equal(t, int64(len(audio)), read.Load())
		})
	})
	t.Run("after a cut", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			fake := scriptixtest.New(t, scriptixtest.InMemory())
			client := newClient(t, fake, scriptix.WithResumableAbove(1000))
			l, r := claimed(t)
			var read atomic.Int64
			r = half(t, fake, client, l, r, counted(audio, &read))
			assert.LessOrEqual(t, read.Load(), int64(len(audio)))
			read.Store(0)
			sent := upload(client, l, counted(audio, &read)).Send(t.Context(), r)
			require.NoError(t, sent.Err)
			assert.Less(t, read.Load(), int64(len(audio)), "what the service holds is not read again")
			assert.Len(t, fake.Jobs(), 1)
			assert.Equal(t, hex.EncodeToString(sum256(audio)), fake.Jobs()[0].SHA256)
		})
	})
}

func sum256(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// An earlier version kept a checksum of what an upload began with: that is still
// looked at.
func TestAChecksumOfAnEarlierVersionHolds(t *testing.T) {
	t.Parallel()
	audio := wav(3 << 20)
	for name, files := range map[string]int{"the same": 1, "another one of the same size": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := scriptixtest.New(t, scriptixtest.InMemory())
				client := newClient(t, fake, scriptix.WithResumableAbove(1000))
				l, r := claimed(t)
				r = half(t, fake, client, l, r, scriptix.Bytes("a.wav", audio))
				r, err := l.Apply(t.Context(), r.Key, func(r ledger.Record) (ledger.Record, error) {
					return ledger.Uploading(r, r.Upload, hex.EncodeToString(sum256(audio)), "me")
				})
				require.NoError(t, err)
				now := audio
				if files == 2 {
					now = append(wav(3<<20-1), 'y')
				}
				sent := upload(client, l, scriptix.Bytes("a.wav", now)).Send(t.Context(), r)
				require.NoError(t, sent.Err)
				assert.Len(t, fake.Jobs(), 1)
				assert.Equal(t, hex.EncodeToString(sum256(now)), fake.Jobs()[0].SHA256)
			})
		})
	}
}

func TestAnUploadThatMayBeAllOutIsNotLetGoThoughItsFileChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		client := newClient(t, fake, scriptix.WithResumableAbove(1000))
		l, r := claimed(t)
		path := filepath.Join(t.TempDir(), "a.wav")
		require.NoError(t, os.WriteFile(path, wav(5000), 0o600))
		r = half(t, fake, client, l, r, scriptix.File(path))
		require.Equal(t, ledger.Sent, r.Phase)
		require.NoError(t, os.WriteFile(path, append(wav(4999), 'y'), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)))
		sent := upload(client, l, scriptix.File(path)).Send(t.Context(), r)
		require.ErrorIs(t, sent.Err, scriptix.ErrAudio)
		require.ErrorIs(t, sent.Err, scriptix.ErrOtherAudio)
		assert.Equal(t, step.Refused, sent.Kind)
		missing := scriptix.File(filepath.Join(t.TempDir(), "gone.wav"))
		sent = upload(client, l, missing).Send(t.Context(), r)
		require.ErrorIs(t, sent.Err, os.ErrNotExist)
		_, verdict := sent.Settle(get(t, l), 1, time.Now())
		assert.Equal(t, step.Doubt, verdict.Then)
	})
}

func TestAFetchSaysWhatIsDoneThen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault *scriptixtest.Fault
		tries int
		then  step.Then
		halt  bool
		after time.Duration
	}{
		"a transcript":               {nil, 0, step.Deliver, false, 0},
		"a result that is late":      {&scriptixtest.Fault{On: scriptixtest.Result, Status: 409}, 0, step.Again, false, 5 * time.Second},
		"one that is late again":     {&scriptixtest.Fault{On: scriptixtest.Result, Status: 409}, 1, step.Again, false, 7500 * time.Millisecond},
		"one that is late for hours": {&scriptixtest.Fault{On: scriptixtest.Result, Status: 409}, 28, step.Again, false, 10 * time.Minute},
		"one that never comes":       {&scriptixtest.Fault{On: scriptixtest.Result, Status: 409}, 29, step.Interrupt, false, 0},
		"a key that is refused":      {&scriptixtest.Fault{On: scriptixtest.Result, Status: 401}, 0, step.Interrupt, true, 0},
		"a result that is kept back": {&scriptixtest.Fault{On: scriptixtest.Result, Status: 403}, 0, step.Interrupt, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := scriptixtest.New(t, scriptixtest.InMemory())
				client := newClient(t, fake)
				job, err := client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav(100)), english)
				require.NoError(t, err)
				time.Sleep(time.Hour)
				if c.fault != nil {
					fake.Fault(*c.fault)
				}
				fetched := step.Fetch(t.Context(), client, job.ID, c.tries)
				r, verdict := fetched.Settle(record(ledger.Completed), now)
				assert.Equal(t, record(ledger.Completed), r)
				assert.Equal(t, c.then, verdict.Then)
				assert.Equal(t, c.halt, verdict.Halt)
				assert.Equal(t, c.after, verdict.After)
				assert.Equal(t, c.fault == nil, fetched.Transcript != nil)
			})
		})
	}
}

func TestAStatusThatDisprovesItsCallbackFailsTheRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Failure: "no speech for t0ken"}
		})
		client := newClient(t, fake)
		job, err := client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav(100)), english)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		fetched := step.Fetch(t.Context(), client, job.ID, 2)
		require.Nil(t, fetched.Failed, "it may be late")
		fetched = step.Fetch(t.Context(), client, job.ID, 3)
		require.NotNil(t, fetched.Failed)
		r, verdict := fetched.Settle(record(ledger.Completed), now)
		assert.Equal(t, step.Advance, verdict.Then)
		assert.Equal(t, ledger.Failed, r.Phase)
		assert.Equal(t, "no speech for [token]", r.Failure)
	})
}

func TestAFetchThatIsStoppedLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, verdict := step.Fetch(ctx, newClient(t, fake), "job", 0).Settle(record(ledger.Completed), now)
		assert.Equal(t, step.Stop, verdict.Then)
		assert.Equal(t, record(ledger.Completed), r)
	})
}

func TestObserveTakesInTheEndOfAJob(t *testing.T) {
	t.Parallel()
	done := scriptix.Job{ID: "job", Status: scriptix.StatusCompleted, Source: scriptix.SourcePoll, Duration: time.Minute}
	failed := scriptix.Job{ID: "job", Status: scriptix.StatusFailed, Source: scriptix.SourcePoll, Failure: "t0ken has no speech"}
	r, verdict := step.Observe(record(ledger.Submitted), &done, nil, now)
	assert.Equal(t, step.Verdict{Then: step.Advance}, verdict)
	assert.Equal(t, ledger.Completed, r.Phase)
	assert.Equal(t, "poll", r.Source)

	r, _ = step.Observe(record(ledger.Submitted), &failed, nil, now)
	assert.Equal(t, ledger.Failed, r.Phase)
	assert.Equal(t, "[token] has no speech", r.Failure)

	done.Source = scriptix.SourceWebhook
	r, _ = step.Observe(record(ledger.Completed), &done, nil, now)
	assert.Equal(t, record(ledger.Completed), r, "the same callback is no duplicate")

	r, verdict = step.Observe(record(ledger.Submitted), nil, scriptix.ErrUnauthorized, now)
	assert.Equal(t, record(ledger.Submitted), r)
	assert.Equal(t, step.Verdict{Then: step.Interrupt, Halt: true, Err: scriptix.ErrUnauthorized}, verdict)
}
