package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exampleLine finds the call of the program in a line of an example.
var exampleLine = regexp.MustCompile(`scriptix ([^|)>]*)`)

func TestEveryCommandShowsTwoExamplesThatItUnderstands(t *testing.T) {
	t.Parallel()
	e := &env{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	parser, err := newParser(t.Context(), e, new(commands))
	require.NoError(t, err)
	for _, node := range parser.Model.Leaves(true) {
		_, examples, found := strings.Cut(node.Detail, "Examples:\n")
		require.True(t, found, node.Name)
		lines := strings.Split(strings.TrimSpace(examples), "\n")
		assert.GreaterOrEqual(t, len(lines), 2, node.Name)
		for _, line := range lines {
			match := exampleLine.FindStringSubmatch(line)
			require.NotNil(t, match, line)
			parser, err := newParser(t.Context(), e, new(commands))
			require.NoError(t, err)
			args := asCommand(shellWords(match[1]))
			if args[len(args)-1] == "--help" {
				continue
			}
			parsed, err := parser.Parse(args)
			require.NoError(t, err, line)
			assert.Equal(t, strings.TrimPrefix(strings.Fields(node.FullPath())[1], "scriptix "), strings.Fields(parsed.Command())[0], line)
		}
	}
}

func TestHelpIsReadableInNarrowTerminals(t *testing.T) {
	t.Parallel()
	e := &env{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	for _, args := range [][]string{{}, {"transcribe"}, {"doctor"}} {
		parser, err := newParser(t.Context(), e, new(commands))
		require.NoError(t, err)
		parsed, err := kong.Trace(parser, args)
		require.NoError(t, err)
		lines := narrowHelp(parsed, 40)
		assert.Greater(t, len(lines), 20)
		for _, line := range lines {
			if !strings.HasPrefix(line, "  scriptix ") {
				assert.LessOrEqual(t, cells(line), 40, line)
			}
		}
	}
}

// shellWords splits a line at blanks, as a shell does; quotes keep them.
func shellWords(line string) []string {
	var quote rune
	words := strings.FieldsFunc(line, func(r rune) bool {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		}
		return r == ' ' && quote == 0
	})
	for i, word := range words {
		words[i] = strings.NewReplacer("'", "", `"`, "").Replace(word)
	}
	return words
}
