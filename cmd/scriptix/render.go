package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

type renderCmd struct {
	fileList
	subtitleFlags
	Files     []string `arg:"" optional:"" name:"file" help:"Transcripts, as transcribe or result wrote them in json."`
	Format    []string `short:"f" default:"txt" placeholder:"LIST" help:"txt, srt, vtt, html, md, csv, ass or ttml (${default})."`
	Speaker   []string `placeholder:"NAME=NEW" sep:"none" help:"Name a speaker, as 'Speaker 1=Anna'; may be given several times. It holds for later renders too; 'Speaker 1=' takes the name back."`
	FrameRate float64  `name:"frame-rate" placeholder:"FPS" help:"Of the video, for subtitles whose times fall on frames: when it is not 24 (netflix) or 25 (bbc)."`
	Words     bool     `help:"Time each word in vtt and ass, for players that show which is spoken; ass needs a transcript that has such times."`
	Audio     string   `placeholder:"FILE" help:"Recording that the html page is to play (the one that was transcribed, where that is known)."`
	Out       string   `short:"o" placeholder:"DIR" help:"Directory for the files (beside each transcript)."`
}

// Help says what it costs, and where names are kept.
func (*renderCmd) Help() string {
	return `It makes files of transcripts that are here already: no request is sent, and nothing is billed. The transcript itself stays as the service sent it; names of speakers are kept beside it, in FILE` + namesExtension + `.

Examples:
  scriptix render transcripts/call.json --format srt,html --speaker "Speaker 1=Anna"
  scriptix render transcripts/*.json --format csv --out tables
  scriptix render transcripts/call.json --format srt,ttml --subtitles netflix
  find transcripts -name '*.json' -print0 | scriptix render --files-from - --format srt`
}

// Run renders each file; one that cannot be does not stop the others.
func (c *renderCmd) Run(ctx context.Context, e *env) error {
	e.frugal()
	listed, err := c.names(ctx, e, c.Files)
	if err != nil {
		return err
	}
	if c.Files = append(c.Files, listed...); len(c.Files) == 0 {
		return usage("name transcripts, or a list of them with --files-from; see scriptix render --help")
	}
	if slices.Contains(c.Format, "json") {
		return usage("--format json: a transcript is rendered from it; want some of %s", strings.Join(rendered, ","))
	}
	formats, err := checkFormats(c.Format, rendered)
	if err != nil {
		return err
	}
	if err := checkFrameRate(c.FrameRate); err != nil {
		return err
	}
	names, err := parseNames(c.Speaker)
	if err != nil {
		return err
	}
	if c.Audio != "" && len(c.Files) > 1 {
		return usage("--audio %s: is of one transcript, and %d are named", oneLine(c.Audio), len(c.Files))
	}
	if c.Out != "" {
		if err := os.MkdirAll(c.Out, 0o777); err != nil { //nolint:gosec // the umask decides
			return err
		}
	}
	failed := false
	written := make(map[string]string)
	for _, path := range c.Files {
		err := c.render(e, path, formats, names, written)
		if e.closed.Load() {
			return err
		}
		if err != nil {
			failed = true
			e.complain("%s: %s", oneLine(path), explain(err))
		}
	}
	if failed {
		return errTold
	}
	return nil
}

// render makes the files of one transcript.
func (c *renderCmd) render(e *env, path string, formats []string, given map[string]string, written map[string]string) error {
	t, err := readTranscript(path)
	if err != nil {
		return err
	}
	names, err := keepNames(path, t, given)
	if err != nil {
		return err
	}
	rename(t, names)
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	source := c.source(path)
	if c.Out != "" {
		stem = filepath.Join(c.Out, filepath.Base(stem))
	}
	for _, format := range formats {
		target := stem + "." + format
		if other, taken := written[target]; taken {
			return fmt.Errorf("would be written over what came of %s: %s", oneLine(other), target)
		}
		if sameFile(target, path) {
			return fmt.Errorf("is the transcript itself and would be written over by --format %s: rename it to end in .json, or name a folder with --out", format)
		}
		written[target] = path
		if source.page, err = filepath.Abs(target); err != nil {
			return err
		}
		if err := writeTranscript(target, format, t, source, subtitling{preset: c.Subtitles, frameRate: c.FrameRate, words: c.Words}); err != nil {
			if errors.Is(err, subtitle.ErrNoWords) {
				err = errors.New("has no times of words for --words and ass; transcribe it with --timestamps word, or leave --words out")
			}
			return err
		}
		if err := e.printf("%s", target); err != nil {
			return err
		}
	}
	return nil
}

// sameFile reports whether two paths lead to one file, by whatever links.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false // what is not there is not the other
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// mostTranscript is the largest file that is read: that of a result.
const mostTranscript = 256 << 20

func readTranscript(path string) (*scriptix.Transcript, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > mostTranscript:
		return nil, fmt.Errorf("is larger than %d MiB", mostTranscript>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var shape struct {
		Transcript *json.RawMessage `json:"transcript"`
		Segments   *json.RawMessage `json:"segments"`
	}
	t := new(scriptix.Transcript)
	if json.Unmarshal(data, &shape) != nil || shape.Transcript == nil && shape.Segments == nil || json.Unmarshal(data, t) != nil {
		return nil, errors.New("is no transcript in json, as transcribe or result writes it")
	}
	return t, nil
}

// source is the recording of a transcript: the one that was named, else the one
// that a run of transcribe made it of.
func (c *renderCmd) source(path string) media {
	if abs, err := filepath.Abs(c.Audio); c.Audio != "" && err == nil {
		return media{name: filepath.Base(c.Audio), path: abs}
	}
	unknown := media{name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}
	abs, err := filepath.Abs(path)
	if err != nil {
		return unknown
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		ledger := filepath.Join(dir, ".scriptix.db")
		if exists(ledger + ".files") {
			files, err := openManifest(ledger, dir, true)
			if err != nil {
				return unknown // a transcript can be read without it
			}
			for _, known := range files.entries {
				if !known.Gone && filepath.Join(string(known.Out), known.Dir, known.Stem+".json") == abs {
					return media{name: known.title(), path: string(known.Path), gone: !exists(string(known.Path))}
				}
			}
			return unknown
		}
		if dir == filepath.Dir(dir) {
			return unknown
		}
	}
}
