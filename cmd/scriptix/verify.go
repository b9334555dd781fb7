package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/scriptix-io/scriptix-go/webhook"
)

type verifyCmd struct {
	Body       string `arg:"" help:"File that holds the body of the callback as it was received; - is standard input."`
	Signature  string `arg:"" optional:"" help:"Value of its X-Scriptix-Signature header."`
	SecretFile string `name:"secret-file" placeholder:"FILE" help:"File that holds the webhook secret, instead of $$SCRIPTIX_WEBHOOK_SECRET."`
	JSON       bool   `help:"Print the finding as a JSON object."`
}

type finding struct {
	Authentic bool   `json:"authentic"`
	Problem   string `json:"problem,omitempty"` // no_signature, malformed, mismatch or payload
	Cause     string `json:"cause,omitempty"`
	Event     string `json:"event,omitempty"`
	JobID     string `json:"job_id,omitempty"`
}

const maxCaptured = 8 << 20 // far more than any receiver takes

// Help shows how it is used.
func (*verifyCmd) Help() string {
	return `Examples:
  scriptix verify body.json sha256=4b7e...
  curl -s https://jobs.example.com/last | scriptix verify - sha256=4b7e...`
}

// Run checks a callback, and on a mismatch tries what usually is the matter.
func (c *verifyCmd) Run(e *env) error {
	secrets, err := e.webhookSecrets(c.SecretFile)
	if err != nil {
		return err
	}
	body, err := c.read(e)
	if err != nil {
		return usage("%w", err)
	}
	f := c.check(body, secrets)
	if c.JSON {
		if err := e.object(f); err != nil {
			return err
		}
	}
	if f.Problem != "" {
		return errors.New(c.Body + ": " + f.Cause)
	}
	if c.JSON {
		return nil
	}
	return e.printf("%s: authentic, %s %s", c.Body, oneLine(f.Event), oneLine(f.JobID))
}

func (c *verifyCmd) read(e *env) ([]byte, error) {
	r := e.stdin
	if c.Body != standardInput {
		f, err := os.Open(c.Body)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // was only read
		r = f
	}
	body, err := io.ReadAll(io.LimitReader(r, maxCaptured+1))
	if err == nil && len(body) > maxCaptured {
		err = fmt.Errorf("%s: too large for a callback", c.Body)
	}
	return body, err
}

func (c *verifyCmd) check(body []byte, secrets found) finding {
	err := webhook.Verify(body, c.Signature, secrets.values...)
	switch {
	case err == nil:
		event, err := webhook.Parse(body)
		if err != nil {
			return finding{Authentic: true, Problem: "payload", Cause: "authentic, but " + explain(err)}
		}
		return finding{Authentic: true, Event: string(event.Type), JobID: event.Data.ID}
	case errors.Is(err, webhook.ErrNoSecret):
		return finding{Problem: "secret", Cause: "the webhook secret in " + secrets.place + " is blank"}
	case errors.Is(err, webhook.ErrNoSignature):
		return finding{Problem: "no_signature", Cause: "no signature was given: pass the value of " + webhook.SignatureHeader + "; a callback without one is not authentic"}
	case errors.Is(err, webhook.ErrMalformedSignature):
		return finding{Problem: "malformed", Cause: `malformed signature, want "sha256=" and 64 hex digits: ` + malformation(c.Signature, body, secrets.values)}
	}
	cause := mismatchCause(body, c.Signature, secrets.values)
	if cause == "" {
		return finding{Problem: "mismatch", Cause: "the signature does not match, and no usual cause explains it: check that the secret in " + secrets.place +
			" is the account's present one, and that body and signature are of the same callback"}
	}
	return finding{Problem: "mismatch", Cause: "the signature does not match as it stands, but it does " + cause}
}

// malformation says what is wrong with a value that is no signature.
func malformation(signature string, body []byte, secrets []string) string {
	s := strings.TrimSpace(signature)
	name, rest, colon := strings.Cut(s, ":")
	digits, prefixed := strings.CutPrefix(s, "sha256=")
	switch {
	case colon && strings.EqualFold(strings.TrimSpace(name), webhook.SignatureHeader):
		if webhook.Verify(body, rest, secrets...) == nil {
			return "it begins with the header's name; the rest is right, so pass the value alone"
		}
		return "it begins with the header's name; pass the value alone"
	case strings.ContainsAny(s, `"'`):
		return "it holds quotes"
	case !prefixed && len(s) == 64 && isHex(s):
		if webhook.Verify(body, "sha256="+s, secrets...) == nil {
			return `"sha256=" is missing in front of it; with that it is right`
		}
		return `"sha256=" is missing in front of it`
	case !prefixed && strings.Contains(s, "="):
		before, _, _ := strings.Cut(s, "=")
		if len(before) < 16 {
			return fmt.Sprintf("it begins with %q", oneLine(before)+"=")
		}
	case prefixed && matchesBase64(digits, body, secrets):
		return "it is right, but written in base64 instead of hex"
	case prefixed && isHex(digits):
		return fmt.Sprintf("it has %d digits", len(digits))
	case prefixed:
		return "what follows sha256= is not hex"
	}
	return `"sha256=" is missing`
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
