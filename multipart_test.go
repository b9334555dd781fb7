package scriptix_test

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// capture makes a client of a server that keeps the bodies it gets, the
// boundary replaced by B.
func capture(t *testing.T) (*scriptix.Client, *string, *http.Header) {
	t.Helper()
	var body string
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Len(t, raw, int(r.ContentLength))
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		assert.NoError(t, err)
		body, header = strings.ReplaceAll(string(raw), params["boundary"], "B"), r.Header
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"stt_1","status":"uploaded"}`)
	}))
	t.Cleanup(server.Close)
	c, err := scriptix.New(testKey, scriptix.WithBaseURL(server.URL), scriptix.WithApplication("archive", "2.1"))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c, &body, &header
}

func TestTheBodyHoldsTheFieldsFirstAndTheFileLast(t *testing.T) {
	t.Parallel()
	c, body, header := capture(t)

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("talk.MP3", []byte("ID3...")), scriptix.SubmitParams{
		Language: "nl-pol", Diarization: true, Timestamps: scriptix.TimestampsWord, Model: "custom_model_1", GlossaryID: 7,
		WebhookURL: "https://me.example/cb?a=1&b=2", Extra: url.Values{"punctuation": {"true"}},
	})

	require.NoError(t, err)
	field := func(name, value string) string {
		return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	want := field("diarization", "true") + field("glossary_id", "7") + field("language", "nl-pol") + field("model", "custom_model_1") +
		field("punctuation", "true") + field("timestamps", "word") + field("webhook_url", "https://me.example/cb?a=1&b=2") +
		"--B\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"talk.MP3\"\r\nContent-Type: audio/mpeg\r\n\r\nID3...\r\n--B--\r\n"
	assert.Equal(t, want, *body)
	assert.Equal(t, "Bearer "+testKey, header.Get("Authorization"))
	assert.Regexp(t, `^archive/2\.1 scriptix-go/`+scriptix.Version+` \(go1\.\d+; \w+/\w+\)$`, header.Get("User-Agent"))
	assert.Empty(t, header.Get("Idempotency-Key"))
}

func TestFieldsLeftEmptyAreNotSent(t *testing.T) {
	t.Parallel()
	c, body, _ := capture(t)

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "auto"})

	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(*body, "form-data; name=\"language\""))
	assert.Equal(t, 2, strings.Count(*body, "form-data;"))
}

func TestFileNamesAreEscaped(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`a"b.wav`:            `filename="a\"b.wav"`,
		`a\b.wav`:            `filename="a\\b.wav"`,
		"a\r\nX-Evil: 1.wav": `filename="a%0D%0AX-Evil: 1.wav"`,
		"übung 世界 🎙.wav":     `filename="übung 世界 🎙.wav"`,
		"":                   `filename="audio"`,
	}
	for name, want := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c, body, _ := capture(t)

			_, err := c.STT.Submit(t.Context(), scriptix.Bytes(name, wav), scriptix.SubmitParams{Language: "en"})

			require.NoError(t, err)
			assert.Contains(t, *body, `name="audio_file"; `+want+"\r\nContent-Type: ")
		})
	}
}

func TestThePartsTypeFollowsTheExtensionThenTheContent(t *testing.T) {
	t.Parallel()
	ogg := []byte("OggS\x00\x02 and so on")
	tests := []struct {
		file string
		data []byte
		want string
	}{
		{"a.mp3", ogg, "audio/mpeg"}, {"a.wav", ogg, "audio/wav"}, {"a.flac", ogg, "audio/flac"}, {"a.m4a", ogg, "audio/mp4"},
		{"a.aac", ogg, "audio/aac"}, {"a.ogg", wav, "audio/ogg"}, {"a.mp4", ogg, "video/mp4"}, {"a.mov", ogg, "video/quicktime"},
		{"a.avi", ogg, "video/x-msvideo"}, {"a.mkv", ogg, "video/x-matroska"}, {"a.webm", ogg, "video/webm"},
		{"a.dat", ogg, "audio/ogg"}, {"recording", wav, "audio/wav"}, {"a.dat", []byte{0, 1, 2, 3}, "application/octet-stream"},
	}
	for _, tt := range tests {
		for name, audio := range map[string]scriptix.Audio{"bytes": scriptix.Bytes(tt.file, tt.data), "reader": scriptix.Opener(tt.file, int64(len(tt.data)), openBytes(tt.data))} {
			t.Run(tt.file+" from "+name, func(t *testing.T) {
				t.Parallel()
				fake := scriptixtest.New(t)
				c := newClient(t, fake)

				_, err := c.STT.Submit(t.Context(), audio, scriptix.SubmitParams{Language: "en"})

				require.NoError(t, err)
				assert.Equal(t, tt.want, fake.Jobs()[0].ContentType)
				assert.EqualValues(t, len(tt.data), fake.Jobs()[0].Size, "what was looked at is sent all the same")
			})
		}
	}
}

func TestBadParametersAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		params scriptix.SubmitParams
		field  string
	}{
		{"no language", scriptix.SubmitParams{}, "language"},
		{"a blank language", scriptix.SubmitParams{Language: " "}, "language"},
		{"a negative glossary", scriptix.SubmitParams{Language: "en", GlossaryID: -1}, "glossary_id"},
		{"a callback over http elsewhere", scriptix.SubmitParams{Language: "en", WebhookURL: "http://me.example/cb"}, "webhook_url"},
		{"a callback that is no URL", scriptix.SubmitParams{Language: "en", WebhookURL: "me"}, "webhook_url"},
		{"an extra field that has a name of its own", scriptix.SubmitParams{Language: "en", Extra: url.Values{"language": {"nl"}}}, "extra"},
		{"an extra field in the file's place", scriptix.SubmitParams{Language: "en", Extra: url.Values{"audio_file": {"x"}}}, "extra"},
		{"an extra field without a name", scriptix.SubmitParams{Language: "en", Extra: url.Values{"": {"x"}}}, "extra"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t)
			c := newClient(t, fake)

			_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), tt.params)

			require.ErrorIs(t, err, scriptix.ErrInvalid)
			e, _ := errors.AsType[*scriptix.Error](err)
			assert.Contains(t, e.Fields, tt.field)
			assert.Empty(t, fake.Requests())
		})
	}
}

func TestTheCallersParametersAreNotModified(t *testing.T) {
	t.Parallel()
	fake := scriptixtest.New(t)
	c := newClient(t, fake, scriptix.WithWebhook("http://127.0.0.1:1/cb", "s"))
	p := scriptix.SubmitParams{Language: "en", Extra: url.Values{"x": {"1"}}}

	_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), p)

	require.NoError(t, err)
	assert.Equal(t, scriptix.SubmitParams{Language: "en", Extra: url.Values{"x": {"1"}}}, p)
	assert.Equal(t, "http://127.0.0.1:1/cb", fake.Jobs()[0].Fields.Get("webhook_url"))
}
