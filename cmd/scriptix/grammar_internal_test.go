package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answer is what the parser says to a call: help, what it understood, or what is wrong.
func answer(t *testing.T, args []string, options ...kong.Option) (string, *commands) {
	t.Helper()
	var out bytes.Buffer
	all := new(commands)
	options = append(options, kong.Exit(func(int) { out.WriteString("exit\n") }))
	parser, err := newParser(t.Context(), &env{stdout: &out, stderr: &out}, all, options...)
	require.NoError(t, err)
	parsed, err := parser.Parse(args)
	if err != nil {
		return out.String() + parseError(err).Error(), all
	}
	return out.String() + parsed.Command() + fmt.Sprint(parsed.Args), all
}

// valueOf returns what was read for a command; those that were not asked for hold defaults at most.
func valueOf(all *commands, command string) any {
	return reflect.ValueOf(all).Elem().FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, command) }).Interface()
}

func TestACommandIsUnderstoodTheSameWhetherOrNotTheOthersAreKnown(t *testing.T) {
	t.Parallel()
	parser, err := newParser(t.Context(), new(env), new(commands))
	require.NoError(t, err)
	for _, node := range parser.Model.Children {
		for _, rest := range [][]string{
			{}, {"--help"}, {"-q"}, {"--quiet", "a"}, {"a"}, {"a", "b", "c"}, {"--no-such-flag"}, {"--languge", "en"}, {"--", "-x"}, {"--base-url"}, {"transcribe"}, {"--plan", "lead", "a"},
		} {
			args := append([]string{node.Name}, rest...)
			narrowed, got := answer(t, args, grammar(args)...)
			want, all := answer(t, args)
			assert.Equal(t, want, narrowed, "%q", args)
			assert.Equal(t, valueOf(all, node.Name), valueOf(got, node.Name), "%q", args)
			assert.Equal(t, all.Quiet, got.Quiet, "%q", args)
		}
	}
}

func TestWithoutACommandInFrontTheParserKnowsAllOfThem(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}, {"-q", "version"}, {"--quiet", "jobs"}, {"transcibe", "a.wav"}, {"Jobs"}, {"completion", "bash"}, {"man"}, {"help", "a", "b"}, {""}} {
		assert.Empty(t, grammar(args), "%q", args)
	}
	assert.Len(t, grammar([]string{"version"}), 1)
}
