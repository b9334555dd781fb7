package fleet

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// fileServer is a plain server of one file, which may be replaced.
type fileServer struct {
	*httptest.Server

	mu       sync.Mutex
	body     []byte
	etag     string
	requests []*http.Request
}

// newFileServer serves what http.ServeContent makes of a file: ranges and preconditions.
func newFileServer(t *testing.T, body, etag string) *fileServer {
	t.Helper()
	s := &fileServer{body: []byte(body), etag: etag}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r)
		if s.etag != "" {
			w.Header().Set("ETag", s.etag)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *fileServer) replace(body, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.etag = []byte(body), etag
}

// last is the header of the latest request.
func (s *fileServer) last() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[len(s.requests)-1].Header
}

// trusting is an opener that knows the certificates of tests.
func trusting(t *testing.T, server *httptest.Server, allowPrivate bool) (*httpsOpener, *http.Transport) {
	t.Helper()
	o := newHTTPSOpener(allowPrivate)
	transport, ok := o.client.Transport.(*http.Transport)
	require.True(t, ok)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // it is httptest's
	transport.TLSClientConfig.RootCAs = roots
	t.Cleanup(transport.CloseIdleConnections)
	return o, transport
}

// fromOffset reads the locator's pinned version from an offset on.
func fromOffset(ctx context.Context, o *httpsOpener, locator string, offset int64, pinned version) (string, error) {
	u, err := url.Parse(locator)
	if err != nil {
		return "", err
	}
	body, err := o.from(ctx, u, locator, offset, pinned)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	return string(data), errors.Join(err, body.Close())
}

func TestAnHTTPSSourceIsReadWholeAndFromAnyOffset(t *testing.T) {
	t.Parallel()
	s := newFileServer(t, "0123456789", `"v1"`)
	o, _ := trusting(t, s.Server, true)
	locator := s.URL + "/calls/one.wav?signature=secret"

	audio, err := o.open(t.Context(), locator)
	require.NoError(t, err)
	assert.Equal(t, "one.wav", audio.Name())
	assert.Equal(t, "bytes=0-0", s.last().Get("Range"), "opening reads one byte")
	body, size, err := audio.Open(t.Context())
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, "0123456789", string(data))
	assert.EqualValues(t, 10, size)
	assert.Equal(t, `"v1"`, s.last().Get("If-Match"), "the version is pinned")

	rest, err := fromOffset(t.Context(), o, locator, 4, version{etag: `"v1"`, size: 10})
	require.NoError(t, err)
	assert.Equal(t, "456789", rest)
	assert.Equal(t, "bytes=4-", s.last().Get("Range"))
}

func TestAnHTTPSSourceThatChangedIsErrAudio(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string][2]string{
		"and so did its ETag, which the server compares":   {`"v1"`, `"v2"`},
		"and so did its weak ETag, which is compared here": {`W/"v1"`, `W/"v2"`},
		"and only its size tells":                          {"", ""},
		"and its ETag is gone":                             {`W/"v1"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFileServer(t, "0123456789", tags[0])
			o, _ := trusting(t, s.Server, true)
			audio, err := o.open(t.Context(), s.URL+"/one.wav?signature=secret")
			require.NoError(t, err)
			s.replace("abcdefghijklm", tags[1])

			_, _, err = audio.Open(t.Context())
			require.ErrorIs(t, err, scriptix.ErrAudio)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

// answering is a server that knows nothing of preconditions.
func answering(t *testing.T, handler http.HandlerFunc) (*httpsOpener, string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	o, _ := trusting(t, server, true)
	return o, server.URL + "/one.wav"
}

func TestAServerWithoutRangesIsReadFromTheStart(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") })
	rest, err := fromOffset(t.Context(), o, locator, 4, version{size: 10})
	require.NoError(t, err)
	assert.Equal(t, "456789", rest)
}

func TestAPartOtherThanTheOneAskedForIsNotSent(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 2-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "23456789")
	})
	for _, offset := range []int64{0, 4} {
		_, err := fromOffset(t.Context(), o, locator, offset, version{size: 10})
		assert.Error(t, err, "from %d", offset)
	}
}

func TestASourceOfWhichAPartDoesNotTellTheSizeIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("Range") == "bytes=0-0" {
			w.Header().Set("Content-Range", "bytes 0-0/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "0")
			return
		}
		_, _ = io.WriteString(w, "0123456789")
	})
	audio, err := o.open(t.Context(), locator)
	require.NoError(t, err)
	body, _, err := audio.Open(t.Context())
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, errors.Join(err, body.Close()))
	assert.Equal(t, "0123456789", string(data))
}

func TestRedirectsAreFollowedToHTTPSAlone(t *testing.T) {
	t.Parallel()
	target := newFileServer(t, "0123456789", `"v1"`)
	for name, c := range map[string]struct{ to, refused string }{
		"to another host's https": {target.URL + "/moved.wav", ""},
		"to http":                 {"http://" + strings.TrimPrefix(target.URL, "https://"), "not https"},
		"to a file":               {"file:///etc/passwd", "not https"},
		"to itself for ever":      {"/one.wav", "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, locator := answering(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, c.to, http.StatusFound) })
			_, err := o.open(t.Context(), locator)
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			refused, ok := errors.AsType[*RefusedError](err)
			require.True(t, ok, "%v", err)
			assert.Contains(t, refused.Reason, c.refused)
		})
	}
}

func TestPrivateAddressesAreRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	private := newFileServer(t, "the network's own", `"v1"`)
	o, _ := trusting(t, private.Server, false)
	_, err := o.open(t.Context(), private.URL+"/one.wav")
	_, ok := errors.AsType[*RefusedError](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, err, scriptix.ErrAudio)
	private.mu.Lock()
	assert.Empty(t, private.requests)
	private.mu.Unlock()

	allowed, _ := trusting(t, private.Server, true)
	_, err = allowed.open(t.Context(), private.URL+"/one.wav")
	require.NoError(t, err)
}

func TestARedirectFromAPublicHostToAPrivateAddressIsRefused(t *testing.T) {
	t.Parallel()
	private := newFileServer(t, "the network's own", `"v1"`)
	for _, to := range []string{private.URL + "/one.wav", "https://localhost" + private.URL[strings.LastIndex(private.URL, ":"):] + "/one.wav"} {
		public := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}))
		t.Cleanup(public.Close)
		o, transport := trusting(t, public, false)
		checked := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "example.com:443" { // stands for a host with a public address
				return (&net.Dialer{}).DialContext(ctx, network, public.Listener.Addr().String())
			}
			return checked(ctx, network, address)
		}

		_, err := o.open(t.Context(), "https://example.com/one.wav")
		refused, ok := errors.AsType[*RefusedError](err)
		require.True(t, ok, "%v", err)
		assert.Contains(t, refused.Reason, "not public")
	}
	private.mu.Lock()
	defer private.mu.Unlock()
	assert.Empty(t, private.requests, "nothing of it reached the private server")
}

func TestAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1:443", "10.0.0.1:443", "172.16.0.1:443", "192.168.1.1:443", "169.254.169.254:443", "100.64.0.1:443", "0.0.0.0:443",
		"224.0.0.1:443", "255.255.255.255:443", "[::1]:443", "[::]:443", "[fe80::1]:443", "[fd00::1]:443", "[::ffff:127.0.0.1]:443",
		"[64:ff9b::7f00:1]:443", "[2002:7f00:1::]:443",
	} {
		assert.Error(t, checkPublic(address), address)
	}
	for _, address := range []string{"93.184.215.14:443", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443"} {
		assert.NoError(t, checkPublic(address), address)
	}
}
