package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/guide"
)

// passages returns the fenced blocks of a page.
func passages(t *testing.T, page string) []guide.Passage {
	t.Helper()
	blocks, err := guide.Passages(page)
	require.NoError(t, err)
	return blocks
}

// A reader pastes what stands in a guide. So each page's commands are one script, which runs in a folder with two
// recordings, and a text block after them says what they print.
func TestTheCommandsOfTheGuidesRunAsTheyStand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the guides' commands are those of a shell, and bash is not installed")
	}
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range append(pages, "../../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			blocks := passages(t, page)
			script, runs := guide.Script(blocks)
			switch {
			case !runs:
				t.Skip("nothing on this page runs")
			case strings.Contains(script, "scriptix-fleet"):
				t.Skip("the module fleet runs this page, with a database")
			case strings.Contains(script, "python3"):
				if _, err := exec.LookPath("python3"); err != nil {
					t.Skip("the page needs python3, which is not installed")
				}
			}
			assert.Empty(t, guide.Missing(blocks, runScript(t, script)), "%s announces lines that are not printed", page)
		})
	}
}

// runScript runs a guide's commands where a reader would: in a folder that has recordings in calls/.
func runScript(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, guide.Furnish(dir, "../../examples/testdata/meeting.wav"))
	output, err := os.Create(filepath.Join(dir, ".output")) // no pipe: it would stay open as long as what runs in the background
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, output, output
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SCRIPTIX_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+dir)
	failure := cmd.Run()
	require.NoError(t, output.Close())
	printed, err := os.ReadFile(output.Name())
	require.NoError(t, err)
	require.NoError(t, failure, "%s", printed)
	return string(printed)
}

// A command that no test runs has to say why, so that none is forgotten.
func TestWhatAGuideDoesNotRunSaysWhy(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	for _, page := range pages {
		for _, block := range passages(t, page) {
			language, rest, _ := strings.Cut(block.Info, " ")
			switch language {
			case "sh":
				reason, ok := strings.CutPrefix(rest, "not run: ")
				assert.True(t, rest == "run" || ok && reason != "", "%s:%d: %q: want ```sh run or ```sh not run: REASON", page, block.Line, block.Info)
			case "text", "nginx", "yaml", "go", "json", "ini":
			default:
				assert.Fail(t, "a block without commands says what it is", "%s:%d: %q", page, block.Line, block.Info)
			}
		}
	}
}

// What the guide says of the plans is what the client keeps to: the limits, and two requests a job.
func TestThePlansOfTheGuideAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/costs.md")
	require.NoError(t, err)
	const requestsOfAJob = 2
	for name, plan := range plans {
		if name == "" {
			continue
		}
		row := []string{strings.ToUpper(name[:1]) + name[1:]}
		for _, n := range []int{plan.PerMinute, plan.PerHour, plan.PerDay, plan.Concurrent, plan.PerMinute / requestsOfAJob, plan.PerHour / requestsOfAJob, plan.PerDay / requestsOfAJob} {
			row = append(row, strconv.Itoa(n))
		}
		assert.Contains(t, string(page), "\n| "+strings.Join(row, " | ")+" |\n", name)
	}
	assert.Len(t, regexp.MustCompile(`(?m)^\| [A-Z][a-z]+ \| \d+ \|`).FindAll(page, -1), len(plans)-1, "plans in the table")
	usual := plans[""]
	assert.Contains(t, string(page), fmt.Sprintf("the client keeps to %d a minute and %d at\nonce", usual.PerMinute, usual.Concurrent))
	assert.Contains(t, string(page), fmt.Sprintf("plan free allows %d a minute, %d an hour, %d a day", scriptix.PlanFree.PerMinute, scriptix.PlanFree.PerHour, scriptix.PlanFree.PerDay))
}

// The guides are found from the README, and their links lead somewhere.
func TestTheGuidesLinksLeadToFiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	index, err := os.ReadFile("../../docs/README.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, link := range regexp.MustCompile(`\[[^\]\n]+\]\(([\w./-]+)\)`).FindAllStringSubmatch(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), ""), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(link[1])))
			assert.NoError(t, err, "%s links %s", page, link[1])
		}
		if name := filepath.Base(page); name != "README.md" {
			assert.Contains(t, string(index), "("+name+")", "docs/README.md lists each guide")
		}
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "(docs/README.md)")
	assert.Less(t, strings.Count(string(readme), "\n"), 230, "lines of the README")
}
