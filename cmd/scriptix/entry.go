package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

// entry is one recording that is transcribed in one way.
type entry struct {
	N       int      `json:"n"`    // numbers the entries of a manifest
	Path    pathText `json:"path"` // absolute; "" when only the ledger knows of the recording
	Params  params   `json:"params"`
	Out     pathText `json:"out"`           // absolute directory
	Dir     string   `json:"dir,omitempty"` // below Out, as the recording lay below what was named
	Stem    string   `json:"stem"`          // name of its outputs without extension
	Formats []string `json:"formats"`

	Subtitles string `json:"subtitles,omitempty"` // the limits of subtitles; "" for the usual ones

	Done    bool `json:"done,omitempty"`    // its files were written
	Spooled bool `json:"spooled,omitempty"` // Path is ours, and removed when it is done
	Gone    bool `json:"gone,omitempty"`    // it is no entry any more

	Key     string `json:"key,omitempty"`     // of content and parameters; "" until the content was read
	Sum     string `json:"sum,omitempty"`     // SHA-256 of the content
	Try     int    `json:"try,omitempty"`     // jobs that failed and were made anew: each is a record of its own
	Written string `json:"written,omitempty"` // the record whose transcript the files hold
	Size    int64  `json:"size,omitempty"`    // of the file when Key was made
	ModTime int64  `json:"mtime,omitempty"`   // and its time, in nanoseconds; 0 when that proves nothing

	digest  *scriptix.Digest // of what this run has read; nil if it has not
	Recipe  string           `json:"recipe,omitempty"`  // how what is sent was made of the recording; "" until that is decided
	Extract pathText         `json:"extract,omitempty"` // the file that is sent, where it is not the recording
	Spool   pathText         `json:"spool,omitempty"`   // a copy of what lies behind a URL, until it is done
	remote  *remote          // what lies there; nil before the server was asked

	shown  string // as the user named it
	size   int64
	length time.Duration
}

const maxStem = 200 // bytes; a file name has 255, and a number and an extension follow

// record returns the key under which the ledger has the entry.
func (e *entry) record() string {
	if e.Key == "" {
		return ""
	}
	key := e.Key + e.recipePart()
	if e.Try == 0 {
		return key
	}
	return fmt.Sprintf("%s-%d", key, e.Try+1)
}

// grain is how long after its last change a file's time proves nothing: the next
// change may fall into the same tick of the file system's clock.
const grain = 2 * time.Second

// stamp keeps what a file looked like when its content was read.
func (e *entry) stamp(c content) {
	if c.after == nil {
		e.digest, e.Size, e.ModTime = nil, c.size, 0 // the version is proved while it is read
		return
	}
	e.digest = &c.digest
	e.Size, e.ModTime = c.after.Size(), 0
	settled := time.Since(c.after.ModTime()) > grain
	if settled && c.before.Size() == c.after.Size() && c.before.ModTime().Equal(c.after.ModTime()) {
		e.ModTime = c.after.ModTime().UnixNano()
	}
}

// unchanged reports whether the file is known to have the content of Key.
func (e *entry) unchanged(info fs.FileInfo) bool {
	return e.Key != "" && e.ModTime != 0 && info != nil && info.Size() == e.Size && info.ModTime().UnixNano() == e.ModTime
}

// name is what the user calls the recording.
func (e *entry) name() string {
	if e.shown == "" {
		e.shown = shorten(string(e.Path))
	}
	return e.shown
}

// add makes the entry of a recording.
func (m *manifest) add(e *entry) *entry {
	e.N = 1
	if n := len(m.entries); n > 0 {
		e.N = m.entries[n-1].N + 1
	}
	e.Stem = m.stem(e)
	m.entries = append(m.entries, e)
	m.index(e)
	return e
}

// drop takes an entry out that came to nothing.
func (m *manifest) drop(e *entry) {
	e.Gone = true
	m.byPath[string(e.Path)] = slices.DeleteFunc(m.byPath[string(e.Path)], func(o *entry) bool { return o == e })
	delete(m.stems, e.place(e.Stem))
}

// of returns the entries of a recording whose transcripts go to out.
func (m *manifest) of(path, out string) []*entry {
	var list []*entry
	for _, e := range m.byPath[path] {
		if string(e.Out) == out && !e.Gone {
			list = append(list, e)
		}
	}
	return list
}

func (m *manifest) index(e *entry) {
	if e.Gone {
		return
	}
	m.byPath[string(e.Path)] = append(m.byPath[string(e.Path)], e)
	m.stems[e.place(e.Stem)] = true
	if e.Key != "" {
		m.byKey[e.record()] = append(m.byKey[e.record()], e)
		m.bySum[e.Sum] = append(m.bySum[e.Sum], e)
	}
}

