package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// spoken is what was found out about the API that a server speaks. It is told
// by asking for jobs that do not exist: a route that exists answers otherwise
// than one that does not.
type spoken struct {
	accepted bool   // the key was, by some route
	refused  bool   // the key was, in each header, by a route of sessions
	header   string // in which, where it is not the usual one
	verdict  string
	text     string
	requests int
}

const (
	usualHeader  = "Authorization"
	legacyHeader = "x-zoom-s2t-key"
)

// routes asks a server without the client, because it has to see answers that the
// client would not let it see. It follows no redirect and keeps no cookie.
type routes struct {
	base, key string
	made      string // the id that was made up
	plain     http.Client
	requests  int
}

func newRoutes(base, key, made string) *routes {
	return &routes{
		base: strings.TrimSuffix(strings.TrimRight(base, "/"), "/api/v3") + "/api/v3", key: key, made: made,
		plain: http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// reply is an answer, as far as it tells routes apart.
type reply struct {
	status  int
	kind    string // content type
	keys    string // of its JSON
	message string // without what only repeats the path
	tus     string // protocol of resumable uploads, and the largest one
}

// ask sends one request. A server that does not answer it gives no reply.
func (r *routes) ask(ctx context.Context, method, header string, path ...string) reply {
	r.requests++
	target, err := url.JoinPath(r.base, path...)
	if err != nil {
		return reply{}
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return reply{}
	}
	req.Header.Set("Accept", "application/json")
	switch header {
	case usualHeader:
		req.Header.Set(header, "Bearer "+r.key)
	case legacyHeader:
		req.Header.Set(header, r.key)
	}
	resp, err := r.plain.Do(req)
	if err != nil {
		return reply{}
	}
	defer func() { _ = resp.Body.Close() }() // was only read
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return r.read(resp, body, path)
}

// read takes out of an answer what tells routes apart.
func (r *routes) read(resp *http.Response, body []byte, path []string) reply {
	answer := reply{status: resp.StatusCode}
	answer.kind, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	var top map[string]any
	if json.Unmarshal(body, &top) == nil {
		answer.keys = strings.Join(slices.Sorted(maps.Keys(top)), ",")
	} else {
		top = map[string]any{"message": string(bytes.TrimSpace(body))}
	}
	for _, name := range []string{"message", "detail", "error", "error_description"} {
		if text, ok := top[name].(string); ok {
			answer.message += r.without(text, path) + "\n"
		}
	}
	if version := resp.Header.Get("Tus-Version"); version != "" {
		answer.tus = "resumable uploads " + version
		if size, err := strconv.ParseInt(resp.Header.Get("Tus-Max-Size"), 10, 64); err == nil {
			answer.tus += " up to " + strconv.FormatInt(size/1_000_000, 10) + " MB"
		}
	}
	return answer
}

// without takes out of a message what repeats the request: two routes that do not
// exist are then told in the same words.
func (r *routes) without(text string, path []string) string {
	text = strings.ReplaceAll(text, strings.Join(path, "/"), "PATH")
	for _, element := range path {
		if len(element) > 4 {
			text = strings.ReplaceAll(text, element, "PART")
		}
	}
	return text
}

func (a reply) refusesKey() bool { return a.status == http.StatusUnauthorized }

// exists reports whether a route that was answered so is there, where the
// control is the answer of one that is not. Headers that the route refused say
// nothing of it.
func (a reply) exists(control reply) bool {
	switch {
	case a.status == 0 || control.status == 0 || a.refusesKey() || control.refusesKey():
		return false
	case a.status >= 500 || a.status == http.StatusTooManyRequests || a.status >= 300 && a.status < 400:
		return false // a gateway's word
	}
	a.tus, control.tus = "", ""
	return a != control
}

// dialect finds out which API the server speaks, in at most six requests of which
// the first, for a job of stt, is given. Nothing is made by any of them.
func (r *routes) dialect(ctx context.Context, first reply) spoken {
	session := []string{"speech-to-text", "session", r.made}
	status := r.ask(ctx, http.MethodGet, usualHeader, session...)
	result := r.ask(ctx, http.MethodGet, usualHeader, append(slices.Clone(session), "result")...)
	header := usualHeader
	if result.refusesKey() {
		if other := r.ask(ctx, http.MethodGet, legacyHeader, append(slices.Clone(session), "result")...); !other.refusesKey() && other.status != 0 {
			result, header = other, legacyHeader
		}
	}
	control := r.ask(ctx, http.MethodGet, header, randomHex(), r.made)
	uploads := r.ask(ctx, http.MethodOptions, "", "files/")

	current := status.exists(control) && status.status != http.StatusMethodNotAllowed
	sessions := current || status.exists(control) || result.exists(control)
	stt := first.exists(control)
	found := spoken{header: header, requests: r.requests, verdict: ok}
	found.accepted = stt || sessions
	found.refused = !found.accepted && result.refusesKey()
	variant := "legacy"
	if current {
		variant = "current"
	}
	switch {
	case stt && sessions:
		found.text = "both; --dialect stt, which is the default, or --dialect session (" + variant + ", " + header + ")"
	case stt:
		found.text = "stt; no flag is needed"
	case sessions:
		found.text = "session (" + variant + ", " + header + "); add --dialect session"
	default:
		found.verdict = warning
		found.text = "cannot be told: known and unknown paths are answered alike; try --dialect stt, which is the default, then --dialect session"
	}
	if uploads.tus != "" {
		found.text += "; " + uploads.tus
	}
	return found
}

// firstReply is the answer that the client got to its own question, once more in
// the form that routes are told apart by.
func (r *routes) firstReply(seen *lastAnswer) reply {
	resp := &http.Response{StatusCode: seen.status, Header: seen.header}
	return r.read(resp, seen.body, []string{"stt", r.made, "status"})
}
