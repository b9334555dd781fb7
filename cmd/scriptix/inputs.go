package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// formats are the extensions of what is taken from a directory: those that the
// service documents, and others that it is known to read.
var formats = audio.Extensions()

const standardInput = "-"

// recording is a file that was named, or found below a directory that was.
type recording struct {
	path    string  // absolute; of a URL what names it
	shown   string  // as the user would name it
	dir     string  // where it lay below the directory that was named; "" directly in it
	spooled bool    // a copy of standard input
	remote  *remote // nil for a file

	entry *entry // its entry, where that is known before it is looked at
	owed  bool   // it is done, and a program is still to be run for it
}

// inputs is what arguments stand for.
type inputs struct {
	recordings []recording
	bad        []badEntry        // what cannot be read, or holds nothing
	leftOut    map[string]string // absolute paths of files, and their extensions

	include []string
	seen    map[string]bool   // by absolute path
	tokens  map[string]string // of URLs, by what names them
}

// badEntry is something in a tree that is no recording, though it looks like one.
type badEntry struct{ path, why string }

// expand turns arguments into recordings: files as they are, directories into
// the recordings below them, and patterns that the shell left alone into what
// they match. The order is that of the arguments, and of the names within a
// directory; none comes twice. Patterns of include take further files from
// directories. What listed names, from a file, comes after them.
func expand(args, listed, include []string) (*inputs, error) {
	x, err := includes(include)
	if err != nil {
		return nil, err
	}
	for _, arg := range args {
		if err := x.argument(arg); err != nil {
			return nil, usage("%w", err)
		}
	}
	x.list(listed)
	if len(x.recordings) == 0 {
		return nil, usage("%s", strings.Join(append([]string{x.nothing(slices.Concat(args, listed))}, x.problems()...), "; "))
	}
	return x, nil
}

// includes makes inputs that hold nothing yet.
func includes(include []string) (*inputs, error) {
	for _, pattern := range include {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return nil, usage("--include %s: %w", pattern, err)
		}
	}
	return &inputs{leftOut: make(map[string]string), include: include, seen: make(map[string]bool), tokens: make(map[string]string)}, nil
}

func (x *inputs) nothing(args []string) string {
	verb := "holds"
	if len(args) > 1 {
		verb = "hold"
	}
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = shownName(arg)
	}
	return fmt.Sprintf("%s: %s no recording (%s)", named(shown), verb, strings.ReplaceAll(strings.Join(formats, " "), ".", ""))
}

func (x *inputs) argument(arg string) error {
	if arg == standardInput {
		x.add(arg, "")
		return nil
	}
	if isURL(arg) {
		return x.url(arg)
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
			x.bad = append(x.bad, badEntry{match, reason(err)})
			continue
		}
		if err := x.existing(match, info); err != nil {
			return err
		}
	}
	return nil
}

func (x *inputs) existing(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		x.directory(path)
		return nil
	case info.Mode().IsRegular():
		x.file(path, "", info)
		return nil
	}
	return usage("%s: is no regular file; to read a pipe, pass it as standard input with -", path)
}

// directory adds the recordings below a directory. What cannot be read stops
// nothing.
func (x *inputs) directory(root string) {
	walk(root, func(path string, err error) error {
		if err != nil {
			x.bad = append(x.bad, badEntry{path, reason(err)})
			return nil
		}
		x.found(root, path)
		return nil
	})
}

// walk visits the files below a directory, and what of it cannot be read. Hidden
// ones are left alone.
func walk(root string, visit func(path string, err error) error) {
	if info, err := os.Lstat(root); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // a link that was named is followed
	}
	_ = filepath.WalkDir(root, func(path string, item fs.DirEntry, err error) error { // visit keeps every error
		if err != nil {
			return visit(path, err)
		}
		if path != root && strings.HasPrefix(item.Name(), ".") {
			if item.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if item.IsDir() {
			return nil
		}
		return visit(path, nil)
	})
}

// regular looks at a file, through a link to it; why says what it is instead of a
// recording.
func regular(path string) (info fs.FileInfo, why string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return nil, "is a link that leads nowhere"
	case err != nil:
		return nil, absent(err)
	case !info.Mode().IsRegular():
		return nil, "is no regular file"
	}
	return info, ""
}

// found looks at a file of a directory.
func (x *inputs) found(root, path string) {
	if !x.wanted(path) {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		x.leftOut[path] = cmp.Or(strings.ToLower(filepath.Ext(path)), "without extension")
		return
	}
	info, why := regular(path)
	if why != "" {
		x.bad = append(x.bad, badEntry{path, why})
		return
	}
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil || dir == "." {
		dir = ""
	}
	x.file(path, dir, info)
}

