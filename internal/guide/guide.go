// Package guide reads the commands out of the guides in docs/, so that tests run them as a reader pastes them. A page's
// blocks that begin with "sh run" are one script, and a text block right behind one says what it prints.
package guide

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Passage is a fenced block of a page.
type Passage struct {
	Line int    // where it begins
	Info string // what stands behind the fence, such as "sh run"
	Text string // without the indentation of a block that stands in a list
}

// Passages returns the fenced blocks of a page.
func Passages(page string) ([]Passage, error) {
	data, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var list []Passage
	var open *Passage
	indent := ""
	for i, line := range strings.Split(string(data), "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case !strings.HasPrefix(bare, "```"):
			if open != nil {
				open.Text += strings.TrimPrefix(line, indent) + "\n"
			}
		case open == nil:
			indent = line[:len(line)-len(bare)]
			open = &Passage{Line: i + 1, Info: strings.TrimSpace(strings.TrimPrefix(bare, "```"))}
		default:
			list = append(list, *open)
			open = nil
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block is never closed", page, open.Line)
	}
	return list, nil
}

// separator is printed before the commands of each block.
const separator = "--- the block of line %d"

// Script returns the page's commands as one script of bash, and whether there are any. What the page starts in the
// background ends with it.
func Script(blocks []Passage) (script string, runs bool) {
	var b strings.Builder
	b.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n")
	for _, block := range blocks {
		if block.Info == "sh run" {
			runs = true
			fmt.Fprintf(&b, "echo '"+separator+"'\n%s", block.Line, block.Text)
		}
	}
	return b.String(), runs
}

// Missing returns the lines that the page announces and the script did not print.
func Missing(blocks []Passage, printed string) []string {
	var missing []string
	for i, block := range blocks {
		if block.Info != "text" || i == 0 || blocks[i-1].Info != "sh run" {
			continue
		}
		_, part, found := strings.Cut(printed, fmt.Sprintf(separator, blocks[i-1].Line)+"\n")
		if !found {
			missing = append(missing, fmt.Sprintf("line %d: the block did not run", blocks[i-1].Line))
		}
		part, _, _ = strings.Cut(part, "--- the block of line ")
		for want := range strings.Lines(block.Text) {
			if want = strings.TrimSpace(want); !expectation(want).MatchString(part) {
				missing = append(missing, fmt.Sprintf("line %d: %s", block.Line, want))
			}
		}
	}
	return missing
}

// expectation matches a line of a guide, in which "..." stands for what differs and blanks for the columns of a table.
func expectation(line string) *regexp.Regexp {
	var parts []string
	for part := range strings.SplitSeq(line, "...") {
		parts = append(parts, regexp.MustCompile(` +`).ReplaceAllString(regexp.QuoteMeta(part), " +"))
	}
	return regexp.MustCompile("(?m)^" + strings.Join(parts, ".*") + "$")
}

// Furnish makes the folder in which the commands run: two recordings in calls/, the one that is named and another of the
// same length.
func Furnish(dir, recording string) error {
	meeting, err := os.ReadFile(recording)
	if err != nil {
		return err
	}
	calls := filepath.Join(dir, "calls")
	if err := os.Mkdir(calls, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(calls, "meeting.wav"), meeting, 0o600); err != nil {
		return err
	}
	meeting[len(meeting)-1] ^= 1
	return os.WriteFile(filepath.Join(calls, "standup.wav"), meeting, 0o600)
}
