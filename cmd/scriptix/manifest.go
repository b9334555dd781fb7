package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifest is what a ledger does not know: which file a recording was, and what
// its transcript is called. It lives beside the ledger, and is changed only by
// who has that open.
type manifest struct {
	Version int      `json:"version"`
	Entries []*entry `json:"entries"`

	path   string
	byPath map[string][]*entry
	stems  map[string]bool // taken, with their directory
}

// entry is one recording that is transcribed in one way.
type entry struct {
	Path    string   `json:"path"` // absolute
	Params  params   `json:"params"`
	Out     string   `json:"out"`     // absolute directory
	Stem    string   `json:"stem"`    // name of its outputs without extension
	Formats []string `json:"formats"` //
	Done    bool     `json:"done,omitempty"`
	Spooled bool     `json:"spooled,omitempty"` // Path is ours, and removed when it is done

	shown string // as the user named it
	size  int64
}

const (
	manifestVersion = 1
	maxStem         = 200 // bytes; a file name has 255, and a number and an extension follow
)

func openManifest(ledger string) (*manifest, error) {
	m := &manifest{Version: manifestVersion, path: ledger + ".files", byPath: make(map[string][]*entry), stems: make(map[string]bool)}
	data, err := os.ReadFile(m.path)
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err == nil && m.Version != manifestVersion {
		err = fmt.Errorf("written by another version of this program (%d)", m.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	for _, e := range m.Entries {
		m.index(e)
	}
	return m, nil
}

func (m *manifest) save() error {
	return writeFile(m.path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(m)
	})
}

// add returns the entry of a recording: that of an earlier run in which it was
// transcribed in the same way, or a new one.
func (m *manifest) add(path string, p params, out string, formats []string, spooled bool) *entry {
	for _, e := range m.byPath[path] {
		if e.Params == p && e.Out == out {
			e.Formats, e.Done = slices.Clone(formats), false
			return e
		}
	}
	e := &entry{Path: path, Params: p, Out: out, Formats: slices.Clone(formats), Spooled: spooled, shown: path}
	e.Stem = m.stem(e)
	m.Entries = append(m.Entries, e)
	m.index(e)
	return e
}

// open returns what has not been done yet.
func (m *manifest) open() []*entry {
	var list []*entry
	for _, e := range m.Entries {
		if !e.Done {
			list = append(list, e)
		}
	}
	return list
}

func (m *manifest) index(e *entry) {
	m.byPath[e.Path] = append(m.byPath[e.Path], e)
	m.stems[filepath.Join(e.Out, strings.ToLower(e.Stem))] = true
	e.shown = shorten(e.Path)
}

// stem names an entry's outputs after its recording, and numbers the name where
// another recording, or a file that is not ours, has it.
func (m *manifest) stem(e *entry) string {
	base := filepath.Base(e.Path)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if e.Spooled {
		base = "stdin"
	}
	if base == "" {
		base = "recording"
	}
	base = strings.ToValidUTF8(base[:min(len(base), maxStem)], "")
	for n := 1; ; n++ {
		stem := base
		if n > 1 {
			stem = fmt.Sprintf("%s-%d", base, n)
		}
		if !m.stems[filepath.Join(e.Out, strings.ToLower(stem))] && !slices.ContainsFunc(e.outputs(stem), exists) {
			return stem
		}
	}
}

// outputs are the files that an entry is written to.
func (e *entry) outputs(stem string) []string {
	var list []string
	for _, format := range e.Formats {
		list = append(list, filepath.Join(e.Out, stem+"."+format))
	}
	return list
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
