package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// nightRoot is the directory in which testdata/night was made: its manifest holds absolute paths.
const nightRoot = "/srv/night"

// night DIR [ROOT] copies testdata/night to DIR: recordings and an output folder as the first version of the program left
// them. Its manifest then says that all of it was made in DIR, or in ROOT, from where it has been moved to DIR.
func night(ts *testscript.TestScript, _ bool, args []string) {
	to := ts.MkAbs(args[0])
	root := to
	if len(args) > 1 {
		root = args[1]
	}
	from := stageOf(ts).night
	ts.Check(filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".files") {
			data = []byte(strings.ReplaceAll(string(data), nightRoot, root))
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	}))
}

// readme FILE writes the commands of the README's section about the command line to a file, and then the end of the fake
// service that they start.
func readme(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join(stageOf(ts).night, "..", "..", "..", "..", "README.md"))
	ts.Check(err)
	_, section, found := strings.Cut(string(text), "\n## The command line\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, begun := strings.Cut(section, "```sh\n")
	block, _, ended := strings.Cut(block, "```\n")
	if !found || !begun || !ended {
		ts.Fatalf("the README has no commands in its section about the command line")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(block+"kill $!\nwait\n"), 0o600))
}

// source FILE takes the variables that a file exports.
func source(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if !ok {
			ts.Fatalf("%s: %q is no variable", args[0], line)
		}
		ts.Setenv(name, value)
	}
}
