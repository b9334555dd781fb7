package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

var formatNames = []string{"json", "txt", "srt", "vtt", "html"}

// media is the recording of a transcript, which a page can play.
type media struct {
	name  string // for people
	path  string // "" when there is none
	page  string // where the page will be
	embed bool
	gone  bool // the recording will not stay where it is
}

// writeTranscript writes one file.
func writeTranscript(path, format string, t *scriptix.Transcript, m media) error {
	return writeFile(path, func(w io.Writer) error { return writeFormat(w, format, t, m) })
}

func writeFormat(w io.Writer, format string, t *scriptix.Transcript, m media) error {
	switch format {
	case "txt":
		return subtitle.WriteText(w, t)
	case "srt":
		return subtitle.WriteSRT(w, subtitle.Cues(t, subtitle.Options{Speakers: true}))
	case "vtt":
		return subtitle.WriteVTT(w, subtitle.Cues(t, subtitle.Options{}))
	case "html":
		return writePage(w, t, m)
	}
	return writeJSON(w, t)
}

// writeJSON writes the transcript as the service documents it, by the start of its segments, indented.
func writeJSON(w io.Writer, t *scriptix.Transcript) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	sorted := *t
	sorted.Segments = subtitle.Sorted(t.Segments)
	return enc.Encode(&sorted)
}

func writePage(w io.Writer, t *scriptix.Transcript, m media) error {
	o := page.Options{Title: m.name}
	switch {
	case m.path == "":
	case m.embed:
		f, err := os.Open(m.path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // was only read
		o.Embed, o.MediaType = f, page.MediaType(m.path)
		if o.MediaType == "" {
			o.MediaType = "audio/mpeg" // browsers look into the file themselves
		}
	case !m.gone:
		// Without a relative path, from another volume say, the page has no player.
		if rel, err := filepath.Rel(filepath.Dir(m.page), m.path); err == nil {
			o.Audio = filepath.ToSlash(rel)
		}
	}
	return page.Write(w, t, o)
}

// checkFormats refuses what cannot be written and removes what comes twice.
func checkFormats(names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(formatNames, name) {
			return nil, usage("--format %s: want some of %s", oneLine(name), strings.Join(formatNames, ","))
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}
