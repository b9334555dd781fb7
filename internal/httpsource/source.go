// Package httpsource reads recordings that lie behind https URLs.
//
// Open asks for the first bytes of a recording and notes which version of it the
// server has: its ETag, its time and its size. From then on every byte has to be
// of that version. A source is read from any offset on, by range where the server
// has ranges; a connection that breaks is taken up where it broke. The last bytes
// are let go only once the server has confirmed that it still has the version,
// because a file that is overwritten while it is served mixes two.
//
// A URL leads to public addresses alone unless more is allowed. Each address is
// looked at when it is dialed, after the name was resolved and for each redirect,
// so a name that changes its address leads nowhere else. Redirects stay with
// https. What a query holds, which may be a signature, stands in no error and in
// no Referer.
//
// Reading costs the server three requests: the first bytes, all of them, and the
// confirmation.
package httpsource

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// RefusedError is a source that is not read, however often it is tried.
type RefusedError struct {
	URL    string // without its query, user and password
	Reason string
}

// Error names the source and why it is refused.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the source %q is refused: %s", e.URL, e.Reason)
}

// errOtherPart is an answer that does not help, and that another request would
// bring again.
var errOtherPart = errors.New("its server answers with another part than the one that was asked for")

// errCut is a connection that ended before the recording did. It is neither
// io.EOF nor io.ErrUnexpectedEOF, which readers take for an end.
var errCut = errors.New("its server ended the connection before the end of the recording")

// Opener opens sources. It is safe for concurrent use.
type Opener struct {
	connections *http.Transport
	client      *http.Client
	pause       time.Duration // before a broken connection is taken up for the first time
	stall       time.Duration // without a byte, after which a connection counts as broken
}

const maxRedirects = 5

// Options say what an opener may do.
type Options struct {
	AllowPrivate bool           // it may reach addresses that are not public
	Roots        *x509.CertPool // certificates are checked by; nil: those of the system
	Pause        time.Duration  // before a broken connection is taken up, doubled each time; 0: half a second
}

// New makes an opener.
func New(options Options) *Opener {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	if !options.AllowPrivate {
		// The address is looked at when it is dialed, because a name may lead elsewhere by then.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkPublic(address) }
	}
	connections := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4, DisableCompression: true,
	}
	if options.Roots != nil {
		connections.TLSClientConfig = &tls.Config{RootCAs: options.Roots, MinVersion: tls.VersionTLS12}
	}
	client := &http.Client{Transport: transport.Settled(connections), CheckRedirect: checkRedirect}
	return &Opener{connections, client, cmp.Or(options.Pause, 500*time.Millisecond), time.Minute}
}

// Close closes the connections that are kept.
func (o *Opener) Close() { o.connections.CloseIdleConnections() }

func checkRedirect(req *http.Request, via []*http.Request) error {
	first := shown(via[0].URL)
	if len(via) > maxRedirects {
		return &RefusedError{first, fmt.Sprintf("it redirects more than %d times", maxRedirects)}
	}
	if req.URL.Scheme != "https" {
		return &RefusedError{first, "it redirects to a URL that is not https"}
	}
	req.Header.Del("Referer") // which holds the signature that the URL before may have
	return nil
}

// shown is a URL without what may be secret.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// version is what tells that a source is still the same.
type version struct {
	etag, modified string
	size           int64 // -1 when the server does not tell
}

// Source is one version of a recording behind a URL.
type Source struct {
	opener *Opener
	url    *url.URL
	pinned version
	head   []byte
}

// maxHead is how many of the first bytes tell what a file is.
const maxHead = 512

// Open finds out which version of a recording the server has. It makes one
// request, or two where the answer to a part does not tell the size of the whole.
func (o *Opener) Open(ctx context.Context, rawURL string) (*Source, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Opaque != "" {
		return nil, &RefusedError{"", "it is not an https URL with a host"}
	}
	s := &Source{opener: o, url: u}
	// A part, and not HEAD: a signed URL is signed for one method.
	answer, err := s.get(ctx, fmt.Sprintf("bytes=0-%d", maxHead-1), "")
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusPartialContent && !beginsAt(answer, 0) {
		return nil, errors.Join(errOtherPart, answer.Body.Close())
	}
	s.pinned = versionOf(answer)
	s.head, err = io.ReadAll(io.LimitReader(answer.Body, maxHead))
	_ = answer.Body.Close() // of a whole answer the rest is not wanted yet
	if err != nil {
		return nil, errCut
	}
	if s.pinned.size >= 0 || answer.StatusCode != http.StatusPartialContent {
		return s, nil
	}
	// A part need not tell the size of the whole, and the whole does.
	if answer, err = s.get(ctx, "", ""); err != nil {
		return nil, err
	}
	s.pinned = versionOf(answer)
	return s, answer.Body.Close()
}

