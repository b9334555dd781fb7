package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// manifest is what a ledger does not know: which file a recording was, under
// which key the ledger has it, and what its transcript is called. It lives
// beside the ledger, and is changed only by who has that open.
//
// The file holds a line that names the version, and then a line for each change
// of an entry; the last line about an entry is what it is. So a change costs one
// short write, however many entries there are.
type manifest struct {
	path    string
	entries []*entry
	byPath  map[string][]*entry
	byKey   map[string][]*entry // by the ledger's key
	bySum   map[string][]*entry
	stems   map[string]bool // taken, with their directory

	urls map[string]string // the whole URLs of recordings that are named by less
	kept map[string]string // those in their file

	dir     string         // in which it was written
	lines   int            // in the file
	hashes  map[int]uint64 // of each entry's last line there
	whole   bool           // the next write writes all of it
	journal *os.File
}

type manifestHead struct {
	Version int      `json:"version"`
	Dir     pathText `json:"dir,omitempty"`     // of the manifest, when it was written
	Entries []*entry `json:"entries,omitempty"` // of version 1, which had no further lines
}

const (
	manifestVersion   = 2
	manifestExtension = ".files"
)

// openManifest reads the manifest beside a ledger, for a run that writes to out.
// With own, ledger and manifest lie in out, and move with it.
func openManifest(ledger, out string, own bool) (*manifest, error) {
	m, err := readManifest(ledger)
	if err != nil {
		return nil, err
	}
	if own {
		m.relocate(out)
	}
	return m, nil
}

func readManifest(ledger string) (*manifest, error) {
	m := &manifest{path: ledger + manifestExtension, byPath: make(map[string][]*entry), byKey: make(map[string][]*entry), bySum: make(map[string][]*entry), stems: make(map[string]bool), hashes: make(map[int]uint64)}
	if err := m.readURLs(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(m.path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		m.whole = true
		return m, nil
	}
	if err == nil {
		err = m.decode(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	return m, nil
}

func (m *manifest) decode(data []byte) error {
	var head manifestHead
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	if err := json.Unmarshal(data, &head); err == nil {
		rest = nil // one document, of version 1 or without entries
	} else if err := json.Unmarshal(first, &head); err != nil {
		return err
	}
	if head.Version < 1 || head.Version > manifestVersion {
		return fmt.Errorf("written by another version of this program (%d)", head.Version)
	}
	m.dir, m.whole = string(head.Dir), head.Version != manifestVersion
	latest := make(map[int]*entry)
	for i, e := range head.Entries {
		e.N = i + 1
		latest[e.N] = e
	}
	for line := range bytes.Lines(rest) {
		e := new(entry)
		if !bytes.HasSuffix(line, []byte("\n")) {
			m.whole = true // it was cut off while it was written
			break
		}
		if err := json.Unmarshal(line, e); err != nil {
			return err
		}
		m.lines++
		m.hashes[e.N] = lineHash(line)
		latest[e.N] = e
	}
	for _, e := range latest {
		m.entries = append(m.entries, e)
	}
	slices.SortFunc(m.entries, func(a, b *entry) int { return a.N - b.N })
	for _, e := range m.entries {
		m.index(e)
	}
	return nil
}

// relocate finds an output folder again that was moved or copied: what was said
// of its old place holds for the new one, and so it does for recordings that
// were moved with it.
func (m *manifest) relocate(out string) {
	from := m.dir
	if from == "" { // version 1 did not say where it was written
		for _, e := range m.entries {
			if from != "" && string(e.Out) != from {
				return
			}
			from = string(e.Out)
		}
	}
	if from == "" || from == out {
		return
	}
	to := out
	for filepath.Base(from) == filepath.Base(to) && filepath.Dir(from) != from && filepath.Dir(to) != to {
		from, to = filepath.Dir(from), filepath.Dir(to)
	}
	m.whole = true
	m.stems = make(map[string]bool)
	for _, e := range m.entries {
		e.Out = pathText(rebase(string(e.Out), from, to))
		if moved := rebase(string(e.Path), from, to); moved != string(e.Path) && (e.Spooled || exists(moved)) {
			e.Path = pathText(moved) // and it is still known by its old path
			m.byPath[moved] = append(m.byPath[moved], e)
		}
		if moved := rebase(string(e.Spool), from, to); e.Spool != "" && exists(moved) {
			e.Spool = pathText(moved)
		}
		m.stems[e.place(e.Stem)] = true
	}
}

// move notes that a recording lies in another place now.
func (m *manifest) move(e *entry, path string) {
	e.Path = pathText(path)
	m.byPath[path] = append(m.byPath[path], e)
}

// rebase moves a path from below one directory to below another.
func rebase(path, from, to string) string {
	rel, err := filepath.Rel(from, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return filepath.Join(to, rel)
}

// save makes entries durable, those of them that have changed.
func (m *manifest) save(list ...*entry) error {
	if m.whole || m.lines > 2*len(m.entries)+1000 {
		return m.saveAll()
	}
	text, err := m.encode(list)
	if err != nil || len(text) == 0 {
		return err
	}
	if m.journal == nil {
		if m.journal, err = os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
			return err
		}
	}
	if _, err := m.journal.Write(text); err != nil {
		m.whole = true // a part of it may be there
		return fmt.Errorf("%s: %w", m.path, err)
	}
	return m.journal.Sync()
}

func (m *manifest) saveAll() error {
	m.close()
	dir, err := filepath.Abs(filepath.Dir(m.path))
	if err != nil {
		return err
	}
	head, err := json.Marshal(manifestHead{Version: manifestVersion, Dir: pathText(dir)})
	if err != nil {
		return err
	}
	m.hashes, m.lines = make(map[int]uint64), 0
	text, err := m.encode(slices.DeleteFunc(slices.Clone(m.entries), func(e *entry) bool { return e.Gone }))
	if err != nil {
		return err
	}
	err = writeFile(m.path, func(w io.Writer) error {
		_, err := w.Write(slices.Concat(head, []byte("\n"), text))
		return err
	})
	m.dir, m.whole = dir, err != nil
	return err
}

// encode returns the lines of those entries that are not in the file as they are.
func (m *manifest) encode(list []*entry) ([]byte, error) {
	var all, line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	for _, e := range list {
		line.Reset()
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
		hash := lineHash(line.Bytes())
		if last, written := m.hashes[e.N]; written && last == hash {
			continue
		}
		m.hashes[e.N] = hash
		m.lines++
		all.Write(line.Bytes())
	}
	return all.Bytes(), nil
}

func lineHash(line []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(line) // never fails
	return h.Sum64()
}

func (m *manifest) close() {
	if m.journal != nil {
		_ = m.journal.Close() // every write was synced
		m.journal = nil
	}
}

// pathText is a path in JSON. One that is not UTF-8 is kept to the byte.
type pathText string

// MarshalJSON writes a string, or the bytes in base64.
func (p pathText) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(p)) {
		return json.Marshal(string(p))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(p))})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *pathText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*p = pathText(text)
		return nil
	}
	var coded struct {
		Bytes []byte `json:"base64"`
	}
	err := json.Unmarshal(data, &coded)
	*p = pathText(coded.Bytes)
	return err
}