// identify notes which content an entry is of.
func (m *manifest) identify(e *entry, key, sum string) {
	if e.Key == key && e.Sum == sum {
		return
	}
	if e.Key != "" && e.Key != key {
		if e.Done && e.Written == "" {
			e.Written = e.record() // its files hold that, and not what is to come
		}
		e.Try, e.Done = 0, false
	}
	e.Key, e.Sum = key, sum
	e.dropSound()
	e.Recipe = ""
	m.byKey[e.record()] = append(m.byKey[e.record()], e)
	m.bySum[sum] = append(m.bySum[sum], e)
}

// place is where a stem stands among all that are taken. Some file systems do
// not tell cases apart.
func (e *entry) place(stem string) string {
	return strings.ToLower(filepath.Join(string(e.Out), e.Dir, stem))
}

// stem names an entry's outputs after its recording, and numbers the name where
// another recording, or a file that is not ours, has it.
func (m *manifest) stem(e *entry) string {
	base := e.Stem // a wish
	if base == "" {
		base = e.base()
		base = strings.TrimSuffix(base, filepath.Ext(base))
	}
	if e.Spooled {
		base = "stdin"
	}
	base = strings.ToValidUTF8(base[:min(len(base), maxStem)], "")
	if base == "" || base == "." {
		base = "recording"
	}
	for n := 1; ; n++ {
		stem := base
		if n > 1 {
			stem = fmt.Sprintf("%s-%d", base, n)
		}
		if !m.stems[e.place(stem)] && !slices.ContainsFunc(e.outputs(stem), exists) {
			return stem
		}
	}
}

// outputs are the files that an entry is written to.
func (e *entry) outputs(stem string) []string {
	var list []string
	for _, format := range e.Formats {
		list = append(list, filepath.Join(string(e.Out), e.Dir, stem+"."+format))
	}
	return list
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// finish notes that an entry is done, and removes what was kept for it.
func (e *entry) finish() {
	e.Done, e.Written = true, e.record()
	e.dropSound()
	if e.Spooled {
		_ = os.Remove(string(e.Path)) // a copy of standard input
	}
	e.dropSpool()
}

// dropSpool removes the copy of what lies behind a URL.
func (e *entry) dropSpool() {
	if e.Spool != "" {
		_ = os.Remove(string(e.Spool)) // it is swept by the next run
		e.Spool = ""
	}
}

// base is the recording's file name.
func (e *entry) base() string {
	if isURL(string(e.Path)) {
		return urlName(string(e.Path))
	}
	return filepath.Base(string(e.Path))
}

// title is what a page says that it is of.
func (e *entry) title() string {
	if isURL(string(e.Path)) {
		return e.base()
	}
	return filepath.Base(e.name())
}

// write writes the entry's files; with keep those that are missing.
func (e *entry) write(t *scriptix.Transcript, embed, keep bool) error {
	if err := os.MkdirAll(filepath.Join(string(e.Out), e.Dir), 0o777); err != nil { //nolint:gosec // the umask decides
		return err
	}
	for i, path := range e.outputs(e.Stem) {
		place, copied := string(e.Path), e.Spooled
		if e.Spool != "" {
			place, copied = string(e.Spool), true
		}
		source := media{name: e.title(), path: place, page: path, embed: embed, gone: copied && !embed || !exists(place)}
		if source.gone {
			source.embed = false
		}
		if slices.Contains(serverFormats, e.Formats[i]) || keep && exists(path) {
			continue // see [transcription.write]
		}
		if err := writeTranscript(path, e.Formats[i], t, source, subtitling{preset: e.Subtitles}); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether all of the entry's files are there, and hold the
// transcript of its record.
func (e *entry) complete() bool {
	if e.Written != "" && e.Written != e.record() {
		return false
	}
	return !slices.ContainsFunc(e.outputs(e.Stem), func(path string) bool { return !exists(path) })
}

// audio is what is sent. Without a path nothing can be: only the transcript of
// its job is brought home.
func (e *entry) audio() scriptix.Audio {
	source := e.source()
	switch {
	case e.Spool != "" && source == string(e.Spool):
		return copiedAudio(e.base(), source)
	case isURL(source) && e.remote != nil && e.remote.source != nil:
		return e.remote.audio(e.base())
	case source != "" && !isURL(source):
		return scriptix.File(source)
	}
	return scriptix.Opener(e.name(), 0, func(context.Context, int64) (io.ReadCloser, error) {
		return nil, errors.New("where the recording lies is not known here")
	})
}
