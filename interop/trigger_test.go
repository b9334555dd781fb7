package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const receiverSecret = "whsec_interop"

// built builds a program of this repository.
func built(t *testing.T, module, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), program(t, "go"), "build", "-o", path, pkg)
	cmd.Dir = module
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// triggered has the command check all answers of a receiver.
func triggered(t *testing.T, scriptix, url string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), scriptix, "trigger", url, "--all")
	cmd.Env = append(os.Environ(), "SCRIPTIX_WEBHOOK_SECRET="+receiverSecret)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.NotContains(t, string(out), "FAIL")
	assert.Equal(t, 8, strings.Count("\n"+string(out), "\nok "), "%s", out)
}

// hook is the URL in the line that a receiver prints when it listens.
func hook(line string) string {
	_, rest, _ := strings.Cut(line, "http://")
	url, _, _ := strings.Cut(rest, ",")
	return "http://" + url
}

// The command's check of a receiver is right about receivers that others wrote,
// and about the one in the examples. Each is checked directly, and behind listen,
// which passes on what it has verified.
func TestReceiversPassTheCommandsCheck(t *testing.T) {
	t.Parallel()
	scriptix := built(t, "../cmd/scriptix", ".")
	webhookserver := built(t, "..", "./examples/webhookserver")
	for name, r := range map[string]struct {
		program string
		args    []string
		env     string
	}{
		"python3":       {"python3", []string{filepath.Join("testdata", "receiver.py")}, "WEBHOOK_SECRET=" + receiverSecret},
		"node":          {"node", []string{filepath.Join("testdata", "receiver.js")}, "WEBHOOK_SECRET=" + receiverSecret},
		"webhookserver": {webhookserver, []string{"-addr", "127.0.0.1:0", "-out", filepath.Join(t.TempDir(), "events.jsonl")}, "SCRIPTIX_WEBHOOK_SECRET=" + receiverSecret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := hook(start(t, []string{r.env}, program(t, r.program), r.args...).line(t))
			triggered(t, scriptix, receiver)

			gate := start(t, []string{"SCRIPTIX_WEBHOOK_SECRET=" + receiverSecret}, program(t, "sh"),
				"-c", `exec "$0" listen --addr 127.0.0.1:0 --forward-to "$1" 2>&1`, scriptix, receiver)
			triggered(t, scriptix, hook(gate.line(t)))
			for passed := 0; passed < 5; { // completed, failed, unknown, and completed twice
				if line := gate.line(t); !strings.Contains(line, "refused a callback") {
					assert.Contains(t, line, "  forwarded, 200 in ")
					passed++
				}
			}
		})
	}
}
