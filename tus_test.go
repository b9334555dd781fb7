package scriptix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// tape is made-up audio of any length, the same bytes each time.
type tape struct{ size int64 }

func (p tape) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), max(p.size-off, 0)))
	for i := range b[:n] {
		at := off + int64(i)
		b[i] = byte(at*31 + at>>8*7 + at>>20)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p tape) audio() scriptix.Audio { return scriptix.ReaderAt("tape.wav", p, p.size) }

func (p tape) sum(t *testing.T) string {
	t.Helper()
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(p, 0, p.size))
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

var english = scriptix.SubmitParams{Language: "en"}

// requestsTo are the requests to one endpoint.
func requestsTo(fake *scriptixtest.Server, on scriptixtest.Endpoint) []scriptixtest.Request {
	var out []scriptixtest.Request
	for _, r := range fake.Requests() {
		if r.Endpoint == on {
			out = append(out, r)
		}
	}
	return out
}

// requireWhole asserts that there is one job, this one, of exactly the tape.
func requireWhole(t *testing.T, fake *scriptixtest.Server, job *scriptix.Job, p tape) {
	t.Helper()
	jobs := fake.Jobs()
	require.Len(t, jobs, 1)
	require.NotNil(t, job)
	require.Equal(t, jobs[0].ID, job.ID)
	require.True(t, jobs[0].Resumable)
	require.Equal(t, p.size, jobs[0].Size)
	require.Equal(t, p.sum(t), jobs[0].SHA256)
}

func TestResumableUploadGoesInChunksOf50MiB(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, scriptix.WithResumableAbove(1000))
	p := tape{120 << 20}
	params := scriptix.SubmitParams{Language: "nl", Diarization: true, GlossaryID: 7, Model: "m", WebhookURL: "https://example.com/hook", Extra: map[string][]string{"punctuation": {"true"}}}

	job, err := c.STT.Submit(t.Context(), p.audio(), params)

	require.NoError(t, err)
	requireWhole(t, fake, job, p)
	assert.Equal(t, scriptix.SourceSubmit, job.Source)
	assert.Equal(t, scriptix.StatusUploaded, job.Status)
	var lengths []int64
	for _, r := range requestsTo(fake, scriptixtest.FilesPatch) {
		lengths = append(lengths, r.Bytes)
		assert.Empty(t, r.Header.Get("Expect"), "a refused chunk costs nothing, so none is asked about")
	}
	assert.Equal(t, []int64{50 << 20, 50 << 20, 20 << 20}, lengths)
	assert.Len(t, fake.Requests(), 5, "created, three chunks, the job's id")
	got := fake.Jobs()[0]
	assert.Equal(t, "tape.wav", got.FileName)
	assert.Equal(t, "audio/wav", got.ContentType)
	for name, want := range map[string]string{
		"language": "nl", "diarization": "true", "glossary_id": "7", "model": "m", "webhook_url": "https://example.com/hook",
		"punctuation": "true", "document_type": "document",
	} {
		assert.Equal(t, want, got.Fields.Get(name), name)
	}
}

func TestSizeOrOptionChoosesTheResumableUpload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		above     int64
		size      int64
		opts      []scriptix.SubmitOption
		resumable bool
	}{
		{"at the limit it is one request", 5000, 5000, nil, false},
		{"a byte above the limit it is resumable", 5000, 5001, nil, true},
		{"above zero everything is", 0, 1, nil, true},
		{"the option decides for a small one", 5000, 10, []scriptix.SubmitOption{scriptix.Resumable()}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			c := newClient(t, fake, scriptix.WithResumableAbove(tt.above))
			_, err := c.STT.Submit(t.Context(), tape{tt.size}.audio(), english, tt.opts...)
			require.NoError(t, err)
			require.Len(t, fake.Jobs(), 1)
			assert.Equal(t, tt.resumable, fake.Jobs()[0].Resumable)
		})
	}
	_, err := scriptix.New("key", scriptix.WithResumableAbove(-1))
	require.ErrorContains(t, err, "negative")
}

func TestReaderOfUnknownLengthCannotBeResumable(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, scriptix.WithResumableAbove(0))

	_, err := c.STT.Submit(t.Context(), scriptix.Reader("a.wav", strings.NewReader("abc")), english, scriptix.Resumable())
	require.ErrorIs(t, err, scriptix.ErrInvalid)
	require.ErrorContains(t, err, "length")
	assert.Empty(t, fake.Requests())

	_, err = c.STT.Submit(t.Context(), scriptix.Reader("a.wav", strings.NewReader("abc")), english)
	require.NoError(t, err, "nobody asked for a resumable one")
}

