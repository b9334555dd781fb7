package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// namesExtension is that of the file in which the names of a transcript's
// speakers are kept. It does not end with .json, so that *.json names transcripts.
const namesExtension = ".speakers"

// parseNames reads what --speaker says. An empty name takes one back.
func parseNames(list []string) (map[string]string, error) {
	names := make(map[string]string)
	for _, item := range list {
		speaker, name, given := strings.Cut(item, "=")
		speaker, name = strings.TrimSpace(speaker), strings.TrimSpace(name)
		if !given || speaker == "" {
			return nil, usage("--speaker %s: want a speaker and a name, as 'Speaker 1=Anna'", oneLine(item))
		}
		if _, twice := names[speaker]; twice {
			return nil, usage("--speaker %s: %s is named twice", oneLine(item), oneLine(speaker))
		}
		names[speaker] = name
	}
	return names, nil
}

// keepNames returns the names that hold for a transcript: those that were kept
// beside it, and over them those that were given, which are kept from now on.
func keepNames(path string, t *scriptix.Transcript, given map[string]string) (map[string]string, error) {
	file := strings.TrimSuffix(path, filepath.Ext(path)) + namesExtension
	names := make(map[string]string)
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(data, &names); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(given) == 0 {
		return names, nil
	}
	known := speakersOf(t)
	for _, speaker := range slices.Sorted(maps.Keys(given)) {
		switch {
		case !known[speaker]:
			return nil, unknownSpeaker(speaker, known)
		case given[speaker] == "":
			delete(names, speaker)
		default:
			names[speaker] = given[speaker]
		}
	}
	text, err := json.MarshalIndent(names, "", "  ")
	if err != nil {
		return nil, err
	}
	return names, writeFile(file, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

func unknownSpeaker(speaker string, known map[string]bool) error {
	if len(known) == 0 {
		return fmt.Errorf("--speaker %s: no speaker is told apart in it", oneLine(speaker))
	}
	return fmt.Errorf("--speaker %s: does not speak in it; who does: %s", oneLine(speaker), oneLine(strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
}

func speakersOf(t *scriptix.Transcript) map[string]bool {
	known := make(map[string]bool)
	for _, s := range t.Speakers {
		known[s.ID] = true
	}
	for _, s := range t.Segments {
		known[s.Speaker] = true
		for _, w := range s.Words {
			known[w.Speaker] = true
		}
	}
	delete(known, "")
	return known
}

// rename puts names for speakers into a transcript.
func rename(t *scriptix.Transcript, names map[string]string) {
	of := func(speaker string) string {
		if name := names[speaker]; name != "" {
			return name
		}
		return speaker
	}
	for i := range t.Speakers {
		t.Speakers[i].ID = of(t.Speakers[i].ID)
	}
	for i := range t.Segments {
		segment := &t.Segments[i]
		segment.Speaker = of(segment.Speaker)
		for j := range segment.Words {
			segment.Words[j].Speaker = of(segment.Words[j].Speaker)
		}
	}
}
