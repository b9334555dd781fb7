package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// program finds a program, or skips the test on a machine without it.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not on this machine: %v", name, err)
	}
	return path
}

// curl uploads a file as the documentation shows it, and returns the answer.
func curl(t *testing.T, fake *scriptixtest.Server, content []byte, fields ...string) (job struct{ ID, Status, Language string }) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.wav")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	args := []string{"--silent", "--show-error", "--fail-with-body", "--max-time", "30", "-X", "POST", fake.URL() + "/api/v3/stt", "-H", "Authorization: Bearer " + fake.APIKey(), "-F", "audio_file=@" + file}
	for _, f := range fields {
		args = append(args, "-F", f)
	}
	cmd := exec.CommandContext(t.Context(), program(t, "curl"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	require.NoError(t, json.Unmarshal(out, &job))
	return job
}

func service(t *testing.T, opts ...scriptixtest.Option) *scriptixtest.Server {
	t.Helper()
	fake, err := scriptixtest.Start(append(opts, scriptixtest.WithProcessing(10*time.Millisecond), scriptixtest.WithCallbackRetries())...)
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return fake
}

func TestCurlsUploadOfTheDocumentationIsAccepted(t *testing.T) {
	t.Parallel()
	fake := service(t)
	p := tape{3 << 20} // enough for curl to ask with Expect: 100-continue
	content := make([]byte, p.size)
	_, _ = p.ReadAt(content, 0)

	job := curl(t, fake, content, "language=en", "diarization=true", "webhook_url=https://example.com/hook")

	require.Len(t, fake.Jobs(), 1)
	got := fake.Jobs()[0]
	assert.Equal(t, got.ID, job.ID)
	assert.Equal(t, "uploaded", job.Status)
	assert.Equal(t, "en", job.Language)
	assert.Equal(t, "x.wav", got.FileName)
	assert.Equal(t, p.size, got.Size)
	assert.Equal(t, p.sum(t), got.SHA256)
	assert.Equal(t, "https://example.com/hook", got.Fields.Get("webhook_url"))
	assert.Equal(t, "true", got.Fields.Get("diarization"))
}

func TestReceiversOfTheDocumentationVerifyOurCallbacks(t *testing.T) {
	t.Parallel()
	for _, r := range []struct{ interpreter, script string }{{"python3", "receiver.py"}, {"node", "receiver.js"}} {
		t.Run(r.interpreter, func(t *testing.T) {
			t.Parallel()
			const secret = "whsec_interop"
			fake := service(t, scriptixtest.WithWebhookSecret(secret))
			receiver := start(t, []string{"WEBHOOK_SECRET=" + secret}, program(t, r.interpreter), filepath.Join("testdata", r.script))
			hook := receiver.line(t)
			for _, c := range []struct {
				name    string
				outcome scriptixtest.Outcome
				says    string
			}{
				{"completed", scriptixtest.Outcome{Text: "Hello."}, "verified"},
				{"failed, with characters that serialisers escape differently", scriptixtest.Outcome{Failure: "a < b && c > \"d\": ünlesbar \u2028 /"}, "verified"},
				{"forged", scriptixtest.Outcome{Callback: scriptixtest.Callback{Forged: true}}, "refused"},
				{"unsigned", scriptixtest.Outcome{Callback: scriptixtest.Callback{Unsigned: true}}, "refused"},
			} {
				fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome { return c.outcome })
				curl(t, fake, []byte("RIFF"), "language=en", "webhook_url="+hook)
				assert.Equal(t, c.says, receiver.line(t), c.name)
			}
			want := []int{200, 200, 401, 401}
			require.Eventually(t, func() bool { // its answer is noted a moment after the line
				jobs := fake.Jobs()
				return len(jobs) == len(want) && len(jobs[len(jobs)-1].Deliveries) == 1
			}, 10*time.Second, 5*time.Millisecond)
			for i, job := range fake.Jobs() {
				require.Len(t, job.Deliveries, 1)
				assert.Equal(t, want[i], job.Deliveries[0].Status)
			}
		})
	}
}