func TestResumableUploadSurvivesWhatTheServiceDoes(t *testing.T) {
	t.Parallel()
	type fault = scriptixtest.Fault
	const patch, head, info, create = scriptixtest.FilesPatch, scriptixtest.FilesHead, scriptixtest.FilesInfo, scriptixtest.FilesCreate
	for _, tt := range []struct {
		name   string
		faults []fault
		heads  int // HEAD requests it takes
	}{
		{"creation: a lost answer is asked for again", []fault{{On: create, Cut: scriptixtest.AfterBody}}, 0},
		{"creation: a gateway's 502", []fault{{On: create, Status: 502, Body: "<html>"}}, 0},
		{"a chunk cut before its body", []fault{{On: patch, Skip: 1, Cut: scriptixtest.BeforeBody}}, 1},
		{"a chunk cut in its body", []fault{{On: patch, Skip: 1, Cut: scriptixtest.WithinBody}}, 1},
		{"a chunk whose answer is lost", []fault{{On: patch, Skip: 1, Cut: scriptixtest.AfterBody}}, 1},
		{"the last chunk's answer is lost", []fault{{On: patch, Skip: 2, Cut: scriptixtest.AfterBody}}, 1},
		{"the last chunk's answer is a 500, though it was stored", []fault{{On: patch, Skip: 2, Status: 500, Accept: true}}, 1},
		{"a chunk refused by a 429", []fault{{On: patch, Status: 429, RetryAfter: "3"}}, 1},
		{"a chunk refused by a 503", []fault{{On: patch, Status: 503, RetryAfter: "3", IgnoreBody: true}}, 1},
		{"a chunk answered by a 409", []fault{{On: patch, Status: 409}}, 1},
		{"an upload locked by the connection that was cut", []fault{{On: patch, Cut: scriptixtest.WithinBody}, {On: head, Status: 423, Times: 2}}, 3},
		{"a 404 for a chunk, which the next question does not bear out", []fault{{On: patch, Status: 404}}, 1},
		{"an answer behind the truth, which is no loss", []fault{{On: patch, OffsetDelta: -5}}, 1},
		{"the question how much arrived fails four times", []fault{{On: patch, Cut: scriptixtest.WithinBody}, {On: head, Status: 500, Times: 3}}, 4},
		{"a question answered with the length of a body that does not come", []fault{{On: patch, Cut: scriptixtest.WithinBody}, {On: head, Header: http.Header{"Content-Length": {"5000000000"}}}}, 1},
		{"progress resets the patience", []fault{{On: patch, Cut: scriptixtest.WithinBody, Times: 12}}, 12},
		{"a network that stalls in a chunk", []fault{{On: patch, Skip: 1, BodyStall: 90 * time.Second}}, 1},
		{"a service silent after a chunk", []fault{{On: patch, Skip: 1, Delay: time.Hour}}, 1},
		{"the job's id fails to come three times", []fault{{On: info, Status: 500}, {On: info, Cut: scriptixtest.AfterBody}, {On: info, Cut: scriptixtest.WithinAnswer}}, 0},
		{"the job is not known at first", []fault{{On: info, Status: 404, Times: 7}}, 0},
		{"the job's id is a proxy's page at first", []fault{{On: info, Status: 200, Body: "<html>", Times: 3}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				for _, f := range tt.faults {
					fake.Fault(f)
				}
				c := newClient(t, fake, scriptix.WithChunkSize(100_000))
				p := tape{250_000}
				job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
				require.NoError(t, err)
				requireWhole(t, fake, job, p)
				assert.Len(t, requestsTo(fake, head), tt.heads)
			})
		})
	}
}

func TestCutContinuesFromTheServicesOffset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
		c := newClient(t, fake, scriptix.WithChunkSize(100_000))
		_, err := c.STT.Submit(t.Context(), tape{150_000}.audio(), english, scriptix.Resumable())
		require.NoError(t, err)
		var offsets []string
		for _, r := range requestsTo(fake, scriptixtest.FilesPatch) {
			offsets = append(offsets, r.Header.Get("Upload-Offset"))
		}
		assert.Equal(t, []string{"0", "50000"}, offsets, "half of the first chunk was kept, and the next one begins there")
	})
}

func TestSilenceAfterAMiddleChunkIsNotWaitedOutLikeThatAfterTheLast(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		skip int
		took time.Duration
	}{
		"after the first of two": {0, time.Minute},
		"after the last of two":  {1, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: tt.skip, Delay: 20 * time.Minute})
				c := newClient(t, fake, scriptix.WithChunkSize(1000))
				start := time.Now()
				_, err := c.STT.Submit(t.Context(), tape{2000}.audio(), english, scriptix.Resumable())
				require.NoError(t, err)
				assert.InDelta(t, tt.took.Seconds(), time.Since(start).Seconds(), 5)
			})
		})
	}
}

