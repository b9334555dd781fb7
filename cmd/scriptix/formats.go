package main

import (
	"bytes"
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

// localFormats are made here, of the transcript.
var localFormats = []string{"json", "txt", "srt", "vtt", "html", "md", "csv", "ass"}

// rendered are made of a transcript that is here. The service makes ttml too, of
// the document and not of the transcript, and that is what transcribe takes.
var rendered = append(slices.Clone(localFormats[1:]), "ttml")

// serverFormats are made by the service, of the job's document.
var serverFormats = []string{"docx", "pdf", "stl", "ttml"}

var formatNames = slices.Concat(localFormats, serverFormats)

// media is the recording of a transcript, which a page can play.
type media struct {
	name  string // for people
	path  string // "" when there is none
	page  string // where the page will be
	embed bool
	gone  bool // the recording will not stay where it is
}

// writeTranscript writes one file.
func writeTranscript(path, format string, t *scriptix.Transcript, m media, s subtitling) error {
	return writeFile(path, func(w io.Writer) error { return writeFormat(w, format, t, m, s) })
}

func writeFormat(w io.Writer, format string, t *scriptix.Transcript, m media, s subtitling) error {
	switch format {
	case "txt":
		return subtitle.WriteText(w, t)
	case "srt":
		return subtitle.WriteSRT(w, subtitle.Cues(t, s.options(t, true)))
	case "vtt":
		if s.words {
			return subtitle.WriteVTTWords(w, subtitle.Cues(t, s.options(t, false)))
		}
		return subtitle.WriteVTT(w, subtitle.Cues(t, s.options(t, false)))
	case "ass":
		return subtitle.WriteASS(w, subtitle.Cues(t, s.options(t, !s.words)), s.words)
	case "ttml":
		return subtitle.WriteTTML(w, subtitle.Cues(t, s.options(t, true)), t.Language)
	case "html":
		return writePage(w, t, m)
	case "md":
		return writeMarkdown(w, t, m.name)
	case "csv":
		return writeCSV(w, t)
	}
	return writeJSON(w, t)
}

// emptySegments is where the segments stand in an indented transcript without
// any. No text can hold it: a line break in one is escaped.
const emptySegments = "\n  \"segments\": []"

// writeJSON writes the transcript as the service documents it, by the start of
// its segments, indented. The segments are encoded one by one, since all of them
// at once would take several times the memory of the answer they came in.
func writeJSON(w io.Writer, t *scriptix.Transcript) error {
	frame := *t
	frame.Segments = nil
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&frame); err != nil {
		return err
	}
	all := text.Bytes()
	at := bytes.Index(all, []byte(emptySegments))
	if at < 0 || len(t.Segments) == 0 {
		_, err := w.Write(all)
		return err
	}
	open := at + len(emptySegments) - len("]")
	if _, err := w.Write(all[:open]); err != nil {
		return err
	}
	if err := writeSegments(w, subtitle.Sorted(t.Segments)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n  "); err != nil {
		return err
	}
	_, err := w.Write(all[open:])
	return err
}

func writeSegments(w io.Writer, segments []scriptix.Segment) error {
	var one bytes.Buffer
	enc := json.NewEncoder(&one)
	enc.SetEscapeHTML(false)
	enc.SetIndent("    ", "  ")
	separator := "\n    "
	for i := range segments {
		one.Reset()
		if err := enc.Encode(&segments[i]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator+strings.TrimSuffix(one.String(), "\n")); err != nil {
			return err
		}
		separator = ",\n    "
	}
	return nil
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

// checkFormats refuses what is not known and removes what comes twice.
func checkFormats(names []string, known []string) ([]string, error) {
	var list []string
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(known, name) {
			return nil, usage("--format %s: want some of %s", oneLine(name), strings.Join(known, ","))
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}
