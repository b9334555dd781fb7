package httpsource

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
func trusting(t *testing.T, server *httptest.Server, allowPrivate bool) (*Opener, *http.Transport) {
	t.Helper()
	o := New(Options{AllowPrivate: allowPrivate, Pause: time.Microsecond})
	transport := o.connections
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // it is httptest's
	transport.TLSClientConfig.RootCAs = roots
	t.Cleanup(o.Close)
	return o, transport
}

// read reads a source from an offset on.
func read(ctx context.Context, s *Source, offset int64) (string, error) {
	body, err := s.From(ctx, offset)
	if err != nil {
		return "", errors.Join(err, body.Close())
	}
	data, err := io.ReadAll(body)
	return string(data), errors.Join(err, body.Close())
}

// opened opens a source, which must be possible.
func opened(t *testing.T, o *Opener, url string) *Source {
	t.Helper()
	s, err := o.Open(t.Context(), url)
	require.NoError(t, err)
	return s
}

func TestAnHTTPSSourceIsReadWholeAndFromAnyOffset(t *testing.T) {
	t.Parallel()
	s := newFileServer(t, "0123456789", `"v1"`)
	o, _ := trusting(t, s.Server, true)
	locator := s.URL + "/calls/one.wav?signature=secret"

	source := opened(t, o, locator)
	assert.Equal(t, "one.wav", source.Name())
	assert.EqualValues(t, 10, source.Size())
	assert.Equal(t, `"v1"`, source.StrongETag())
	assert.Equal(t, "0123456789", string(source.Head()))
	assert.Equal(t, "bytes=0-511", s.last().Get("Range"), "opening reads the beginning")
	for offset, want := range []string{0: "0123456789", 4: "456789", 9: "9", 10: ""} {
		if want == "" && offset < 10 {
			continue
		}
		rest, err := read(t.Context(), source, int64(offset))
		require.NoError(t, err)
		assert.Equal(t, want, rest)
		assert.Equal(t, `"v1"`, s.last().Get("If-Match"), "the version is pinned")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ranges []string
	for _, r := range s.requests {
		ranges = append(ranges, r.Header.Get("Range"))
	}
	assert.Equal(t, []string{"bytes=0-511", "", "bytes=0-0", "bytes=4-", "bytes=0-0", "bytes=9-", "bytes=0-0"}, ranges)
}

func TestAnHTTPSSourceThatChangedIsRefused(t *testing.T) {
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
			source := opened(t, o, s.URL+"/one.wav?signature=secret")
			s.replace("abcdefghijklm", tags[1])

			_, err := read(t.Context(), source, 0)
			requireRefused(t, err, "it changed after it was opened")
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

// requireRefused wants an error that lasts, for a reason that contains text.
func requireRefused(t *testing.T, err error, text string) {
	t.Helper()
	refused, ok := errors.AsType[*RefusedError](err)
	require.True(t, ok, "%v", err)
	assert.Contains(t, refused.Reason, text)
}

// answering is a server that knows nothing of preconditions.
func answering(t *testing.T, handler http.HandlerFunc) (*Opener, string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	o, _ := trusting(t, server, true)
	return o, server.URL + "/one.wav"
}

func TestAServerWithoutRangesIsReadFromTheStart(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") })
	rest, err := read(t.Context(), opened(t, o, locator), 4)
	require.NoError(t, err)
	assert.Equal(t, "456789", rest)
}

func TestAPartOtherThanTheOneAskedForIsNotRead(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	o, locator := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
			return
		}
		w.Header().Set("Content-Range", "bytes 2-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "23456789")
	})
	source := opened(t, o, locator)
	for _, offset := range []int64{0, 4} {
		text, err := read(t.Context(), source, offset)
		require.ErrorIs(t, err, errOtherPart, "from %d", offset)
		assert.Empty(t, text)
	}
	assert.EqualValues(t, 3, requests.Load(), "it is not asked for again")
	_, err := o.Open(t.Context(), locator)
	require.ErrorIs(t, err, errOtherPart)
}

func TestASourceOfWhichAPartDoesNotTellTheSizeIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		switch asked := r.Header.Get("Range"); {
		case strings.HasPrefix(asked, "bytes=0-"):
			w.Header().Set("Content-Range", "bytes 0-0/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "0")
			return
		case asked == "bytes=4-":
			w.Header().Set("Content-Range", "bytes 4-9/*")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "456789")
			return
		}
		_, _ = io.WriteString(w, "0123456789")
	})
	source := opened(t, o, locator)
	assert.EqualValues(t, 10, source.Size())
	text, err := read(t.Context(), source, 0)
	require.NoError(t, err)
	assert.Equal(t, "0123456789", text)
	text, err = read(t.Context(), source, 4)
	require.NoError(t, err)
	assert.Equal(t, "456789", text)
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
			_, err := o.Open(t.Context(), locator)
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			requireRefused(t, err, c.refused)
		})
	}
}

func TestALocationThatIsNoURLIsNotQuoted(t *testing.T) {
	t.Parallel()
	o, locator := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://store.example:port/f?sig=s3cret")
		w.WriteHeader(http.StatusFound)
	})
	_, err := o.Open(t.Context(), locator)
	requireRefused(t, err, "302")
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestPrivateAddressesAreRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	private := newFileServer(t, "the network's own", `"v1"`)
	o, _ := trusting(t, private.Server, false)
	_, err := o.Open(t.Context(), private.URL+"/one.wav")
	requireRefused(t, err, "not public")
	private.mu.Lock()
	assert.Empty(t, private.requests)
	private.mu.Unlock()

	allowed, _ := trusting(t, private.Server, true)
	_, err = allowed.Open(t.Context(), private.URL+"/one.wav")
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

		_, err := o.Open(t.Context(), "https://example.com/one.wav")
		requireRefused(t, err, "not public")
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
		"[::127.0.0.1]:443", "192.88.99.1:443", "[2001:2::1]:443", "[2001:10::1]:443", "[3fff::1]:443", "[5f00::1]:443", "[fe80::1%eth0]:443",
		"[64:ff9b::7f00:1%eth0]:443", "[2002:7f00:1::%eth0]:443", "[::127.0.0.1%1]:443", "[::ffff:0:127.0.0.1]:443",
	} {
		assert.Error(t, checkPublic(address), address)
	}
	for _, address := range []string{"93.184.215.14:443", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443"} {
		assert.NoError(t, checkPublic(address), address)
	}
}
