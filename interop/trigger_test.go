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

// The command's check of a receiver is right about receivers that others wrote,
// and about the one in the examples.
func TestReceiversPassTheCommandsCheck(t *testing.T) {
	t.Parallel()
	const secret = "whsec_interop"
	dir := t.TempDir()
	build := func(module, pkg, name string) string {
		built := filepath.Join(dir, name)
		cmd := exec.CommandContext(t.Context(), program(t, "go"), "build", "-o", built, pkg)
		cmd.Dir = module
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return built
	}
	scriptix := build("../cmd/scriptix", ".", "scriptix")
	webhookserver := build("..", "./examples/webhookserver", "webhookserver")
	for _, r := range []struct {
		name string
		args []string
		env  string
	}{
		{"python3", []string{filepath.Join("testdata", "receiver.py")}, "WEBHOOK_SECRET=" + secret},
		{"node", []string{filepath.Join("testdata", "receiver.js")}, "WEBHOOK_SECRET=" + secret},
		{webhookserver, []string{"-addr", "127.0.0.1:0", "-out", filepath.Join(dir, "events.jsonl")}, "SCRIPTIX_WEBHOOK_SECRET=" + secret},
	} {
		t.Run(filepath.Base(r.name), func(t *testing.T) {
			t.Parallel()
			line := start(t, []string{r.env}, program(t, r.name), r.args...).line(t)
			_, rest, _ := strings.Cut(line, "http://")
			hook, _, _ := strings.Cut(rest, ",")
			cmd := exec.CommandContext(t.Context(), scriptix, "trigger", "http://"+hook, "--all")
			cmd.Env = append(os.Environ(), "SCRIPTIX_WEBHOOK_SECRET="+secret)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.NotContains(t, string(out), "FAIL")
			assert.Equal(t, 8, strings.Count("\n"+string(out), "\nok "), "%s", out)
		})
	}
}