// Name is the last element of the URL's path.
func (s *Source) Name() string { return path.Base("/" + s.url.Path) }

// Size is that of the whole recording in bytes; -1 when the server does not tell.
func (s *Source) Size() int64 { return s.pinned.size }

// Head is the beginning of the recording, at most 512 bytes.
func (s *Source) Head() []byte { return s.head }

// StrongETag is the name that the server has for these very bytes; "" if it has
// none, or one that it gives to others that it holds for equivalent.
func (s *Source) StrongETag() string {
	if etag := s.pinned.etag; strings.HasPrefix(etag, `"`) && strings.HasSuffix(etag, `"`) && len(etag) > 2 {
		return etag
	}
	return ""
}

// refuse makes an error that lasts.
func (s *Source) refuse(format string, args ...any) error {
	return &RefusedError{shown(s.url), fmt.Sprintf(format, args...)}
}

// from asks for the pinned version from an offset on. A server without ranges
// sends what lies before it as well: so many bytes are to be skipped.
func (s *Source) from(ctx context.Context, offset int64) (body io.ReadCloser, skip int64, err error) {
	ranges := ""
	if offset > 0 {
		ranges = fmt.Sprintf("bytes=%d-", offset)
	}
	answer, err := s.get(ctx, ranges, s.pinned.etag)
	if err != nil {
		return nil, 0, err
	}
	if !s.unchanged(answer) {
		return nil, 0, errors.Join(s.refuse("it changed after it was opened"), answer.Body.Close())
	}
	if answer.StatusCode != http.StatusPartialContent {
		return answer.Body, offset, nil
	}
	if !beginsAt(answer, offset) {
		return nil, 0, errors.Join(errOtherPart, answer.Body.Close())
	}
	return answer.Body, 0, nil
}

// confirm asks whether the server still has the pinned version.
func (s *Source) confirm(ctx context.Context) error {
	answer, err := s.get(ctx, "bytes=0-0", s.pinned.etag)
	if err != nil {
		return err
	}
	if !s.unchanged(answer) {
		err = s.refuse("it changed while it was read")
	}
	return errors.Join(err, answer.Body.Close())
}

// unchanged reports whether an answer is of the pinned version.
func (s *Source) unchanged(answer *http.Response) bool {
	now := versionOf(answer)
	if now.size < 0 && answer.StatusCode == http.StatusPartialContent {
		now.size = s.pinned.size // a part need not tell the size of the whole
	}
	return now == s.pinned
}

// get makes one request. Which failures last is decided here.
func (s *Source) get(ctx context.Context, ranges, etag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), http.NoBody)
	if err != nil {
		return nil, s.refuse("it is not a URL")
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "scriptix-go")
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	if strings.HasPrefix(etag, `"`) { // a weak one may not be asked for
		req.Header.Set("If-Match", etag)
	}
	answer, err := s.opener.client.Do(req)
	if err != nil {
		return nil, s.failure(err)
	}
	switch status := answer.StatusCode; {
	case status == http.StatusOK || status == http.StatusPartialContent:
		if coding := answer.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
			return nil, errors.Join(s.refuse("it comes in the content coding %q", coding), answer.Body.Close())
		}
		return answer, nil
	case status == http.StatusPreconditionFailed:
		err = s.refuse("it changed after it was opened")
	case status == http.StatusRequestedRangeNotSatisfiable:
		err = s.refuse("it is empty")
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		err = fmt.Errorf("its server answers %s", answer.Status)
	default:
		err = s.refuse("its server answers %s", answer.Status)
	}
	return nil, errors.Join(err, answer.Body.Close())
}

// failure is the error of a request that brought no answer, without the URL,
// whose query may be a signature.
func (s *Source) failure(err error) error {
	if private, ok := errors.AsType[*privateError](err); ok {
		return s.refuse("%v", private)
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return s.refuse("its host is not known")
	}
	return err
}

// beginsAt reports whether a part is the one that begins at an offset.
func beginsAt(answer *http.Response, offset int64) bool {
	span, isBytes := strings.CutPrefix(answer.Header.Get("Content-Range"), "bytes ")
	first, _, _ := strings.Cut(span, "-")
	begin, err := strconv.ParseInt(first, 10, 64)
	return isBytes && err == nil && begin == offset
}

func versionOf(answer *http.Response) version {
	v := version{etag: answer.Header.Get("ETag"), modified: answer.Header.Get("Last-Modified"), size: answer.ContentLength}
	if answer.StatusCode == http.StatusPartialContent {
		v.size = -1
		_, total, _ := strings.Cut(answer.Header.Get("Content-Range"), "/")
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			v.size = n
		}
	}
	return v
}
