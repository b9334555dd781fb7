package digest_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	digest "github.com/scriptix-io/scriptix-go/examples/integrationtest"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// connect makes a client of the fake, as the program makes one of the service.
func connect(t *testing.T, fake *scriptixtest.Server) *scriptix.Client {
	t.Helper()
	const callback = "https://jobs.example/scriptix"
	client, err := scriptix.New(fake.APIKey(),
		scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithWebhook(callback, fake.WebhookSecret()))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	fake.Handle(callback, client.WebhookHandler())
	return client
}

var (
	first  = scriptix.Bytes("first.mp3", []byte("ID3 one"))
	second = scriptix.Bytes("second.mp3", []byte("ID3 two"))
)

func TestTheDigestHasALineForEachRecording(t *testing.T) {
	t.Parallel()
	// In a bubble the two jobs of ten minutes take no time at all.
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 10 * time.Minute, Text: "This is " + u.FileName}
		})
		var out bytes.Buffer

		err := digest.Write(t.Context(), connect(t, fake), &out, first, second)

		require.NoError(t, err)
		assert.Equal(t, "first.mp3: 3 words: This is first.mp3\nsecond.mp3: 3 words: This is second.mp3\n", out.String())
	})
}

func TestARecordingThatFailsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
			if u.FileName == "first.mp3" {
				return scriptixtest.Outcome{Failure: "no speech found"}
			}
			return scriptixtest.Outcome{Text: "Hello."}
		})
		var out bytes.Buffer

		err := digest.Write(t.Context(), connect(t, fake), &out, first, second)

		require.NoError(t, err)
		assert.Equal(t, "first.mp3: could not be transcribed: no speech found\nsecond.mp3: 1 words: Hello.\n", out.String())
	})
}

func TestALostAnswerIsReportedAndNothingIsPaidTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		var out bytes.Buffer

		err := digest.Write(t.Context(), connect(t, fake), &out, first)

		require.NoError(t, err)
		assert.Contains(t, out.String(), "check the account before sending it again")
		assert.Len(t, fake.Jobs(), 1)
	})
}

func TestLostCallbacksAreMadeUpForByPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Text: "Hello.", Callback: scriptixtest.Callback{Lose: true}}
		})
		var out bytes.Buffer

		err := digest.Write(t.Context(), connect(t, fake), &out, first)

		require.NoError(t, err)
		assert.Equal(t, "first.mp3: 1 words: Hello.\n", out.String())
	})
}
