package scriptix_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestTranscribeHandsOverTheTranscriptWhenTheCallbackComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 20 * time.Second, Text: "Speaker 1: Good morning.\nSpeaker 2: Hello."}
		})
		const callback = "https://receiver.example/scriptix"
		c := newClient(t, fake, scriptix.WithWebhook(callback, fake.WebhookSecret()))
		fake.Handle(callback, c.WebhookHandler())

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", makeWAV(4*time.Minute)), scriptix.SubmitParams{Language: "en", Diarization: true})

		require.NoError(t, err)
		require.Len(t, got.Segments, 2)
		assert.Equal(t, "Good morning.", got.Segments[0].Text)
		assert.Equal(t, "Speaker 2", got.Segments[1].Speaker)
		require.Len(t, fake.Jobs(), 1)
		assert.Len(t, fake.Requests(), 2, "one submit, one result, no poll")
	})
}

func TestTranscribeFallsBackToPollingWhenNoCallbackComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := scriptixtest.New(t, scriptixtest.InMemory())
		fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Processing: 20 * time.Second, Text: "Hello."}
		})
		c := newClient(t, fake)

		got, err := c.STT.Transcribe(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})

		require.NoError(t, err)
		assert.Equal(t, "Hello.", got.Text)
		assert.Equal(t, fake.Jobs()[0].ID, got.JobID)
	})
}
