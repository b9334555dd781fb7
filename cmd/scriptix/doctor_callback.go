package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

const ownRequest = "1 request to your receiver"

// checkCallback looks at the callback URL as the service will, and sends it two
// callbacks about nothing: one without a signature, and one that is signed.
func (c *doctorCmd) checkCallback(ctx context.Context, e *env, d *diagnosis) {
	u, err := url.Parse(c.WebhookURL)
	if err != nil || u.Host == "" {
		d.tell("callback", failing, free, "the callback URL cannot be parsed; want https://host/path")
		return
	}
	if verdict, text := soundCallback(ctx, u); verdict != ok {
		d.tell("callback", verdict, free, "%s", text)
		if verdict == failing {
			return
		}
	} else {
		d.tell("callback", ok, free, "%s", text)
	}
	secrets, err := e.webhookSecrets(c.SecretFile)
	if err != nil {
		d.tell("secret", failing, free, "%s", explain(err))
	} else {
		d.tell("secret", ok, free, "found in %s", secrets.place)
	}
	body := fmt.Appendf(nil, `{"event": "scriptix.doctor", "timestamp": %q}`, time.Now().UTC().Format(time.RFC3339))
	status, failure := c.post(ctx, body, "")
	switch {
	case failure != "":
		d.tell("reach", failing, ownRequest, "no answer: %s", failure)
		return
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.tell("reach", ok, ownRequest, "reached from here, and it refuses an unsigned callback; the service reaches it from elsewhere")
	case status < 300:
		d.tell("reach", failing, ownRequest, "it accepts an unsigned callback, so anyone can forge one; verify signatures")
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		d.tell("reach", failing, ownRequest, "it answers %d; is the path right?", status)
	default:
		d.tell("reach", warning, ownRequest, "it answers an unsigned callback with %d; 401 was expected", status)
	}
	if len(secrets.values) == 0 {
		return
	}
	status, failure = c.post(ctx, body, webhook.Sign(secrets.values[0], body))
	switch {
	case failure != "":
		d.tell("accept", failing, ownRequest, "no answer: %s", failure)
	case status == http.StatusOK:
		d.tell("accept", ok, ownRequest, "it accepts a callback that is signed with the secret")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.tell("accept", failing, ownRequest, "it refuses a callback signed with the secret in %s; does it have another?", secrets.place)
	default:
		d.tell("accept", warning, ownRequest, "it answers a signed event that it does not know with %d; 200 was expected, or the service sends it again", status)
	}
}

// soundCallback checks what the service is known to ask of a callback URL.
func soundCallback(ctx context.Context, u *url.URL) (verdict, text string) {
	host := u.Hostname()
	ip := net.ParseIP(host)
	local := strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
	switch {
	case u.User != nil || u.Fragment != "":
		return failing, "the callback URL takes no user and no fragment"
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return failing, fmt.Sprintf("scheme %q: the service wants https", u.Scheme)
	case local:
		return warning, host + " is this machine: only a fake service on it can send callbacks there"
	case ip != nil:
		return failing, host + " is an IP address: the service wants a name"
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return failing, fmt.Sprintf("%s cannot be resolved: %v", host, err)
	}
	for _, a := range addrs {
		if ip := net.ParseIP(a); ip != nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()) {
			return warning, fmt.Sprintf("%s is %s here, which the service cannot reach; is its public address another?", host, a)
		}
	}
	return ok, host + " is a name that resolves"
}

// post sends a callback; failure says why there is no answer, without the URL's
// query, which may hold a secret.
func (c *doctorCmd) post(ctx context.Context, body []byte, signature string) (status int, failure string) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return 0, "the callback URL cannot be used"
	}
	r.Header.Set("Content-Type", "application/json")
	if signature != "" {
		r.Header.Set(webhook.SignatureHeader, signature)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		if wrapped, isURL := err.(*url.Error); isURL { //nolint:errorlint // client.Do returns nothing else
			err = wrapped.Err
		}
		return 0, oneLine(err.Error())
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	_ = resp.Body.Close()
	return resp.StatusCode, ""
}