func TestOffsetThatCannotBeTrueEndsTheUpload(t *testing.T) {
	t.Parallel()
	type fault = scriptixtest.Fault
	for _, tt := range []struct {
		name   string
		faults []fault
		says   string
	}{
		{"beyond what was sent, after a chunk", []fault{{On: scriptixtest.FilesPatch, OffsetDelta: 1}}, "beyond"},
		{"beyond what was sent, when asked", []fault{{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody}, {On: scriptixtest.FilesHead, OffsetDelta: 60_000}}, "beyond"},
		{"behind what was confirmed, after a chunk", []fault{{On: scriptixtest.FilesPatch, Skip: 1, OffsetDelta: -100_001}}, "behind"},
		{"behind what was confirmed, when asked", []fault{{On: scriptixtest.FilesPatch, Skip: 1, Cut: scriptixtest.BeforeBody}, {On: scriptixtest.FilesHead, OffsetDelta: -1}}, "behind"},
		{"missing after a chunk and when asked", []fault{{On: scriptixtest.FilesPatch, NoOffset: true}, {On: scriptixtest.FilesHead, NoOffset: true}}, "no Upload-Offset"},
		{"missing when asked", []fault{{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody}, {On: scriptixtest.FilesHead, NoOffset: true}}, "no Upload-Offset"},
		{"no number", []fault{{On: scriptixtest.FilesPatch, Header: http.Header{"Upload-Offset": {"12x"}}}}, "no offset"},
		{"negative", []fault{{On: scriptixtest.FilesPatch, Header: http.Header{"Upload-Offset": {"-1"}}}}, "no offset"},
		{"of an upload of another length", []fault{{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody}, {On: scriptixtest.FilesHead, Header: http.Header{"Upload-Length": {"9"}}}}, "bytes long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				for _, f := range tt.faults {
					fake.Fault(f)
				}
				c := newClient(t, fake, scriptix.WithChunkSize(100_000))
				p := tape{250_000}

				_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())

				require.ErrorIs(t, err, scriptix.ErrBadAnswer)
				require.ErrorContains(t, err, tt.says)
				require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
				cut := interruption(t, err)
				assert.Empty(t, fake.Jobs())

				job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
				require.NoError(t, err)
				requireWhole(t, fake, job, p)
			})
		})
	}
}

// interruption is the error as the one that an upload can be resumed from.
func interruption(t *testing.T, err error) *scriptix.UploadInterruptedError {
	t.Helper()
	cut, ok := errors.AsType[*scriptix.UploadInterruptedError](err)
	require.True(t, ok, "%v", err)
	return cut
}

func TestLostAnswerAfterTheLastByteIsNeverAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{SessionDelay: time.Hour}
		})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 1, Cut: scriptixtest.AfterBody})
		c := newClient(t, fake, scriptix.WithChunkSize(1000))
		p := tape{2000}

		start := time.Now()
		_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())

		require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
		cut := interruption(t, err)
		assert.Equal(t, cut.Size, cut.Offset)
		assert.InDelta(t, 10, time.Since(start).Minutes(), 1, "the service gets ten minutes to make a job")
		chunks := len(requestsTo(fake, scriptixtest.FilesPatch))

		time.Sleep(time.Hour)
		job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
		require.NoError(t, err)
		requireWhole(t, fake, job, p)
		assert.Len(t, requestsTo(fake, scriptixtest.FilesPatch), chunks, "nothing is sent again")
	})
}

func TestUploadThatVanishedIsStartedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNotFound, http.StatusGone} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 1, Vanish: true})
				fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: status})
				c := newClient(t, fake, scriptix.WithChunkSize(1000))
				_, err := c.STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())

				require.ErrorIs(t, err, scriptix.ErrNotFound)
				require.ErrorContains(t, err, "started again")
				_, resumable := errors.AsType[*scriptix.UploadInterruptedError](err)
				assert.False(t, resumable, "there is nothing to resume")
				assert.Empty(t, fake.Jobs())
			})
		})
	}
}

func TestUploadThatVanishedAfterItsLastByteIsNotCalledMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.AfterBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Vanish: true})
		c := newClient(t, fake)
		p := tape{3000}
		_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
		cut := interruption(t, err)
		require.ErrorContains(t, err, "all of it went out")
		require.Len(t, fake.Jobs(), 1)

		_, err = c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
		interruption(t, err) // still: there is a job, and starting again would pay for a second
	})
}

