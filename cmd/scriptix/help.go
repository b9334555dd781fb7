package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// helpCmd stands in the list of commands; asCommand turns it into the flag.
type helpCmd struct {
	Command string `arg:"" optional:"" help:"The command."`
}

// Help shows how it is used.
func (*helpCmd) Help() string {
	return `Examples:
  scriptix help
  scriptix help transcribe`
}

// Run says what is wrong with the call: a right one does not get here.
func (c *helpCmd) Run() error { return usage("help takes the name of a command; see scriptix --help") }

// narrow is the width below which two columns are not readable.
const narrow = 64

// help prints help in the width of the terminal, in one column where that is
// narrow.
func (e *env) help(options kong.HelpOptions, parsed *kong.Context) error {
	if width := e.width(); width > 0 && width < narrow {
		_, err := fmt.Fprintln(e.stdout, strings.Join(narrowHelp(parsed, width), "\n"))
		return err
	}
	if o, ok := e.stdout.(out); ok {
		parsed.Stdout = o.Writer // of which kong finds out the width
	}
	return kong.DefaultHelpPrinter(options, parsed)
}

// narrowHelp is help in lines of that width at most.
func narrowHelp(parsed *kong.Context, width int) []string {
	var lines []string
	add := func(indent int, text string) {
		for _, line := range wrapped(text, width-indent, 100) {
			lines = append(lines, strings.Repeat(" ", indent)+line)
		}
	}
	node := parsed.Selected()
	if node == nil {
		add(0, "Usage: "+parsed.Model.Name+" <command> [flags]")
		lines = append(lines, "")
		add(0, parsed.Model.Help)
		for _, leaf := range parsed.Model.Leaves(true) {
			lines = append(lines, "", "  "+leaf.Name)
			add(4, leaf.Help)
		}
		return append(lines, "", "scriptix help COMMAND tells more.")
	}
	add(0, "Usage: "+parsed.Model.Name+" "+node.Summary())
	lines = append(lines, "")
	add(0, node.Help)
	text, examples, _ := strings.Cut(node.Detail, "Examples:\n")
	for paragraph := range strings.Lines(text) {
		add(0, paragraph)
	}
	lines = append(lines, "", "Examples:")
	for example := range strings.Lines(examples) {
		lines = append(lines, "  "+strings.TrimSpace(example)) // to be copied: it is not broken
	}
	for _, arg := range node.Positional {
		lines = append(lines, "", "  "+arg.Summary())
		add(4, arg.Help)
	}
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			name := "--" + flag.Name
			if flag.Short != 0 {
				name = "-" + string(flag.Short) + ", " + name
			}
			if !flag.IsBool() {
				name += "=" + flag.FormatPlaceHolder()
			}
			lines = append(lines, "", "  "+name)
			add(4, flag.Help)
		}
	}
	return lines
}
