package scriptix_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestUploadWhoseJobCannotBeAskedForNowIsToBeResumed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]scriptixtest.Fault{
		"503":     {Status: http.StatusServiceUnavailable},
		"500":     {Status: http.StatusInternalServerError},
		"a cut":   {Cut: scriptixtest.BeforeBody},
		"no JSON": {Status: http.StatusOK, Body: "<html>"},
		"403":     {Status: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Cut: scriptixtest.WithinBody})
			fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Status: http.StatusNotFound})
			fault.On, fault.Times = scriptixtest.FilesInfo, -1
			fake.Fault(fault)
			c := newClient(t, fake, quick, scriptix.WithChunkSize(1000))
			p := tape{3000}

			_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())

			cut := interruption(t, err)
			require.NotErrorIs(t, err, scriptix.ErrNotFound)
			fake.ClearFaults()
			job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
			require.NoError(t, err)
			requireWhole(t, fake, job, p)
		})
	}
}

func TestUploadOfWhichNoTraceIsLeftMayHaveBecomeAJob(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, quick)
	p := tape{3000}
	var token string
	// An earlier process stored the token and sent all of it before it died.
	_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable(), scriptix.OnUploadCreated(func(_ context.Context, created string) error {
		token = created
		return nil
	}))
	require.NoError(t, err)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesHead, Vanish: true, Times: -1})

	_, err = newClient(t, fake, quick).STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(token))

	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
	require.ErrorIs(t, err, scriptix.ErrNotFound)
	assert.Equal(t, token, interruption(t, err).Token, "to ask again")
	assert.Len(t, fake.Jobs(), 1)
}

func TestHTTPLocationBehindATLSProxyIsRaised(t *testing.T) {
	t.Parallel()
	fake := newFake(t, scriptixtest.WithTLS())
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesCreate, Insecure: true})
	p := tape{3000}
	job, err := newClient(t, fake).STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
	require.NoError(t, err)
	requireWhole(t, fake, job, p)

	for location, raised := range map[string]bool{
		"http://127.0.0.1/api/v3/files/f1":    true,
		"http://127.0.0.1:80/api/v3/files/f1": true,
		"http://127.0.0.1:81/api/v3/files/f1": false,
		"http://elsewhere/api/v3/files/f1":    false,
		"http://k@127.0.0.1/api/v3/files/f1":  false,
		"ftp://127.0.0.1/api/v3/files/f1":     false,
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			server := serveRaw(t, true, func(x *rawExchange) bool {
				switch x.request.Method {
				case http.MethodPost:
					_, _ = x.Write([]byte("HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: " + location + "\r\n\r\n"))
				case http.MethodPatch:
					_, _ = x.Write([]byte("HTTP/1.1 204 No Content\r\nUpload-Offset: 3000\r\n\r\n"))
				default:
					x.answer(http.StatusOK, `{"session_id":"stt_1"}`)
				}
				return true
			})
			job, err := server.connect(t, quick).STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
			if !raised {
				require.ErrorIs(t, err, scriptix.ErrBadAnswer)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "stt_1", job.ID)
		})
	}
}

func TestChunksThatAreTooLargeAreHalvedForTheWholeUpload(t *testing.T) {
	t.Parallel()
	const most = 700 << 10
	fake := newFake(t, scriptixtest.WithMaxChunk(most))
	c := newClient(t, fake, oneAttempt, scriptix.WithChunkSize(4<<20))
	p := tape{9 << 20}

	job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())

	require.NoError(t, err)
	requireWhole(t, fake, job, p)
	refused := 0
	for _, r := range requestsTo(fake, scriptixtest.FilesPatch) {
		if r.Status == http.StatusRequestEntityTooLarge {
			refused++
			continue
		}
		assert.LessOrEqual(t, r.Bytes, int64(most))
	}
	assert.Equal(t, 3, refused, "4 MiB, 2 and 1, and never again")
}

func TestChunksAreNotHalvedForever(t *testing.T) {
	t.Parallel()
	fake := newFake(t, scriptixtest.WithMaxChunk(100<<10))
	c := newClient(t, fake, quick, scriptix.WithChunkSize(1<<20))
	_, err := c.STT.Submit(t.Context(), tape{3 << 20}.audio(), english, scriptix.Resumable())
	require.ErrorIs(t, err, scriptix.ErrTooLarge)
	interruption(t, err)
	assert.Len(t, requestsTo(fake, scriptixtest.FilesPatch), 3, "1 MiB, 512 KiB and 256")
}

func TestHalvedChunksAreRememberedInTheToken(t *testing.T) {
	t.Parallel()
	fake := newFake(t, scriptixtest.WithMaxChunk(300<<10))
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, Skip: 4, Status: http.StatusForbidden})
	c := newClient(t, fake, quick, scriptix.WithChunkSize(1<<20))
	p := tape{3 << 20}
	_, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
	cut := interruption(t, err)
	before := len(requestsTo(fake, scriptixtest.FilesPatch))
	job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(cut.Token))
	require.NoError(t, err)
	requireWhole(t, fake, job, p)
	for _, r := range requestsTo(fake, scriptixtest.FilesPatch)[before:] {
		assert.Equal(t, http.StatusNoContent, r.Status)
	}
}

func TestChunkThatIsAnsweredWithoutAnOffsetIsAskedAfter(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesPatch, NoOffset: true, Times: -1})
	c := newClient(t, fake, oneAttempt, scriptix.WithChunkSize(1000))
	p := tape{8000}
	job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
	require.NoError(t, err)
	requireWhole(t, fake, job, p)
	assert.Len(t, requestsTo(fake, scriptixtest.FilesHead), 8)
}

func TestServiceThatStoresNothingAndSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	patches := 0
	server := serveRaw(t, false, func(x *rawExchange) bool {
		switch x.request.Method {
		case http.MethodPost:
			_, _ = x.Write([]byte("HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /api/v3/files/f1\r\n\r\n"))
		case http.MethodPatch:
			patches++
			_, _ = x.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		case http.MethodHead:
			_, _ = x.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpload-Offset: 0\r\n\r\n"))
		}
		return true
	})
	_, err := server.connect(t, quick).STT.Submit(t.Context(), tape{3000}.audio(), english, scriptix.Resumable())
	interruption(t, err)
	assert.LessOrEqual(t, patches, 5)
	assert.ErrorContains(t, err, "no Upload-Offset")
}

func TestJobOfAnotherUploadIsNotTaken(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake, oneAttempt)
	p := tape{3000}
	first, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable())
	require.NoError(t, err)
	fake.Fault(scriptixtest.Fault{On: scriptixtest.FilesInfo, Body: `{"session_id":"` + first.ID + `"}`})

	var token string
	job, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.Resumable(), scriptix.OnUploadCreated(func(_ context.Context, created string) error {
		token = created
		return nil
	}))
	require.NoError(t, err, "it is asked again")
	assert.NotEqual(t, first.ID, job.ID)
	again, err := c.STT.Submit(t.Context(), p.audio(), english, scriptix.ResumeUpload(token))
	require.NoError(t, err, "its own job may be found again")
	assert.Equal(t, job.ID, again.ID)
}