func TestUploadForgottenOnceItIsCompleteStillFindsItsJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.AfterBody})
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: http.StatusNotFound})
		c := newClient(t, fake)
		p := tape{3000}
		job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
		require.NoError(t, err)
		requireWhole(t, fake, job, p)
	})
}

func TestAnswerThatNoChunkCanChangeEndsTheUpload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  scriptixtest.Fault
		is     error
		status int
	}{
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 401}, scriptix.ErrUnauthorized, 401},
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 402}, scriptix.ErrQuota, 402},
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 413}, scriptix.ErrTooLarge, 413},
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 307, Header: http.Header{"Location": {"https://elsewhere.example/"}}}, nil, 307},
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 429, RetryAfter: "3600"}, scriptix.ErrRateLimited, 429},
		{scriptixtest.Fault{On: scriptixtest.FilesInfo, Status: 403}, scriptix.ErrForbidden, 403},
		{scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.BeforeBody, Times: 9}, nil, 0},
	} {
		t.Run(fmt.Sprintf("%s %d", tt.fault.On, tt.status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(tt.fault)
				c := newClient(t, fake)
				p := tape{3000}
				_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
				interruption(t, err)
				e, ok := errors.AsType[*scriptix.Error](err)
				require.True(t, ok)
				assert.Equal(t, tt.status, e.StatusCode)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				time.Sleep(time.Hour)
				fake.ClearFaults()
				job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(interruption(t, err).Token))
				require.NoError(t, err)
				requireWhole(t, fake, job, p)
			})
		})
	}
}

func TestCreationThatIsRefusedIsThatError(t *testing.T) {
	t.Parallel()
	fake := newFake(t, scriptixtest.WithMaxUpload(10, 100))
	c := newClient(t, fake)
	_, err := c.STT.Submit(t.Context(), tape{101}.audio(), english, scriptix.Resumable())
	require.ErrorIs(t, err, scriptix.ErrTooLarge)
	_, err = c.STT.Submit(t.Context(), tape{100}.audio(), scriptix.SubmitParams{Language: "xx"}, scriptix.Resumable())
	require.ErrorIs(t, err, scriptix.ErrInvalid)
	assert.Empty(t, requestsTo(fake, scriptixtest.FilesPatch))
}

func TestLocationStaysOnTheServicesOrigin(t *testing.T) {
	t.Parallel()
	t.Run("relative, under a base path", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t, scriptixtest.WithRelativeLocation(), scriptixtest.WithBasePath("/gateway"))
		p := tape{3000}
		job, err := newClient(t, fake).STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
		require.NoError(t, err)
		requireWhole(t, fake, job, p)
	})
	for name, location := range map[string]string{
		"another host":   "https://evil.example/api/v3/files/f1",
		"another port":   "http://127.0.0.1:2/api/v3/files/f1",
		"another scheme": "https://127.0.0.1:1/api/v3/files/f1",
		"host alone":     "//evil.example/api/v3/files/f1",
		"user":           "http://u:p@127.0.0.1:1/api/v3/files/f1",
		"no upload":      "/api/v3/files/",
		"the root":       "/",
		"not a URL":      "http://[::1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesCreate, Header: http.Header{"Location": {location}}})
				_, err := newClient(t, fake).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())
				require.ErrorIs(t, err, scriptix.ErrBadAnswer)
				require.ErrorContains(t, err, "Location")
				require.NotContains(t, err.Error(), "evil")
				assert.Len(t, sent(t, fake), 1)
			})
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesCreate, Header: http.Header{"Location": {}}})
		_, err := newClient(t, fake).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())
		require.ErrorIs(t, err, scriptix.ErrBadAnswer)
	})
}

