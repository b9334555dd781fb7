package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/fleet"
)

// enqueueCmd claims recordings.
type enqueueCmd struct {
	database
	Sources    []string  `arg:"" optional:"" help:"Locators such as https://files.example.com/a.wav or file:calls/a.wav, or files and folders below --root. None: read from standard input, one a line."`
	Root       string    `placeholder:"DIR" help:"Directory that the workers have as their --root."`
	Language   string    `short:"l" placeholder:"CODE" help:"Language of the recordings, or auto."`
	Speakers   bool      `name:"diarization" help:"Tell speakers apart."`
	Timestamps string    `enum:",segment,word" default:"" placeholder:"KIND" help:"segment or word."`
	Model      string    `placeholder:"NAME" help:"A custom model."`
	Glossary   int64     `placeholder:"ID" help:"A glossary."`
	Meta       string    `placeholder:"JSON" help:"Handed back with each outcome."`
	NotBefore  time.Time `name:"not-before" placeholder:"TIME" help:"When the uploads may begin, such as 2026-12-01T22:00:00Z."`
}

// Help shows how it is used.
func (*enqueueCmd) Help() string {
	return `Each line of standard input is a locator, or an object such as
  {"source": "file:a.wav", "key": "a", "language": "en", "meta": {"call": 7}}
whose language overrides the flag.

Examples:
  scriptix-fleet enqueue --language en --root /srv/calls /srv/calls/monday
  find calls -name '*.wav' | sed 's/^/file:/' | scriptix-fleet enqueue --language auto`
}

// line is one recording on standard input.
type line struct {
	Source   string          `json:"source"`
	Key      string          `json:"key"`
	Language string          `json:"language"`
	Meta     json.RawMessage `json:"meta"`
}

// audioExtensions are the files that a folder is searched for.
var audioExtensions = strings.Fields(".mp3 .wav .flac .m4a .aac .ogg .opus .oga .mp4 .mov .avi .mkv .webm")

// Run claims the recordings and prints how many were fresh.
func (c *enqueueCmd) Run(ctx context.Context, e *env) error {
	f, done, err := c.open(ctx, e, fleet.Options{Root: c.Root})
	if err != nil {
		return err
	}
	defer done()
	var failed error
	counted, err := f.Enqueue(ctx, c.inputs(e, &failed))
	if err := errors.Join(err, failed); err != nil {
		if counted.Fresh+counted.Known > 0 {
			err = fmt.Errorf("%w (before that, %d were enqueued and %d known)", err, counted.Fresh, counted.Known)
		}
		if _, refused := errors.AsType[*fleet.RefusedError](err); refused {
			return usageError{err}
		}
		return err
	}
	return e.object(map[string]int{"fresh": counted.Fresh, "known": counted.Known})
}

// inputs reads what is to be enqueued. What goes wrong ends it.
func (c *enqueueCmd) inputs(e *env, failed *error) iter.Seq[fleet.Input] {
	return func(yield func(fleet.Input) bool) {
		if len(c.Sources) == 0 {
			*failed = c.lines(e, yield)
			return
		}
		for _, source := range c.Sources {
			found, err := c.find(source)
			if err != nil {
				*failed = err
				return
			}
			for _, locator := range found {
				if !yield(c.input(line{Source: locator})) {
					return
				}
			}
		}
	}
}

func (c *enqueueCmd) lines(e *env, yield func(fleet.Input) bool) error {
	scanner := bufio.NewScanner(e.stdin)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		text := strings.TrimSpace(scanner.Text())
		if text == "" {
			continue
		}
		l := line{Source: text}
		if strings.HasPrefix(text, "{") {
			l = line{}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				return usageError{fmt.Errorf("a line of standard input: %w", err)}
			}
		}
		if !yield(c.input(l)) {
			return nil
		}
	}
	return scanner.Err()
}

func (c *enqueueCmd) input(l line) fleet.Input {
	in := fleet.Input{Source: l.Source, Key: l.Key, Meta: l.Meta, NotBefore: c.NotBefore, Params: scriptix.SubmitParams{
		Language: c.Language, Diarization: c.Speakers, Timestamps: scriptix.Timestamps(c.Timestamps), Model: c.Model, GlossaryID: c.Glossary,
	}}
	if l.Language != "" {
		in.Params.Language = l.Language
	}
	if in.Meta == nil && c.Meta != "" {
		in.Meta = json.RawMessage(c.Meta)
	}
	return in
}

// find turns an argument into locators: files and folders become those of file:.
func (c *enqueueCmd) find(source string) ([]string, error) {
	if scheme, _, found := strings.Cut(source, ":"); found && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\.`) {
		return []string{source}, nil
	}
	if c.Root == "" {
		return nil, usageError{fmt.Errorf("%s: a path needs --root, the directory that the workers have as theirs", source)}
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, err
	}
	var locators []string
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if path != source && !slices.Contains(audioExtensions, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, absolute)
		if err != nil || !filepath.IsLocal(below) {
			return usageError{fmt.Errorf("%s: is not below --root", path)}
		}
		locators = append(locators, "file:"+filepath.ToSlash(below))
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = usageError{err}
	}
	return locators, err
}
