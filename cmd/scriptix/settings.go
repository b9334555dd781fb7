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
	"syscall"
)

// settings is what an output folder remembers of how it was made: a flag that is
// left out takes its value from here. Nothing secret is in it.
type settings struct {
	Version int `json:"version"`
	params
	Plan    string   `json:"plan,omitempty"`
	Dialect string   `json:"dialect,omitempty"`
	Formats []string `json:"formats"`

	Subtitles string `json:"subtitles,omitempty"` // the limits of subtitles; "" for the usual ones

	place string // where it was read, for messages
}

const (
	settingsName    = ".scriptix.json"
	settingsVersion = 1
)

var defaultFormats = []string{"json", "txt"}

// recall reads what a folder remembers. One that an earlier version made has no
// such file, but a manifest of the recordings; the last of them tells. It
// returns nil if nothing is remembered.
func recall(out, ledger string) (*settings, error) {
	path := filepath.Join(out, settingsName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return recallManifest(ledger)
	}
	if err != nil {
		return nil, usage("%w", err)
	}
	s := settings{place: path}
	if err = json.Unmarshal(data, &s); err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, usage("%s: %w; mend it, or remove it and give the flags again", path, err)
	}
	return &s, nil
}

func recallManifest(ledger string) (*settings, error) {
	m, err := readManifest(ledger)
	if err != nil || len(m.entries) == 0 {
		return nil, err
	}
	last := m.entries[len(m.entries)-1]
	return &settings{Version: settingsVersion, params: last.Params, Formats: slices.Clone(last.Formats), place: m.path}, nil
}

func (s *settings) check() error {
	if s.Version != settingsVersion {
		return fmt.Errorf("written by another version of this program (%d)", s.Version)
	}
	if s.Language == "" {
		return errors.New("names no language")
	}
	if _, known := plans[s.Plan]; !known {
		return fmt.Errorf("plan %q: want free, bronze, silver or gold", s.Plan)
	}
	if !slices.Contains([]string{"", "stt", sessionDialect}, s.Dialect) {
		return fmt.Errorf("dialect %q: want stt or session", s.Dialect)
	}
	if !slices.Contains([]string{"", "netflix", "bbc"}, s.Subtitles) {
		return fmt.Errorf("subtitles %q: want netflix or bbc", s.Subtitles)
	}
	if !slices.Contains([]string{"", "segment", "word"}, s.Timestamps) {
		return fmt.Errorf("timestamps %q: want segment or word", s.Timestamps)
	}
	var err error
	s.Formats, err = checkFormats(s.Formats, formatNames)
	return err
}

func (s *settings) save(out string) error {
	return writeFile(filepath.Join(out, settingsName), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	})
}

// same reports whether two settings say the same.
func (s *settings) same(other *settings) bool {
	return other != nil && s.params == other.params && s.Plan == other.Plan && s.Subtitles == other.Subtitles && s.Dialect == other.Dialect && slices.Equal(s.Formats, other.Formats)
}

// words returns the settings in a line, the parameters first: they are what is
// paid for. "" where nothing is said.
func (s *settings) words() string {
	rest := s.rest()
	text := strings.Join(s.params.words(), ", ")
	from := "(from " + shown(s.place) + ")"
	switch {
	case text == "" && rest == "":
		return ""
	case text == "":
		return rest + " " + from
	case rest == "":
		return text + " " + from
	}
	return text + " " + from + "; also " + rest
}

func (s *settings) rest() string {
	var list []string
	if s.Plan != "" {
		list = append(list, "plan "+s.Plan)
	}
	if s.Dialect != "" {
		list = append(list, "dialect "+s.Dialect)
	}
	if s.Subtitles != "" {
		list = append(list, "subtitles "+s.Subtitles)
	}
	if len(s.Formats) > 0 && !slices.Equal(s.Formats, defaultFormats) {
		list = append(list, "formats "+strings.Join(s.Formats, ","))
	}
	return strings.Join(list, ", ")
}

// resolve makes the settings of this run: what is given, else what is
// remembered. told is the part that comes from memory.
func (c *transcribeCmd) resolve(memory *settings, formats []string) (now, told settings, err error) {
	if memory == nil && !c.given["language"] {
		return now, told, usage("the first run into %s names the language of its recordings: add -l en, say, or -l auto to let the service find out", shown(c.Out))
	}
	now = settings{Version: settingsVersion, Formats: defaultFormats}
	if memory != nil {
		now = *memory
		told = *memory
	}
	now.params = c.over(now.params)
	if c.given["language"] {
		told.Language = ""
	}
	if c.given["diarization"] {
		told.Diarization = false
	}
	if c.given["timestamps"] {
		told.Timestamps = ""
	}
	if c.given["model"] {
		told.Model = ""
	}
	if c.given["glossary-id"] {
		told.GlossaryID = 0
	}
	if c.Plan != "" {
		now.Plan, told.Plan = c.Plan, ""
	}
	if c.Dialect != "" {
		now.Dialect, told.Dialect = c.Dialect, ""
	}
	if c.given["subtitles"] {
		now.Subtitles, told.Subtitles = strings.TrimPrefix(c.Subtitles, "default"), ""
	}
	if formats != nil {
		now.Formats, told.Formats = formats, nil
	}
	if now.Language == "" {
		return now, told, usage("--language: is empty; name one, as en, or auto")
	}
	return now, told, nil
}
