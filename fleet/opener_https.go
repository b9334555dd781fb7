package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// httpsOpener opens https: locators. What it sends is one version of the source
// from the first byte to the last: the ETag that it saw first is pinned.
type httpsOpener struct{ client *http.Client }

const maxRedirects = 5

// newHTTPSOpener makes an opener that reaches private addresses only if it is
// allowed to.
func newHTTPSOpener(allowPrivate bool) *httpsOpener {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		// The address is looked at when it is dialed, because a name may lead elsewhere by then.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkPublic(address) }
	}
	transport := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4, DisableCompression: true,
	}
	return &httpsOpener{&http.Client{Transport: transport, CheckRedirect: checkRedirect}}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return refuse(via[0].URL.String(), "it redirects more than %d times", maxRedirects)
	}
	if req.URL.Scheme != "https" {
		return refuse(via[0].URL.String(), "it redirects to a URL that is not https")
	}
	req.Header.Del("Referer") // which holds the signature that the URL before may have
	return nil
}

// privateError is an address that no source may have.
type privateError struct{ address netip.Addr }

func (e *privateError) Error() string { return fmt.Sprintf("the address %v is not public", e.address) }

// checkPublic refuses addresses that are not of the public Internet, so that a
// locator cannot make a worker read what only its own network can reach.
func checkPublic(address string) error {
	dialed, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := dialed.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return &privateError{ip}
	}
	for _, special := range specialNetworks {
		if special.Contains(ip) {
			return &privateError{ip}
		}
	}
	return nil
}

// specialNetworks are the global unicast addresses that lead to no public host
// or, in IPv6, into IPv4 by a way that hides the address.
var specialNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("fec0::/10"),
}

// version is what tells that a source is still the same.
type version struct {
	etag, modified string
	size           int64
}

func (o *httpsOpener) open(ctx context.Context, locator string) (scriptix.Audio, error) {
	u, err := parseHTTPS(locator)
	if err != nil {
		return scriptix.Audio{}, err
	}
	// One byte, and not HEAD: a signed URL is signed for one method.
	answer, err := o.get(ctx, u, locator, "bytes=0-0", "")
	if err != nil {
		return scriptix.Audio{}, err
	}
	pinned := versionOfAnswer(answer)
	_ = answer.Body.Close()
	if pinned.size < 0 {
		// A part need not tell the size of the whole, and the whole does.
		if answer, err = o.get(ctx, u, locator, "", ""); err != nil {
			return scriptix.Audio{}, err
		}
		pinned = versionOfAnswer(answer)
		_ = answer.Body.Close()
		if pinned.size < 0 {
			return scriptix.Audio{}, refuse(locator, "its server does not tell its size")
		}
	}
	name := path.Base("/" + u.Path)
	return scriptix.Opener(name, pinned.size, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return o.from(ctx, u, locator, offset, pinned)
	}), nil
}

// from reads the pinned version from an offset on.
func (o *httpsOpener) from(ctx context.Context, u *url.URL, locator string, offset int64, pinned version) (io.ReadCloser, error) {
	ranges := ""
	if offset > 0 {
		ranges = fmt.Sprintf("bytes=%d-", offset)
	}
	answer, err := o.get(ctx, u, locator, ranges, pinned.etag)
	if err != nil {
		return nil, err
	}
	if versionOfAnswer(answer) != pinned {
		return nil, errors.Join(refuse(locator, "it changed after it was opened"), answer.Body.Close())
	}
	if answer.StatusCode == http.StatusPartialContent && !beginsAt(answer, offset) {
		return nil, errors.Join(fmt.Errorf("its server answers with another part than the one from byte %d", offset), answer.Body.Close())
	}
	if offset > 0 && answer.StatusCode != http.StatusPartialContent {
		if _, err := io.CopyN(io.Discard, answer.Body, offset); err != nil {
			return nil, errors.Join(err, answer.Body.Close())
		}
	}
	return answer.Body, nil
}

// get makes one request. Which failures last is decided here.
func (o *httpsOpener) get(ctx context.Context, u *url.URL, locator, ranges, etag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, refuse(locator, "it is not a URL")
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "scriptix-go")
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	if strings.HasPrefix(etag, `"`) { // a weak one may not be asked for
		req.Header.Set("If-Match", etag)
	}
	answer, err := o.client.Do(req)
	if err != nil {
		return nil, o.failure(locator, err)
	}
	switch status := answer.StatusCode; {
	case status == http.StatusOK || status == http.StatusPartialContent:
		if coding := answer.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
			return nil, errors.Join(refuse(locator, "it comes in the content coding %q", coding), answer.Body.Close())
		}
		return answer, nil
	case status == http.StatusPreconditionFailed:
		err = refuse(locator, "it changed after it was opened")
	case status == http.StatusRequestedRangeNotSatisfiable:
		err = refuse(locator, "it is empty")
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		err = fmt.Errorf("its server answers %s", answer.Status)
	default:
		err = refuse(locator, "its server answers %s", answer.Status)
	}
	return nil, errors.Join(err, answer.Body.Close())
}

// failure is the error of a request that brought no answer, without the URL,
// whose query may be a signature.
func (o *httpsOpener) failure(locator string, err error) error {
	if private, ok := errors.AsType[*privateError](err); ok {
		return refuse(locator, "%v", private)
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return refuse(locator, "its host is not known")
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

func versionOfAnswer(answer *http.Response) version {
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
