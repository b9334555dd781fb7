package main

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/muesli/roff"
)

// manCmd prints the manual page that a package puts in place. It is made of the
// commands and flags themselves, as help and completions are.
type manCmd struct{}

// Help says how to read it without installing it.
func (*manCmd) Help() string {
	return `Examples:
  scriptix man | man -l -
  scriptix man >/usr/local/share/man/man1/scriptix.1`
}

// Run prints the page in roff.
func (*manCmd) Run(e *env, app *kong.Kong) error {
	page := roff.NewDocument()
	page.Heading(1, app.Model.Name, "User Commands", buildTime())
	page.Section("Name")
	page.Text(app.Model.Name + " - transcribe recordings with Scriptix")
	page.Section("Synopsis")
	page.TextBold(app.Model.Name)
	page.Text(" COMMAND [options...] [argument...]")
	page.Section("Description")
	page.Text(app.Model.Help)
	for _, node := range app.Model.Leaves(true) {
		manCommand(page, node)
	}
	page.Section("Exit status")
	page.Text("0 when all is done, 1 when some of it failed, 2 when it was called wrongly, and 3 when it was interrupted and everything can be resumed.")
	return e.printf("%s\n", page.String())
}

// manCommand writes what one command does and the flags that are its own.
func manCommand(page *roff.Document, node *kong.Node) {
	page.Section(node.Summary())
	page.Text(node.Help)
	if node.Detail != "" {
		page.Paragraph()
		page.Text(node.Detail)
	}
	for _, flag := range node.Flags {
		if flag.Hidden {
			continue
		}
		page.TaggedParagraph(-1)
		name := flag.Summary()
		if flag.Short != 0 {
			name = "-" + string(flag.Short) + ", " + name
		}
		page.TextBold(name)
		page.EndSection()
		page.Text(strings.ReplaceAll(flag.Help, "\n", " "))
	}
}

// buildTime is that of the commit, so that a page built twice is the same page.
func buildTime() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if at, err := time.Parse(time.RFC3339, setting.Value); setting.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return time.Now()
}
