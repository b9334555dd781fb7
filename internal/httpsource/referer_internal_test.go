package httpsource

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheSignatureOfALocatorIsNotSentToWhereItRedirects(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 10)
	second := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		_, _ = w.Write([]byte("audio"))
	}))
	t.Cleanup(second.Close)
	first := httptest.NewTLSServer(http.RedirectHandler(second.URL+"/a.wav", http.StatusFound))
	t.Cleanup(first.Close)
	opener := New(Options{AllowPrivate: true})
	opener.connections.TLSClientConfig = first.Client().Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // httptest's
	_, err := opener.Open(t.Context(), first.URL+"/a.wav?X-Signature=secret")
	require.NoError(t, err)
	assert.Empty(t, (<-seen).Get("Referer"))
	opener.Close()
}
