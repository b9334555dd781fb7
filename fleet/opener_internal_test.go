package fleet

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/httpsource"
)

func TestAnHTTPSSourceIsOneVersionOrRefused(t *testing.T) {
	t.Parallel()
	var changed atomic.Bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if changed.Load() {
			w.Header().Set("ETag", `"v2"`)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	o := &httpsOpener{httpsource.New(httpsource.Options{AllowPrivate: true, Roots: roots})}
	t.Cleanup(o.opener.Close)
	locator := server.URL + "/calls/one.wav?signature=secret"

	audio, err := o.open(t.Context(), locator)
	require.NoError(t, err)
	assert.Equal(t, "one.wav", audio.Name())
	body, size, err := audio.Open(t.Context())
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, errors.Join(err, body.Close()))
	assert.Equal(t, "0123456789", string(data))
	assert.EqualValues(t, 10, size)

	body, _, err = audio.Open(t.Context())
	require.NoError(t, err)
	changed.Store(true)
	_, err = io.ReadAll(body)
	refused(t, err, "it changed")
	require.NoError(t, body.Close())
	_, _, err = audio.Open(t.Context())
	refused(t, err, "it changed")

	private := &httpsOpener{httpsource.New(httpsource.Options{Roots: roots})}
	_, err = private.open(t.Context(), locator)
	refused(t, err, "not public")
}

// refused wants an error that rejects the recording without another try.
func refused(t *testing.T, err error, reason string) {
	t.Helper()
	refused, ok := errors.AsType[*RefusedError](err)
	require.True(t, ok, "%v", err)
	assert.Contains(t, refused.Reason, reason)
	assert.NotContains(t, err.Error(), "secret")
	require.ErrorIs(t, err, scriptix.ErrAudio)
}
