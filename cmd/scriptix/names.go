package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
)

// fileList is a flag for names that do not fit on a command line, or that
// another program finds.
type fileList struct {
	FilesFrom string `name:"files-from" placeholder:"FILE" help:"Take names from a file too, one a line, or separated by NULs where there is one; - is standard input."`
}

// Limits of a list: a million recordings with long names fit, and a recording
// that was named in place of its list is noticed before it fills the memory.
const (
	mostListed  = 128 << 20
	mostNames   = 1_000_000
	longestName = 32 << 10 // longer than any system's paths
)

// names reads the list; nil without the flag. The positional names are looked at
// because standard input cannot be a list and a recording.
func (f *fileList) names(ctx context.Context, e *env, positional []string) ([]string, error) {
	if f.FilesFrom == "" {
		return nil, nil
	}
	if isURL(f.FilesFrom) {
		return nil, usage("--files-from %s: want a file, or - for standard input", withoutQuery(f.FilesFrom))
	}
	what := "--files-from " + oneLine(f.FilesFrom)
	r := e.stdin
	if f.FilesFrom != standardInput {
		file, err := os.Open(f.FilesFrom)
		if err != nil {
			return nil, usage("--files-from %w", err)
		}
		defer func() { _ = file.Close() }() // was only read
		r = file
	} else if slices.Contains(positional, standardInput) {
		return nil, usage("%s: standard input cannot be a recording as well", what)
	}
	data, err := io.ReadAll(io.LimitReader(untilDone{ctx, r}, mostListed+1))
	switch {
	case ctx.Err() != nil:
		return nil, interrupted("interrupted while %s was read; nothing was sent", what)
	case err != nil:
		return nil, usage("%s: %w", what, err)
	case len(data) > mostListed:
		return nil, usage("%s: is larger than %d MiB, so it is no list of names", what, mostListed>>20)
	}
	return splitNames(what, data)
}

// splitNames separates names. A name is bytes: it need not be UTF-8.
func splitNames(what string, data []byte) ([]string, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, usage("%s: is UTF-16; write it as UTF-8", what)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	separator := byte('\n')
	lines := bytes.IndexByte(data, 0) < 0
	if !lines {
		separator = 0
	}
	var names []string
	for number := 1; len(data) > 0; number++ {
		name, rest, _ := bytes.Cut(data, []byte{separator})
		data = rest
		if lines {
			name = bytes.TrimSuffix(name, []byte("\r"))
		}
		if len(name) == 0 || lines && len(bytes.TrimSpace(name)) == 0 {
			continue
		}
		if len(name) > longestName {
			return nil, usage("%s: name %d has %d bytes, so it is no list of names", what, number, len(name))
		}
		if len(names) == mostNames {
			return nil, usage("%s: names more than %d files", what, mostNames)
		}
		names = append(names, string(name))
	}
	if len(names) == 0 {
		return nil, usage("%s: names no file", what)
	}
	return names, nil
}

// list adds the recordings that a list names. Each character of a name stands for
// itself. What cannot be read stops nothing, because a list may be older than
// the files that it names.
func (x *inputs) list(names []string) {
	for _, name := range names {
		if name == standardInput {
			name = "./" + name // a file of that name, as find prints it
		}
		if isURL(name) {
			if err := x.url(name); err != nil {
				why, _ := strings.CutPrefix(err.Error(), withoutQuery(name)+": ")
				x.bad = append(x.bad, badEntry{withoutQuery(name), why})
			}
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			x.bad = append(x.bad, badEntry{name, absent(err)})
		case info.IsDir():
			x.directory(name)
		case info.Mode().IsRegular():
			x.file(name, "", info)
		default:
			x.bad = append(x.bad, badEntry{name, "is no regular file"})
		}
	}
}
