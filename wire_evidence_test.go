package scriptix_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestCompleteObjectCountsHoweverTheAnswerEnds(t *testing.T) {
	t.Parallel()
	const object = `{"id":"stt_1","status":"completed","transcript":"a } in \"quotes\"","segments":[{"text":"x"}]}`
	chunked := fmt.Sprintf("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(object), object)
	tooLong := "HTTP/1.1 201 Created\r\nContent-Length: 4000\r\n\r\n" + object
	endings := map[string]func(x *rawExchange){
		"cut before its length": func(x *rawExchange) { _, _ = io.WriteString(x, tooLong) },
		"without a last chunk":  func(x *rawExchange) { _, _ = io.WriteString(x, chunked) },
		"and more that is none": func(x *rawExchange) {
			_, _ = fmt.Fprintf(x, "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n%s</html>", object)
		},
		"reset": func(x *rawExchange) {
			_, _ = io.WriteString(x, tooLong)
			time.AfterFunc(50*time.Millisecond, func() {
				if tcp, ok := x.Conn.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				_ = x.Close()
			})
			_, _ = io.Copy(io.Discard, x)
		},
		"open": func(x *rawExchange) {
			_, _ = io.WriteString(x, chunked)
			_, _ = io.Copy(io.Discard, x)
		},
		"after a byte order mark": func(x *rawExchange) {
			_, _ = io.WriteString(x, "HTTP/1.1 201 Created\r\nContent-Length: 4000\r\n\r\n\xef\xbb\xbf"+object)
		},
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, secure bool) {
				t.Helper()
				server := serveRaw(t, secure, func(x *rawExchange) bool {
					end(x)
					return false
				})
				c := server.connect(t, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))

				job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
				require.NoError(t, err)
				assert.Equal(t, "stt_1", job.ID)
				job, err = c.STT.Status(t.Context(), "stt_1")
				require.NoError(t, err)
				assert.True(t, job.Status.Succeeded())
				transcript, err := c.STT.Result(t.Context(), "stt_1")
				require.NoError(t, err)
				assert.Equal(t, `a } in "quotes"`, transcript.Text)
				assert.JSONEq(t, object, string(transcript.Raw))
			})
		})
	}
}

func TestHalfAnObjectProvesNothing(t *testing.T) {
	t.Parallel()
	server := serveRaw(t, false, func(x *rawExchange) bool {
		_, _ = io.WriteString(x, "HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n"+`{"id":"stt_1","status":"upl`)
		return false
	})
	_, err := server.connect(t, quick).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
}

func TestRefusalThatIsCutAfterItsObjectIsOne(t *testing.T) {
	t.Parallel()
	const refusal = `{"error":"overloaded","message":"later"}`
	server := serveRaw(t, false, func(x *rawExchange) bool {
		if x.all == 1 {
			_, _ = io.WriteString(x, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 400\r\n\r\n"+refusal)
			return false
		}
		x.answer(http.StatusCreated, `{"id":"stt_1"}`)
		return true
	})
	job, err := server.connect(t, quick).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.NoError(t, err)
	assert.Equal(t, "stt_1", job.ID)
}

func TestWhatStandsInTheHeaderNeedsNoBody(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for _, on := range []scriptixtest.Endpoint{scriptixtest.FilesCreate, scriptixtest.FilesPatch} {
		fake.Fault(scriptixtest.Fault{On: on, Body: "half of a", Cut: scriptixtest.AfterAnswer, Times: 1})
	}
	c := newClient(t, fake, scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english, scriptix.Resumable())
	require.NoError(t, err)
	assert.Equal(t, fake.Jobs()[0].ID, job.ID)
}

func TestTheFakeLeavesAnswersWithoutAnEnd(t *testing.T) {
	t.Parallel()
	for _, cut := range []scriptixtest.Cut{scriptixtest.AfterAnswer, scriptixtest.NoEnd} {
		fake := newFake(t)
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: cut})
		job, err := newClient(t, fake, quick).STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
		require.NoError(t, err)
		assert.Equal(t, fake.Jobs()[0].ID, job.ID)
	}
	for _, fault := range []scriptixtest.Fault{{Closes: true}, {Twice: true}} {
		fake := newFake(t)
		fault.Times = -1
		fake.Fault(fault)
		c := newClient(t, fake, quick)
		for range 5 {
			_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
		}
	}
}
