package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/scriptix-io/scriptix-go/internal/httpsource"
)

// remote is a recording behind an https URL.
type remote struct {
	full   string             // as it was given: its query may be a signature, so it is never printed
	exact  bool               // its query is a signature and nothing else: what is left names one recording
	token  string             // of its query: it may be what tells the recording from others after all
	source *httpsource.Source // once the server was asked
	file   string             // a copy, where the recording is not read from the server while it is sent
	failed error              // why it can be neither
}

// isURL tells names of recordings that are URLs from those of files.
func isURL(name string) bool {
	for _, scheme := range []string{"https://", "http://"} {
		if len(name) >= len(scheme) && strings.EqualFold(name[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

const longestURL = 8 << 10

// parseURL splits a URL into what names the recording everywhere, on screen and
// in files, and the rest. Signatures are no part of the name: the same recording
// comes with another one tomorrow. Of other parameters, which may be secret too
// but may also be all that tells two recordings apart, the name has a hash.
func parseURL(raw string) (public string, r *remote, err error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "", nil, usage("%s: is no URL with a host", withoutQuery(raw))
	case len(raw) > longestURL:
		return "", nil, usage("%s: the URL has %d bytes; at most %d are taken", withoutQuery(raw), len(raw), longestURL)
	case u.User != nil:
		return "", nil, usage("%s: a URL with user and password is not taken; a signed one is", withoutQuery(raw))
	case u.Scheme != "https":
		return "", nil, usage("%s: want https, because what comes over http may be anybody's", withoutQuery(raw))
	}
	u.Fragment, u.RawFragment = "", ""
	query := u.Query()
	r = &remote{full: u.String(), exact: true, token: query.Get("token") + query.Get("access_token")}
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	public = (&url.URL{Scheme: "https", Host: host, Path: "/" + strings.TrimPrefix(u.Path, "/"), RawPath: u.RawPath}).String()
	if rest := unsigned(u.RawQuery); rest != "" {
		r.exact = false
		sum := sha256.Sum256([]byte(rest))
		public += "?..." + hex.EncodeToString(sum[:4])
	}
	return public, r, nil
}

// withoutQuery is as much of a URL as can be shown though it is none.
func withoutQuery(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	raw, _, _ = strings.Cut(raw, "#")
	scheme, rest, _ := strings.Cut(raw, "://")
	host, place, slash := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	if slash {
		host += "/" + place
	}
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:] // a password with a slash in it
	}
	return oneLine(scheme + "://" + host)
}

// shownName is what an argument is called in messages.
func shownName(name string) string {
	if isURL(name) {
		return withoutQuery(name)
	}
	return name
}

// publicName is what an argument is known by in the list of files: a URL without
// its signature.
func publicName(name string) string {
	if !isURL(name) {
		return name
	}
	if public, _, err := parseURL(name); err == nil {
		return public
	}
	return name
}

// unsigned is what a query holds beside a signature, in a settled order.
func unsigned(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return query
	}
	azure := values.Has("sig")
	for name := range values {
		if isSignature(strings.ToLower(name), azure) {
			delete(values, name)
		}
	}
	return values.Encode()
}

// signing are the parameters with which stores and proxies sign a URL, beside
// those that begin with a vendor's name.
var signing = []string{
	"signature", "sig", "sign", "hmac", "token", "access_token", "expires", "expiry", "exp", "policy", "key-pair-id",
	"awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "security-token",
}

// signingAzure are those of a shared access signature, which are too short to mean
// it without one.
var signingAzure = []string{"sv", "st", "se", "sr", "sp", "spr", "sip", "ss", "srt", "sdd", "skoid", "sktid", "skt", "ske", "sks", "skv"}

func isSignature(name string, azure bool) bool {
	for _, vendor := range []string{"x-amz-", "x-goog-", "x-oss-", "response-content-"} {
		if strings.HasPrefix(name, vendor) {
			return true
		}
	}
	return slices.Contains(signing, name) || azure && slices.Contains(signingAzure, name)
}

// urlName is the file name in a recording's public URL, fit for any file system.
func urlName(public string) string {
	place, _, _ := strings.Cut(public, "?")
	if plain, err := url.PathUnescape(place); err == nil {
		place = plain
	}
	_, place, _ = strings.Cut(place, "://")
	_, place, _ = strings.Cut(place, "/")
	name := path.Base("/" + place)
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, strings.ToValidUTF8(name, "-"))
	name = strings.TrimLeft(strings.TrimRight(name, ". "), ". ")
	if name == "" || name == "-" {
		return "recording"
	}
	return name
}
