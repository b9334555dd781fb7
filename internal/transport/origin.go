package transport

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"
)

// CheckCallback accepts URLs that callbacks may be sent to.
func CheckCallback(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("webhook: the callback URL cannot be parsed")
	}
	if err := Secure(u); err != nil {
		return fmt.Errorf("webhook: callback URL: %w", err)
	}
	if u.User != nil || u.Fragment != "" {
		return errors.New("webhook: the callback URL takes no user and no fragment")
	}
	return nil
}

// CutPath returns u without path at its end, and without a slash.
func CutPath(u *url.URL, path string) *url.URL {
	escaped := strings.TrimRight(u.EscapedPath(), "/")
	cut := *u
	if rest, found := strings.CutSuffix(escaped, path); found {
		cut.RawPath = rest
		cut.Path, _ = url.PathUnescape(rest) // a part of what was parsed
	}
	return &cut
}

// UserAgent is "app/1.0 library/1.0 (go1.26; linux/amd64)"; the application may be
// empty.
func UserAgent(application, library string) string {
	version := runtime.Version()
	if parts := strings.SplitN(version, ".", 3); len(parts) == 3 {
		version = parts[0] + "." + parts[1]
	}
	agent := library + " (" + version + "; " + runtime.GOOS + "/" + runtime.GOARCH + ")"
	if application != "" {
		agent = application + " " + agent
	}
	return agent
}

// SameOrigin reports whether two URLs have one scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

// RaiseToTLS makes u, an http URL on the host of base, https as base is: a
// service behind a proxy that ends TLS does not know of it.
func RaiseToTLS(u, base *url.URL) {
	if base.Scheme != "https" || u.Scheme != "http" || !strings.EqualFold(u.Hostname(), base.Hostname()) {
		return
	}
	if port := u.Port(); port == "" || port == "80" || port == portOf(base) {
		u.Scheme, u.Host = base.Scheme, base.Host
	}
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// Secure accepts https anywhere and http on loopback alone, because the key
// and the transcripts' ids travel there.
func Secure(u *url.URL) error {
	switch {
	case u.Hostname() == "":
		return errors.New("needs a scheme and a host, as https://example.com")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("http is for loopback alone, and %s is elsewhere; use https", u.Hostname())
	}
	return fmt.Errorf("scheme %q is not https", u.Scheme)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
