package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// formats are the extensions that the service documents.
var formats = []string{".mp3", ".wav", ".flac", ".m4a", ".aac", ".ogg", ".mp4", ".mov", ".avi", ".mkv", ".webm"}

const standardInput = "-"

// expand turns arguments into recordings: files as they are, directories into
// the recordings below them, and patterns that the shell left alone into what
// they match. The order is that of the arguments, and of the names within a
// directory; none comes twice.
func expand(args []string) ([]string, error) {
	x := expansion{seen: make(map[string]bool)}
	for _, arg := range args {
		if err := x.argument(arg); err != nil {
			return nil, usage("%w", err)
		}
	}
	return x.paths, nil
}

type expansion struct {
	paths []string
	seen  map[string]bool // by absolute path
}

func (x *expansion) argument(arg string) error {
	if arg == standardInput {
		x.add(arg)
		return nil
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil:
		return x.existing(arg, info)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !strings.ContainsAny(arg, "*?["):
		return usage("%s: no such file or directory", arg)
	}
	matches, err := filepath.Glob(arg)
	if err != nil {
		return usage("%s: %w", arg, err)
	}
	if len(matches) == 0 {
		return usage("%s: matches no file", arg)
	}
	for _, match := range matches {
		info, err := os.Stat(match)
		if err != nil {
			return err
		}
		if err := x.existing(match, info); err != nil {
			return err
		}
	}
	return nil
}

func (x *expansion) existing(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return x.directory(path)
	case info.Mode().IsRegular():
		x.add(path)
		return nil
	}
	return usage("%s: is no regular file; to read a pipe, pass it as standard input with -", path)
}

// directory adds the recordings below a directory, but for hidden ones.
func (x *expansion) directory(root string) error {
	count := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != root && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() || !slices.Contains(formats, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		info, err := os.Stat(path) // follows a link to a recording
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		count++
		x.add(path)
		return nil
	})
	if err == nil && count == 0 {
		return usage("%s: holds no recording (%s)", root, strings.ReplaceAll(strings.Join(formats, " "), ".", ""))
	}
	return err
}

func (x *expansion) add(path string) {
	name := path
	if path != standardInput {
		if abs, err := filepath.Abs(path); err == nil {
			name = abs
		}
	}
	if !x.seen[name] {
		x.seen[name] = true
		x.paths = append(x.paths, path)
	}
}
