package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// whole are the commands that print something about all of them.
var whole = []string{"Completion", "Man", "Help"}

// grammar narrows the parser to the command that the arguments begin with. Reading the flags of all commands out of
// their structs takes most of the time in which the program starts. Where the first argument is no command the parser
// knows all of them, as help and the message about a wrong word need.
func grammar(args []string) []kong.Option {
	if len(args) == 0 {
		return nil
	}
	var others []string
	chosen := false
	for field := range reflect.TypeFor[commands]().Fields() {
		_, command := field.Tag.Lookup("cmd")
		switch {
		case !command:
		case strings.ToLower(field.Name) != args[0]:
			others = append(others, field.Name)
		default:
			chosen = !slices.Contains(whole, field.Name)
		}
	}
	if !chosen {
		return nil
	}
	return []kong.Option{kong.IgnoreFields(`^commands\.(` + strings.Join(others, "|") + `)$`)}
}
