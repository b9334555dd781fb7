package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// mostRotated bounds the secrets that are tried, and with them the requests.
const mostRotated = 8

// tooLarge is beyond the limit of any receiver that has one: the frameworks' own
// go up to 2.5 MB, and 64 KiB or 1 MiB are common. An event has a few hundred bytes.
const tooLarge = 4 << 20

// trial is one case of what a receiver has to get right.
type trial struct {
	name  string
	posts []callbackPost
	want  string
	fits  func(trialAnswer) bool
}

// callbackPost is one request.
type callbackPost struct {
	body      []byte
	signature string // "" sends none
	fault     string // what is wrong with a receiver that answers otherwise
}

// trials are the cases in the order in which they are sent.
func trials(job string, secrets []string) []trial {
	secret := secrets[0]
	signed := func(body []byte, fault string) callbackPost {
		return callbackPost{body, webhook.Sign(secret, body), fault}
	}
	completed := eventBody("transcription.completed", job, "completed", "")
	failed := eventBody("transcription.failed", job+"_failed", "failed", "this failure was sent by scriptix trigger")
	unknown := eventBody("transcription.archived", job, "archived", "")
	large := eventBody("transcription.completed", job, "completed", strings.Repeat("large ", tooLarge/len("large ")))
	answered := func(status int) func(trialAnswer) bool { return func(r trialAnswer) bool { return r.status == status } }

	list := []trial{
		{"completed", []callbackPost{signed(completed, "an authentic callback must be accepted in time, or it comes again and is lost in the end")}, "200", trialAnswer.accepted},
		{"failed", []callbackPost{signed(failed, "failures are told as well")}, "200", trialAnswer.accepted},
		{"unknown", []callbackPost{signed(unknown, "events may be added; refused ones come again")}, "200", trialAnswer.accepted},
		{"unsigned", []callbackPost{{completed, "", "a callback without a signature must not be believed"}}, "401", answered(http.StatusUnauthorized)},
		{"forged", []callbackPost{{completed, webhook.Sign("not "+secret, completed), "a signature with another secret must not be believed"}}, "401", answered(http.StatusUnauthorized)},
		{"repeated", []callbackPost{
			signed(completed, "an authentic callback must be accepted"),
			signed(completed, "the service repeats what it takes for undelivered"),
		}, "200", trialAnswer.accepted},
		{"malformed", []callbackPost{signed([]byte(`{"event":`), "what is signed but no event must be refused, and must not break the receiver")}, "400", answered(http.StatusBadRequest)},
		{"too large", []callbackPost{signed(large, "the body, of 4 MiB, must meet a limit, such as 64 KiB")}, "413", refusedLarge},
	}
	if len(secrets) > 1 {
		rotated := trial{name: "rotated", want: "200", fits: trialAnswer.accepted}
		for i, other := range secrets[:min(len(secrets), mostRotated)] {
			rotated.posts = append(rotated.posts, callbackPost{completed, webhook.Sign(other, completed), fmt.Sprintf("secret %d of %d is not accepted; while they are rotated each must be", i+1, len(secrets))})
		}
		list = append(list, rotated)
	}
	return list
}

// refusedLarge accepts every refusal: a receiver that stops reading may find the
// signature wrong, or close the connection.
func refusedLarge(r trialAnswer) bool { return r.status >= 400 && r.status < 500 || r.cut() }

// eventBody is an event as the service writes it.
func eventBody(event, job, status, failure string) []byte {
	data := map[string]any{"id": job, "status": status}
	if failure == "" {
		data["document_id"], data["duration_seconds"], data["language"] = 456, 12.5, "en"
	} else {
		data["error"] = failure
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct { // of strings and numbers alone: it cannot fail
		Event     string         `json:"event"`
		Timestamp string         `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}{event, time.Now().UTC().Format(time.RFC3339), data})
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

// newCallback is a request as the service sends it.
func newCallback(ctx context.Context, target string, body []byte, signature string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set(webhook.SignatureHeader, signature)
	}
	return req, nil
}

// directly returns a client that sends to the named URL alone.
func directly() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