func TestJobIDIsReadFromEveryShapeTheServiceSends(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"count":1,"total_results":1,"result":{"session_id":"s1","id":"other","metadata":{}}}`: "s1",
		`{"result":{"job_id":"j1"}}`:               "j1",
		`{"result":{"id":"i1","status":"queued"}}`: "i1",
		`{"id":"i2"}`:       "i2",
		`{"session_id":77}`: "77",
		`{"result":{"session_id":null,"id":"i3"}}`:  "i3",
		`{"job_id":"j2","result":{"anything":"x"}}`: "j2",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesInfo, Body: body})
			job, err := newClient(t, fake, quick).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())
			require.NoError(t, err)
			assert.Equal(t, want, job.ID)
		})
	}
}

func TestUploadsOwnIDIsNotTakenForItsJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		c := newClient(t, fake)
		p := tape{3000}
		// A service that describes the file by its own id until the job exists.
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Status: 403})
		_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
		cut := interruption(t, err)
		own := cut.UploadURL[strings.LastIndex(cut.UploadURL, "/")+1:]
		fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesInfo, Times: 2, Body: `{"result":{"id":"` + own + `","metadata":{}}}`})
		job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
		require.NoError(t, err)
		requireWhole(t, fake, job, p)
	})
}

func TestNoSequenceOfFaultsMakesTwoJobsOrACorruptOne(t *testing.T) {
	t.Parallel()
	runs := 300
	if testing.Short() {
		runs = 50
	}
	for seed := range runs {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(seed), 7))
				fake := newFake(t, scriptixtest.InMemory())
				if r.IntN(4) == 0 {
					fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
						return scriptixtest.Outcome{SessionDelay: time.Duration(r.IntN(1500)) * time.Second}
					})
				}
				for range 1 + r.IntN(12) {
					fake.Fault(randomFault(r))
				}
				p := tape{int64(1 + r.IntN(60_000))}
				c := newClient(t, fake, scriptix.WithChunkSize(int64(1000+r.IntN(20_000))))
				opts := []scriptix.SubmitOption{scriptix.Resumable()}
				for try := 0; ; try++ {
					require.Less(t, try, 60, "faults end, so must this")
					job, err := c.STT.Submit(t.Context(), p.audio(), english, opts...)
					require.LessOrEqual(t, len(fake.Jobs()), 1)
					if err == nil {
						requireWhole(t, fake, job, p)
						return
					}
					require.NotErrorIs(t, err, scriptix.ErrUnknownOutcome)
					if cut, ok := errors.AsType[*scriptix.UploadInterruptedError](err); ok {
						opts = []scriptix.SubmitOption{scriptix.ResumeUpload(cut.Token)}
						continue
					}
					require.Empty(t, fake.Jobs(), "only where there is no job may it be started again: %v", err)
					opts = []scriptix.SubmitOption{scriptix.Resumable()}
				}
			})
		})
	}
}

// randomFault is anything that may go wrong but an upload's vanishing, after
// which nobody can find a job again.
func randomFault(r *rand.Rand) scriptixtest.Fault {
	pick := func(n ...int) int { return n[r.IntN(len(n))] }
	endpoints := []scriptixtest.Endpoint{scriptixtest.FilesPatch, scriptixtest.FilesPatch, scriptixtest.FilesPatch, scriptixtest.FilesHead, scriptixtest.FilesInfo, scriptixtest.FilesCreate}
	f := scriptixtest.Fault{On: endpoints[r.IntN(len(endpoints))], Skip: r.IntN(4), Times: 1 + r.IntN(6)}
	switch r.IntN(7) {
	case 0, 1:
		f.Cut = scriptixtest.Cut(1 + r.IntN(4))
	case 2:
		f.Status, f.Accept = pick(400, 403, 404, 408, 409, 423, 429, 500, 502, 503, 504, 520), r.IntN(2) == 0
	case 3:
		f.Status, f.IgnoreBody = pick(429, 503), true
	case 4:
		f.OffsetDelta = int64(pick(-20_000, -500, -1, 1, 500, 20_000))
	case 5:
		f.NoOffset = true
	case 6:
		f.BodyStall, f.Delay = time.Duration(r.IntN(2))*4*time.Minute, time.Duration(r.IntN(700))*time.Second
	}
	return f
}

// changing reads a recording, and says with its last bytes, or where they end,
// that it has changed.
type changing struct {
	*bytes.Reader
	behind bool
}

func (c changing) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.Len() == 0 && (!c.behind || n == 0) {
		err = errors.New("it has changed")
	}
	return n, err
}

func (changing) Close() error { return nil }

func TestAnErrorAtTheEndOfASourceMakesNoJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   []scriptix.SubmitOption
		behind bool
	}{
		"a form, with the last bytes":               {nil, false},
		"a form, behind the last bytes":             {nil, true},
		"a resumable upload, with the last bytes":   {[]scriptix.SubmitOption{scriptix.Resumable()}, false},
		"a resumable upload, behind the last bytes": {[]scriptix.SubmitOption{scriptix.Resumable()}, true},
	} {
		opts := c.opts
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			data := makeWAV(10 * time.Second)
			audio := scriptix.Opener("a.wav", int64(len(data)), func(_ context.Context, offset int64) (io.ReadCloser, error) {
				return changing{bytes.NewReader(data[offset:]), c.behind}, nil
			})
			_, err := newClient(t, fake, quick).STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"}, opts...)
			require.ErrorIs(t, err, scriptix.ErrAudio)
			require.ErrorContains(t, err, "it has changed")
			assert.Empty(t, fake.Jobs())
		})
	}
}
