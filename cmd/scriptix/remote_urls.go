package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"syscall"
)

// urlsExtension is that of the file beside the ledger in which signed URLs are
// kept, for their owner alone, until their recordings are done.
const urlsExtension = ".urls"

func (m *manifest) urlsPath() string {
	return m.path[:len(m.path)-len(manifestExtension)] + urlsExtension
}

// readURLs reads what is kept. Without the file nothing is.
func (m *manifest) readURLs() error {
	m.urls = make(map[string]string)
	data, err := os.ReadFile(m.urlsPath())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err == nil && json.Unmarshal(data, &m.urls) != nil {
		err = fmt.Errorf("%s: is not what this program wrote; remove it, and name the URLs again", m.urlsPath())
	}
	m.kept = maps.Clone(m.urls)
	return err
}

// noteURL keeps the whole URL of a recording, where its name is not all of it.
func (m *manifest) noteURL(r recording) {
	if r.remote == nil {
		return
	}
	delete(m.urls, r.path)
	if r.remote.full != r.path {
		m.urls[r.path] = r.remote.full
	}
}

// keepURLs makes durable what is needed of the URLs: those of recordings that are
// not done. Without any there is no file.
func (m *manifest) keepURLs() error {
	needed := make(map[string]string)
	for _, e := range m.entries {
		if full, known := m.urls[string(e.Path)]; known && !e.Done && !e.Gone {
			needed[string(e.Path)] = full
		}
	}
	if maps.Equal(needed, m.kept) {
		return nil
	}
	err := m.writeURLs(needed)
	if err == nil {
		m.kept = needed
	}
	return err
}

func (m *manifest) writeURLs(needed map[string]string) error {
	if len(needed) == 0 {
		if err := os.Remove(m.urlsPath()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return replaceFile(m.urlsPath(), 0o600, func(w io.Writer) error {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(needed); err != nil {
			return err
		}
		_, err := w.Write(text.Bytes())
		return err
	})
}

// recording is what an entry is of.
func (m *manifest) recording(e *entry) recording {
	r := recording{path: string(e.Path), shown: e.name(), spooled: e.Spooled, entry: e}
	if !isURL(r.path) {
		return r
	}
	full, kept := m.urls[r.path]
	if !kept {
		full = r.path
	}
	public, found, err := parseURL(full)
	if r.remote = found; err != nil || public != r.path {
		r.remote = &remote{failed: errors.New("its URL is not known here any more; name it again with scriptix transcribe")}
	}
	return r
}
