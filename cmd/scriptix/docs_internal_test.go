package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// passage is a fenced block of a guide.
type passage struct {
	line int
	info string // what stands behind the fence, as "sh run"
	text string
}

// passages returns the fenced blocks of a page, without the indentation of those that stand in a list.
func passages(t *testing.T, page string) []passage {
	t.Helper()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	var list []passage
	var open *passage
	indent := ""
	for i, line := range strings.Split(string(data), "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case !strings.HasPrefix(bare, "```"):
			if open != nil {
				open.text += strings.TrimPrefix(line, indent) + "\n"
			}
		case open == nil:
			indent = line[:len(line)-len(bare)]
			open = &passage{line: i + 1, info: strings.TrimSpace(strings.TrimPrefix(bare, "```"))}
		default:
			list = append(list, *open)
			open = nil
		}
	}
	require.Nil(t, open, "%s: a block is never closed", page)
	return list
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
			runGuide(t, page, passages(t, page))
		})
	}
}

func runGuide(t *testing.T, page string, blocks []passage) {
	t.Helper()
	const separator = "--- the block of line %d"
	var script strings.Builder
	// What a page starts in the background ends with its script, and its output goes to a file, since a pipe would stay
	// open as long as any of them.
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n")
	runnable := 0
	for _, block := range blocks {
		if block.info == "sh run" {
			runnable++
			fmt.Fprintf(&script, "echo '"+separator+"'\n%s", block.line, block.text)
		}
	}
	if runnable == 0 {
		t.Skip("nothing on this page runs against the fake service")
	}
	if strings.Contains(script.String(), "python3") {
		if _, err := exec.LookPath("python3"); err != nil {
			t.Skip("the page needs python3, which is not installed")
		}
	}
	printed := runScript(t, script.String())
	for i, block := range blocks {
		if block.info != "text" || i == 0 || blocks[i-1].info != "sh run" {
			continue
		}
		_, part, found := strings.Cut(printed, fmt.Sprintf(separator, blocks[i-1].line)+"\n")
		require.True(t, found, "the block of line %d did not run", blocks[i-1].line)
		part, _, _ = strings.Cut(part, "--- the block of line ")
		for want := range strings.Lines(block.text) {
			want = strings.TrimSpace(want)
			assert.Regexp(t, expectation(want), part, "%s:%d: is not printed", page, block.line)
		}
	}
}

// expectation matches a line of a guide, in which "..." stands for what differs and blanks for the columns of a table.
func expectation(line string) string {
	var parts []string
	for part := range strings.SplitSeq(line, "...") {
		parts = append(parts, regexp.MustCompile(` +`).ReplaceAllString(regexp.QuoteMeta(part), " +"))
	}
	return "(?m)^" + strings.Join(parts, ".*") + "$"
}

// runScript runs a guide's commands where a reader would: in a folder that has recordings in calls/.
func runScript(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	meeting, err := os.ReadFile("../../examples/testdata/meeting.wav")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "calls"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calls", "meeting.wav"), meeting, 0o600))
	standup := append([]byte(nil), meeting...)
	standup[len(standup)-1] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calls", "standup.wav"), standup, 0o600))
	output, err := os.Create(filepath.Join(dir, ".output"))
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
			language, rest, _ := strings.Cut(block.info, " ")
			if language == "sh" && rest != "run" {
				reason, ok := strings.CutPrefix(rest, "not run: ")
				assert.True(t, ok && reason != "", "%s:%d: %q: want ```sh run or ```sh not run: REASON", page, block.line, block.info)
			}
		}
	}
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
