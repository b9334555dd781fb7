package scriptix_test

import (
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// formReader makes a client of a server that reads forms as Go programs do.
func formReader(t *testing.T) (*scriptix.Client, func() *multipart.FileHeader) {
	t.Helper()
	var mu sync.Mutex
	var last *multipart.FileHeader
	jobs := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		file, header, err := r.FormFile("audio_file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		_ = file.Close()
		last, jobs = header, jobs+1
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"id":"stt_%d"}`, jobs)
	}))
	t.Cleanup(server.Close)
	c, err := scriptix.New(testKey, scriptix.WithBaseURL(server.URL), scriptix.WithLimits(scriptix.Limits{}), quick)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c, func() *multipart.FileHeader {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func TestEveryFileNameIsReadByGoPrograms(t *testing.T) {
	t.Parallel()
	c, last := formReader(t)
	for b := range 256 {
		name := "a" + string([]byte{byte(b)}) + "z.wav"
		extra := map[string][]string{"x" + string([]byte{byte(b)}): {"v"}}

		_, err := c.STT.Submit(t.Context(), scriptix.Bytes(name, wav), scriptix.SubmitParams{Language: "en", Extra: extra})

		require.NoError(t, err, "%q", name)
		want := name
		switch {
		case b < ' ' || b == 0x7f:
			want = fmt.Sprintf("a%%%02Xz.wav", b)
		case b == '/':
			want = "z.wav" // a path is none of a form's business
		}
		assert.Equal(t, want, last().Filename)
	}
}

func TestMediaTypeIsToldByNameOrElseByTheFirstBytes(t *testing.T) {
	t.Parallel()
	c, last := formReader(t)
	for _, tt := range []struct{ name, data, want string }{
		{"a.opus", "x", "audio/ogg"},
		{"a.OGA", "x", "audio/ogg"},
		{"a.m4b", "x", "audio/mp4"},
		{"a.3gp", "x", "video/3gpp"},
		{"recording", "OggS\x00\x02", "audio/ogg"},
		{"recording", "fLaC\x00", "audio/flac"},
		{"recording", "RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"},
		{"recording", "RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"},
		{"recording", "\x00\x00\x00\x20ftypM4A ", "audio/mp4"},
		{"recording", "\x00\x00\x00\x20ftypisom", "video/mp4"},
		{"recording", "\x00\x00\x00\x14ftypqt  ", "video/quicktime"},
		{"recording", "\x1a\x45\xdf\xa3\x01\x00\x00\x00\x42\x82\x84webm", "video/webm"},
		{"recording", "\x1a\x45\xdf\xa3\x01\x00\x00\x00", "video/x-matroska"},
		{"recording", "ID3\x04", "audio/mpeg"},
		{"recording", "\xff\xfb\x90\x00", "audio/mpeg"},
		{"recording", "\xff\xf1\x50\x80", "audio/aac"},
		{"recording", "#!AMR\n", "audio/amr"},
		{"recording.v2", "OggS\x00\x02", "audio/ogg"},
		{"recording.bin", "\x00\x01\x02\x03", "application/octet-stream"},
	} {
		_, err := c.STT.Submit(t.Context(), scriptix.Bytes(tt.name, []byte(tt.data)), english)
		require.NoError(t, err)
		assert.Equal(t, tt.want, last().Header.Get("Content-Type"), "%q %q", tt.name, tt.data)
	}
}

func TestBaseURLThatHoldsThePathOfTheAPIIsNotDoubled(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/gateway"} {
		for _, more := range []string{"", "/", "/api/v3", "/api/v3/", "/api/v3//"} {
			fake := newFake(t, scriptixtest.WithBasePath(base))
			c := newClient(t, fake, scriptix.WithBaseURL(fake.URL()+more))
			_, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err, base+more)
			_, err = c.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), english, scriptix.Resumable())
			require.NoError(t, err, base+more)
			assert.Equal(t, base+"/api/v3/stt", fake.Requests()[0].Path)
		}
	}
}
