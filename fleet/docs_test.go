//go:build unix

package fleet_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
	"github.com/scriptix-io/scriptix-go/internal/guide"
)

// The other guides are run by the command line's tests. This one needs a database, and both programs.
func TestTheCommandsOfTheFleetsGuideRunAsTheyStand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "python3", "psql"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("the page's commands need %s: %v", name, err)
		}
	}
	database := fleettest.Database(t)
	blocks, err := guide.Passages("../docs/fleet.md")
	require.NoError(t, err)
	script, runs := guide.Script(blocks)
	require.True(t, runs)
	bin, dir := t.TempDir(), t.TempDir()
	for module, pkg := range map[string]string{".": "./cmd/scriptix-fleet", "../cmd/scriptix": "."} {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-C", module, "-o", bin+"/", pkg).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.NoError(t, guide.Furnish(dir, "../examples/testdata/meeting.wav"))
	output, err := os.Create(filepath.Join(dir, ".output")) // no pipe: it would stay open as long as what runs in the background
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, output, output
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SCRIPTIX_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+dir, "DATABASE_URL="+database, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))

	failure := cmd.Run()

	require.NoError(t, output.Close())
	printed, err := os.ReadFile(output.Name())
	require.NoError(t, err)
	require.NoError(t, failure, "%s", printed)
	assert.Empty(t, guide.Missing(blocks, string(printed)), "is announced and not printed:\n%s", printed)
}