func (x *inputs) wanted(path string) bool {
	if slices.Contains(formats, strings.ToLower(filepath.Ext(path))) {
		return true
	}
	name := filepath.Base(path)
	return slices.ContainsFunc(x.include, func(pattern string) bool {
		matches, _ := filepath.Match(strings.ToLower(pattern), strings.ToLower(name)) // checked before
		return matches
	})
}

// file adds a recording, unless it has no content: that would be billed at some
// services and refused at others.
func (x *inputs) file(path, dir string, info fs.FileInfo) {
	if info.Size() == 0 {
		x.bad = append(x.bad, badEntry{path, "is empty"})
		return
	}
	x.add(path, strings.ToValidUTF8(dir, ""))
}

// url adds the recording behind a URL.
func (x *inputs) url(raw string) error {
	public, r, err := parseURL(raw)
	switch {
	case err != nil:
		return err
	case !x.seen[public]:
		x.seen[public], x.tokens[public] = true, r.token
		x.recordings = append(x.recordings, recording{path: public, shown: public, remote: r})
	case x.tokens[public] != r.token:
		x.bad = append(x.bad, badEntry{public, "is named with another token as well; if that leads to another recording, name it in a run of its own, into another folder"})
	}
	return nil
}

func (x *inputs) add(path, dir string) {
	name := path
	if path != standardInput {
		if abs, err := filepath.Abs(path); err == nil {
			name = abs
		}
	}
	if !x.seen[name] {
		x.seen[name] = true
		x.recordings = append(x.recordings, recording{path: name, shown: path, dir: dir, spooled: path == standardInput})
	}
}

// problems returns what is wrong with the trees and what was left out of them.
func (x *inputs) problems() []string {
	lines := x.badLines()
	if text := x.left(); text != "" {
		lines = append(lines, text)
	}
	return lines
}

// badLines returns a line for each cause for which something is no recording.
func (x *inputs) badLines() []string {
	byCause := make(map[string][]string)
	for _, b := range x.bad {
		byCause[b.why] = append(byCause[b.why], b.path)
	}
	var lines []string
	for _, why := range slices.Sorted(maps.Keys(byCause)) {
		lines = append(lines, several(byCause[why], "files")+": "+plural(why, len(byCause[why])))
	}
	return lines
}

// plural makes a cause that was said of one file one of several.
func plural(why string, n int) string {
	if n == 1 {
		return why
	}
	if rest, ok := strings.CutPrefix(why, "is a link that leads"); ok {
		return "are links that lead" + rest
	}
	if rest, ok := strings.CutPrefix(why, "is no regular file"); ok {
		return "are no regular files" + rest
	}
	if rest, ok := strings.CutPrefix(why, "is "); ok {
		return "are " + rest
	}
	return why
}

// know takes the transcripts of a manifest for what they are: nobody misses them
// among the recordings.
func (x *inputs) know(files *manifest) {
	for _, e := range files.entries {
		for _, format := range formatNames {
			delete(x.leftOut, filepath.Join(string(e.Out), e.Dir, e.Stem+"."+format))
		}
		delete(x.leftOut, filepath.Join(string(e.Out), e.Dir, e.Stem+namesExtension))
	}
}

// left counts the files that were left out for their extension, and says how
// they are taken.
func (x *inputs) left() string {
	if len(x.leftOut) == 0 {
		return ""
	}
	counts := make(map[string]int)
	for _, kind := range x.leftOut {
		counts[kind]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	var parts []string
	for i, kind := range kinds {
		if i == 6 && len(kinds) > 7 {
			parts = append(parts, fmt.Sprintf("and %d other kinds", len(kinds)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], oneLine(kind)))
	}
	pattern := "*" + kinds[0]
	if kinds[0] == "without extension" {
		pattern = "*"
	}
	return fmt.Sprintf("left out: %s; --include %s takes them", strings.Join(parts, ", "), quoted(pattern))
}

// several names one thing, or counts many and names the first of them.
func several(names []string, what string) string {
	if len(names) == 1 {
		return oneLine(names[0])
	}
	return fmt.Sprintf("%d %s (%s)", len(names), what, named(names))
}

// named is a list of names, of which the first stand for all when there are many.
func named(names []string) string {
	if len(names) <= 3 {
		return oneLine(strings.Join(names, ", "))
	}
	return fmt.Sprintf("%s and %d more", oneLine(strings.Join(names[:2], ", ")), len(names)-2)
}

// absent is why a file that was named cannot be used, without its name.
func absent(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "is not there"
	}
	return reason(err)
}

// reason is why a file cannot be used, without its name.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "cannot be read: permission denied"
	case errors.Is(err, fs.ErrNotExist):
		return "is a link that leads nowhere"
	}
	return "cannot be read: " + err.Error()
}
