package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesOfAList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"one a line":                        {"a.wav\nb.wav\n", []string{"a.wav", "b.wav"}},
		"the last line need not end":        {"a.wav\nb.wav", []string{"a.wav", "b.wav"}},
		"blank lines are skipped":           {"\n\n  \t\na.wav\n\n", []string{"a.wav"}},
		"blanks belong to a name":           {" a .wav \n", []string{" a .wav "}},
		"lines of Windows":                  {"\ufeffa.wav\r\n\r\nb.wav\r\n", []string{"a.wav", "b.wav"}},
		"bytes that are no UTF-8":           {"caf\xe9.wav\n", []string{"caf\xe9.wav"}},
		"one NUL anywhere makes all of it":  {"a\nb.wav\x00c.wav", []string{"a\nb.wav", "c.wav"}},
		"NULs in a row are one":             {"\x00a\r\x00\x00 \x00", []string{"a\r", " "}},
		"a name as long as any system's is": {strings.Repeat("x", longestName), []string{strings.Repeat("x", longestName)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names, err := splitNames("list", []byte(c.data))
			require.NoError(t, err)
			assert.Equal(t, c.want, names)
		})
	}
}

func TestWhatIsNoListOfNamesIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, want string }{
		"empty":          {"", "list: names no file"},
		"blank":          {"\r\n \n", "list: names no file"},
		"UTF-16":         {"\xff\xfea\x00", "list: is UTF-16; write it as UTF-8"},
		"a long line":    {"a\n" + strings.Repeat("x", longestName+1), "list: name 2 has 32769 bytes, so it is no list of names"},
		"too many names": {strings.Repeat("a\n", mostNames+1), "list: names more than 1000000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := splitNames("list", []byte(c.data))
			require.EqualError(t, err, c.want)
		})
	}
}
