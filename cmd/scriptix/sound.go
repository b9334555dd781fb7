package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	av "github.com/scriptix-io/scriptix-go/media"
)

// soundFlags say what is sent of a recording.
type soundFlags struct {
	Audio string `enum:"auto,copy,small,off" default:"auto" placeholder:"HOW" help:"Send the sound of a video alone: auto where that halves the bytes, copy always, small as Opus at 32 kbit/s and of audio files too, off never (${default}). Needs ffmpeg."`
}

// The recipes: how the file that is sent was made. It is in the key of a record only where it is not the recording itself.
const (
	recipeWhole = "whole" // the recording as it is
	recipeCopy  = "copy"  // its sound, as it is
	recipeSmall = "small" // its sound, converted
)

var extracted = []string{recipeCopy, recipeSmall}

// recipePart is what the recipe adds to an entry's key.
func (e *entry) recipePart() string {
	if slices.Contains(extracted, e.Recipe) {
		return "+" + e.Recipe
	}
	return ""
}

// recallRecipe finds the record of an entry of which the manifest does not know how it was sent.
func (j *judge) recallRecipe(ctx context.Context, e *entry) (batch.Record, error) {
	was := e.Recipe
	for _, recipe := range append([]string{recipeWhole}, extracted...) {
		e.Recipe = recipe
		if rec, err := j.find(ctx, e.record()); err != nil || rec.Phase != "" {
			return rec, err
		}
	}
	e.Recipe = was
	return batch.Record{}, nil
}

// moving are the extensions of files that may hold a moving picture.
var moving = []string{".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv", ".3gp", ".mxf"}

func maybeVideo(path string) bool {
	return slices.Contains(moving, strings.ToLower(filepath.Ext(path)))
}

// sound decides what is sent of a recording, and makes the file where that is not the recording itself. What was begun goes
// on as it was begun. The key of d is then that of the recipe.
func (t *transcription) sound(ctx context.Context, r recording, d *decision) error {
	e, how := d.entry, t.flags.Audio
	begun := d.phase != "" && e.Recipe != ""
	switch {
	case begun && e.recipePart() != "" && exists(string(e.Extract)):
		return nil
	case begun && e.recipePart() != "":
		how = e.Recipe
	case begun:
		how = "off"
	}
	if r.streamed() {
		how = "off" // ffmpeg is never let at a URL
	}
	recipe, err := t.extract(ctx, r.file(), e, how)
	if err != nil {
		return err
	}
	e.Recipe = recipe
	if key := e.record(); key != d.key {
		t.files.byKey[key] = append(t.files.byKey[key], e)
		d.key = key
	}
	return nil
}

// extract makes the file that is sent, and says by which recipe.
func (t *transcription) extract(ctx context.Context, path string, e *entry, how string) (recipe string, err error) {
	e.Extract = ""
	auto := how == "auto" || how == ""
	if how == "off" || (how != recipeSmall && !maybeVideo(path)) {
		return recipeWhole, nil
	}
	info, err := av.Probe(ctx, path)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, av.ErrNoFFmpeg) && auto:
		t.hintOnce("videos are sent whole: with ffmpeg installed only their sound would be")
		return recipeWhole, nil
	case err != nil && auto:
		return recipeWhole, nil // the service may know it all the same
	case err != nil:
		return "", fmt.Errorf("--audio %s: %w", how, err)
	}
	e.length = info.Duration
	switch {
	case info.Kind == av.KindVideo && len(info.Tracks) == 0:
		return "", errors.New("it has no audio track, and would be billed for nothing; --audio off sends it all the same")
	case info.Kind == av.KindNothing, info.Kind == av.KindAudio && how != recipeSmall:
		return recipeWhole, nil
	}
	dir := filepath.Join(soundDir(t.flags.ledgerPath()), fmt.Sprintf("%.16s-%d", e.Key, e.N))
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return "", err
	}
	options := av.Options{Small: how == recipeSmall, Dir: dir}
	if auto {
		options.MaxSize = max(info.Size/2, 1)
	}
	x, err := av.Extract(ctx, path, options)
	if err != nil {
		_ = os.RemoveAll(dir) // is empty
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case auto && errors.Is(err, av.ErrCodec):
			t.hintOnce("some videos are sent whole, for their sound cannot be copied; --audio small would convert it")
			return recipeWhole, nil
		case auto:
			return recipeWhole, nil
		}
		return "", fmt.Errorf("--audio %s: %w", how, err)
	}
	e.Extract = pathText(x.Path())
	if options.Small {
		return recipeSmall, nil
	}
	return recipeCopy, nil
}

// hintOnce tells a line once.
func (t *transcription) hintOnce(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hinted[text] {
		t.hinted[text] = true
		t.env.note("%s", text)
	}
}

// soundDir is where the files that are sent instead of recordings stand until their jobs are done.
func soundDir(ledger string) string { return ledger + ".audio" }

// sweepSound removes what dead processes left there, and what nothing is waited for any more.
func (m *manifest) sweepSound(ledger string) {
	needed := make(map[string]bool)
	for _, e := range m.entries {
		if !e.Done && !e.Gone && e.Extract != "" {
			rel, err := filepath.Rel(soundDir(ledger), string(e.Extract))
			if err == nil {
				first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
				needed[first] = true
			}
		}
	}
	list, _ := os.ReadDir(soundDir(ledger)) // mostly there is none
	for _, item := range list {
		if !needed[item.Name()] {
			_ = os.RemoveAll(filepath.Join(soundDir(ledger), item.Name())) // it is in nobody's way
		}
	}
	_ = os.Remove(soundDir(ledger)) // if it is empty
}

// dropSound removes the file that was sent, once its job is done.
func (e *entry) dropSound() {
	if e.Extract != "" {
		dir := filepath.Dir(filepath.Dir(string(e.Extract)))
		_ = os.RemoveAll(dir)            // it is swept by the next run
		_ = os.Remove(filepath.Dir(dir)) // if it is empty
		e.Extract = ""
	}
}

// source is the file that is sent.
func (e *entry) source() string {
	if e.recipePart() != "" {
		return string(e.Extract)
	}
	if e.Spool != "" {
		return string(e.Spool)
	}
	return string(e.Path)
}

// proof is what the file that is sent must hold; nil if that was not read.
func (e *entry) proof(ctx context.Context) *scriptix.Digest {
	if e.recipePart() == "" {
		return e.digest
	}
	digest, err := e.audio().Digest(ctx, io.Discard)
	if err != nil {
		return nil // the upload will say it
	}
	return &digest
}

// silent says why a dry run finds that a video would be refused.
func (c *transcribeCmd) silent(ctx context.Context, path string) (length time.Duration, why string) {
	if c.Audio == "off" || !maybeVideo(path) {
		return 0, ""
	}
	info, err := av.Probe(ctx, path)
	if err != nil {
		return 0, ""
	}
	if info.Kind == av.KindVideo && len(info.Tracks) == 0 {
		return 0, "it has no audio track"
	}
	return info.Duration, ""
}
