package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const (
	secret = "whsec_test"
	coming = "whsec_that_comes"
	body   = `{"event":"transcription.completed","timestamp":"2025-01-17T10:30:00Z","data":{"id":"stt_1","status":"completed"}}`
)

// broken is a queue that is away.
type broken struct{}

func (broken) Put(context.Context, Message) error { return errors.New("the queue is away") }

// serve is the receiver on a real connection.
func serve(t *testing.T, queue Queue, secrets ...string) string {
	t.Helper()
	handler, err := newHandler(queue, secrets)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func post(t *testing.T, url, payload, signature string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(payload))
	require.NoError(t, err)
	r.Header.Set(webhook.SignatureHeader, signature)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}

func TestACallbackIsOnTheQueueBeforeItIsAcknowledged(t *testing.T) {
	t.Parallel()
	queue := make(memory, 1)
	url := serve(t, queue, secret)

	require.Equal(t, http.StatusOK, post(t, url+"/cb?scriptix_token=x", body, webhook.Sign(secret, []byte(body))))

	message := <-queue
	assert.Equal(t, "transcription.completed/stt_1", message.ID)
	assert.Equal(t, body, string(message.Body))
	assert.Equal(t, "/cb?scriptix_token=x", message.Target)
}

func TestACallbackThatTheQueueDoesNotTakeComesAgain(t *testing.T) {
	t.Parallel()
	for name, queue := range map[string]Queue{"away": broken{}, "full": make(memory)} {
		assert.Equal(t, http.StatusServiceUnavailable, post(t, serve(t, queue, secret), body, webhook.Sign(secret, []byte(body))), name)
	}
}

func TestBothSecretsAreTakenWhileTheyAreRotatedAndNothingElse(t *testing.T) {
	t.Parallel()
	queue := make(memory, 8)
	url := serve(t, queue, coming, secret)

	assert.Equal(t, http.StatusOK, post(t, url, body, webhook.Sign(secret, []byte(body))))
	assert.Equal(t, http.StatusOK, post(t, url, body, webhook.Sign(coming, []byte(body))))
	assert.Len(t, queue, 2)
	assert.Equal(t, http.StatusUnauthorized, post(t, url, body, webhook.Sign("whsec_of_another", []byte(body))))
	assert.Equal(t, http.StatusUnauthorized, post(t, url, body, ""))
	large := body + strings.Repeat(" ", 64<<10)
	assert.Equal(t, http.StatusRequestEntityTooLarge, post(t, url, large, webhook.Sign(secret, []byte(large))))
	assert.Len(t, queue, 2)
}

func TestWhoTakesAMessageOffTheQueueHasTheTranscript(t *testing.T) {
	t.Parallel()
	queue := make(memory, 1)
	fake, err := scriptixtest.Start(scriptixtest.WithProcessing(10 * time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	require.NoError(t, err)
	job, err := client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", []byte("RIFF")), scriptix.SubmitParams{Language: "en", WebhookURL: serve(t, queue, fake.WebhookSecret())})
	require.NoError(t, err)

	message := <-queue
	event, err := webhook.Parse(message.Body)
	require.NoError(t, err)
	assert.Equal(t, job.ID, event.Data.ID)
	transcript, err := client.STT.Result(t.Context(), event.Data.ID)
	require.NoError(t, err)
	assert.Equal(t, job.ID, transcript.JobID)
}

// functionURL is the event of a function URL as AWS documents it, shortened.
const functionURL = `{
	"version": "2.0", "routeKey": "$default", "rawPath": %q, "rawQueryString": "scriptix_token=x",
	"headers": {"content-type": "application/json", "x-scriptix-signature": %q, "host": "url-id.lambda-url.eu-west-1.on.aws"},
	"requestContext": {"accountId": "anonymous", "http": {"method": %q, "path": "/cb", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}, "timeEpoch": 1583348638390},
	"body": %q, "isBase64Encoded": %t
}`

func TestAFunctionURLIsAnsweredLikeAServer(t *testing.T) {
	t.Parallel()
	large := body + strings.Repeat(" ", 64<<10)
	for _, c := range []struct {
		name, path, method, body, signature string
		encoded                             bool
		want                                int
	}{
		{"plain", "/cb", "POST", body, webhook.Sign(secret, []byte(body)), false, http.StatusOK},
		{"below a path that is escaped", "/a%20b", "POST", body, webhook.Sign(secret, []byte(body)), false, http.StatusOK},
		{"in base64", "/cb", "POST", base64.StdEncoding.EncodeToString([]byte(body)), webhook.Sign(secret, []byte(body)), true, http.StatusOK},
		{"with the new secret", "/cb", "POST", body, webhook.Sign(coming, []byte(body)), false, http.StatusOK},
		{"forged", "/cb", "POST", body, webhook.Sign("whsec_of_another", []byte(body)), false, http.StatusUnauthorized},
		{"unsigned", "/cb", "POST", body, "", false, http.StatusUnauthorized},
		{"looked at", "/cb", "GET", "", "", false, http.StatusMethodNotAllowed},
		{"too large", "/cb", "POST", large, webhook.Sign(secret, []byte(large)), false, http.StatusRequestEntityTooLarge},
		{"too large, in base64", "/cb", "POST", base64.StdEncoding.EncodeToString([]byte(large)), webhook.Sign(secret, []byte(large)), true, http.StatusRequestEntityTooLarge},
		{"no base64", "/cb", "POST", "%%%", webhook.Sign(secret, []byte(body)), true, http.StatusServiceUnavailable},
		{"no path", "cb", "POST", body, "", false, http.StatusBadRequest},
		{"no method", "/cb", "a b", body, "", false, http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			queue := make(memory, 1)
			handler, err := newHandler(queue, []string{coming, secret})
			require.NoError(t, err)
			var event request
			require.NoError(t, json.Unmarshal(fmt.Appendf(nil, functionURL, c.path, c.signature, c.method, c.body, c.encoded), &event))

			answer, err := function(handler)(t.Context(), event)

			require.NoError(t, err)
			assert.Equal(t, c.want, answer.StatusCode)
			assert.Empty(t, answer.Body)
			if c.want != http.StatusOK {
				assert.Empty(t, queue)
				return
			}
			message := <-queue
			assert.Equal(t, body, string(message.Body))
			assert.Equal(t, c.path+"?scriptix_token=x", message.Target)
		})
	}
}

func TestTheProgramListensWhereThePlatformSaysAndEndsInPeace(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "serverless")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(cmd.Environ(), "HOST=127.0.0.1", "PORT=0", "SCRIPTIX_WEBHOOK_SECRET="+coming+","+secret)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	url := strings.TrimPrefix(lines.Text(), "receiving callbacks at ")

	assert.Equal(t, http.StatusOK, post(t, url, body, webhook.Sign(secret, []byte(body))))
	require.True(t, lines.Scan())
	assert.Equal(t, "transcription.completed/stt_1", lines.Text())
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, output)
	require.NoError(t, cmd.Wait())
}

func TestItSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), "127.0.0.1:0", make(memory), []string{""})
	require.ErrorIs(t, err, webhook.ErrNoSecret)
	require.ErrorContains(t, err, "SCRIPTIX_WEBHOOK_SECRET")
}

func TestTheReceiverLinksTheWebhookPackageAlone(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	const module = "github.com/scriptix-io/scriptix-go"
	assert.ElementsMatch(t, []string{module + "/internal/lenient", module + "/webhook", module + "/examples/serverless"}, strings.Fields(string(out)))
}
