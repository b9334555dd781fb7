package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainReceiver is a receiver on net/http alone, with at most one fault.
type plainReceiver struct {
	mu       sync.Mutex
	fault    string
	requests atomic.Int32
	known    map[string]bool
	release  chan struct{}
}

func mac(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

func (p *plainReceiver) status(r *http.Request) int {
	limit := int64(64 << 10)
	switch p.fault {
	case "reads whatever comes":
		limit = 1 << 30
	case "reads up to 1 MiB":
		limit = 1 << 20
	case "reads up to 2.5 MB":
		limit = 2_500_000
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(body)) > limit {
		return http.StatusRequestEntityTooLarge
	}
	signature := r.Header.Get("X-Scriptix-Signature")
	authentic := signature == mac("old", body) && p.fault != "knows the new secret alone" || signature == mac("new", body) && p.fault != "knows the old secret alone"
	switch {
	case signature == "" && p.fault == "believes what is not signed":
	case signature != "" && p.fault == "believes every signature":
	case !authentic && p.fault == "forbids instead of asking who it is":
		return http.StatusForbidden
	case !authentic:
		return http.StatusUnauthorized
	}
	var event struct{ Event, Timestamp string }
	if json.Unmarshal(body, &event) != nil || event.Event == "" {
		if p.fault == "accepts what is no event" {
			return http.StatusOK
		}
		return http.StatusBadRequest
	}
	switch {
	case p.fault == "fails on failures" && event.Event == "transcription.failed":
		return http.StatusInternalServerError
	case p.fault == "refuses events that it does not know" && event.Event != "transcription.completed" && event.Event != "transcription.failed":
		return http.StatusBadRequest
	case p.fault == "refuses what it knows already" && p.knows(body):
		return http.StatusConflict
	case p.fault == "takes too long":
		<-p.release
	case p.fault == "redirects":
		return http.StatusTemporaryRedirect
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[string(body)] = true
	return http.StatusOK
}

// knows reports whether the receiver has taken in such a body before.
func (p *plainReceiver) knows(body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[string(body)]
}

func (p *plainReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	status := p.status(r)
	if status == http.StatusTemporaryRedirect {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
}

// trigger runs the command against a receiver, and returns its exit code and output.
func trigger(t *testing.T, receiver *plainReceiver, flags ...string) (code int, output string) {
	t.Helper()
	return triggerWith(t, "old\nnew\n", receiver, flags...)
}

func triggerWith(t *testing.T, secretLines string, receiver *plainReceiver, flags ...string) (code int, output string) {
	t.Helper()
	receiver.known, receiver.release = make(map[string]bool), make(chan struct{})
	server := httptest.NewServer(receiver)
	defer server.Close()
	defer close(receiver.release)
	secrets := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(secrets, []byte(secretLines), 0o600))
	var stdout bytes.Buffer
	e := &env{stdout: &stdout, stderr: io.Discard, getenv: func(string) string { return "" }}
	code = run(t.Context(), e, append([]string{"trigger", server.URL + "/hook", "--secret-file", secrets}, flags...))
	return code, stdout.String()
}

func TestTriggerPassesAReceiverThatIsRight(t *testing.T) {
	t.Parallel()
	receiver := &plainReceiver{}
	code, output := trigger(t, receiver, "--all")
	assert.Zero(t, code, output)
	assert.NotContains(t, output, "FAIL")
	var names []string
	for line := range strings.Lines(output) {
		names = append(names, strings.TrimSpace(line[6:15]))
	}
	assert.Equal(t, []string{"completed", "failed", "unknown", "unsigned", "forged", "repeated", "malformed", "too large", "rotated"}, names)
	assert.LessOrEqual(t, receiver.requests.Load(), int32(20))
}

func TestTriggerPassesAReceiverWhateverItsLimitIs(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"reads up to 1 MiB", "reads up to 2.5 MB"} {
		code, output := trigger(t, &plainReceiver{fault: limit}, "--all")
		assert.Zero(t, code, output)
		assert.NotContains(t, output, "FAIL")
	}
}

func TestTriggerDoesNotTryRotationWithOneSecret(t *testing.T) {
	t.Parallel()
	receiver := &plainReceiver{fault: "knows the old secret alone"}
	code, output := triggerWith(t, "old\n", receiver, "--all")
	assert.Zero(t, code, output)
	assert.NotContains(t, output, "rotated")
	assert.Equal(t, 8, strings.Count(output, "ok "), output)
}

func TestTriggerNamesTheFaultOfAReceiver(t *testing.T) {
	t.Parallel()
	for fault, named := range map[string]string{
		"believes what is not signed":          "FAIL  unsigned   200 in",
		"believes every signature":             "FAIL  forged     200 in",
		"forbids instead of asking who it is":  "FAIL  unsigned   403 in",
		"accepts what is no event":             "FAIL  malformed  200 in",
		"fails on failures":                    "FAIL  failed     500 in",
		"refuses events that it does not know": "FAIL  unknown    400 in",
		"refuses what it knows already":        "FAIL  repeated   409 in",
		"takes too long":                       "FAIL  completed  no answer within 200ms, want 200",
		"reads whatever comes":                 "FAIL  too large  200 in",
		"knows the old secret alone":           "FAIL  rotated    401 in",
		"knows the new secret alone":           "FAIL  completed  401 in",
		"redirects":                            "FAIL  completed  307, a redirect, want 200",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			receiver := &plainReceiver{fault: fault}
			flags := []string{"--all"}
			if fault == "takes too long" {
				flags = append(flags, "--timeout", "200ms")
			}
			code, output := trigger(t, receiver, flags...)
			assert.Equal(t, exitFailed, code, output)
			assert.Contains(t, output, named)
			assert.LessOrEqual(t, receiver.requests.Load(), int32(20))
		})
	}
}
