package main

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// watchFlags name directories from which recordings are taken as they come.
type watchFlags struct {
	Watch         []string      `placeholder:"DIR" sep:"none" help:"Take recordings from a directory as they come, until stopped. A file is taken once its size and time have stood still; may be given several times."`
	WatchInterval time.Duration `name:"watch-interval" default:"10s" placeholder:"DURATION" help:"Look into the directories of --watch so often; a file has to stand still for so long (${default})."`
}

// alone refuses a watch beside other names: those end, and a watch does not.
func (f *watchFlags) alone(paths []string, list string) error {
	switch {
	case f.WatchInterval <= 0:
		return usage("--watch-interval %v: want more than 0", f.WatchInterval)
	case len(f.Watch) > 0 && (len(paths) > 0 || list != ""):
		return usage("--watch takes recordings from its directories alone; name no others")
	}
	for _, dir := range f.Watch {
		if isURL(dir) {
			return usage("--watch %s: want a directory; recordings behind URLs are named as arguments, or with --files-from", withoutQuery(dir))
		}
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return usage("--watch %s: %s", oneLine(dir), absent(err))
		case !info.IsDir():
			return usage("--watch %s: is no directory", oneLine(dir))
		}
	}
	return nil
}

// watcher finds the recordings of directories as they come. It looks again and
// again, because file systems of other machines tell of no changes. A file is
// taken when two looks that are an interval apart have found it the same, so what
// is still being copied is left alone. It keeps some bytes of each file that is
// there, and nothing of those that have gone.
//
// What fails for a reason that may pass is taken up again, and told once.
type watcher struct {
	t        *transcription
	dirs     []string // as the user named them
	interval time.Duration
	inputs   *inputs // says which files are wanted
	left     []recording
	started  time.Time

	sightings
	broken []string          // what could not be read in this look
	bad    map[string]string // what cannot be taken, and why, as it was told
	found  map[string]string // the same of this look
}

// unfinishedNames are the endings of files that other programs are still writing.
var unfinishedNames = []string{".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".swp", "~"}

// unfinishedName reports whether a file goes by a name that only lasts until it is
// complete. Hidden ones are never looked at.
func unfinishedName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "~") || slices.ContainsFunc(unfinishedNames, func(end string) bool { return strings.HasSuffix(name, end) })
}

// newWatcher makes a watcher for a run that is about to start.
func newWatcher(ctx context.Context, t *transcription, j *judge, flags *watchFlags, include []string) (*watcher, error) {
	in, err := includes(include)
	if err != nil {
		return nil, err
	}
	w := &watcher{t: t, interval: flags.WatchInterval, inputs: in, started: time.Now(), sightings: sightings{seen: make(map[string]sighting)}}
	for _, dir := range flags.Watch {
		w.dirs = append(w.dirs, filepath.Clean(dir))
	}
	list, err := j.unfinished(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		// What is still there is found by the first look. Of the rest transcripts may be under way.
		if j.flags.fits(r.entry.Params) && !exists(r.path) {
			w.left = append(w.left, r)
		}
	}
	return w, nil
}

// recordings yields each recording when it is to be taken, until ctx ends or
// nothing more can be sent.
func (w *watcher) recordings(ctx context.Context) iter.Seq[recording] {
	return func(yield func(recording) bool) {
		for _, r := range w.left {
			w.take(r.path, sighting{})
			if !yield(r) {
				return
			}
		}
		for first := true; ; first = false {
			ready := w.look(ctx)
			w.t.tidy()
			if first && ctx.Err() == nil {
				w.t.env.note("%s", w.greeting(len(ready)))
			}
			for _, r := range ready {
				if ctx.Err() != nil || w.t.halting() != nil {
					return
				}
				if w.stillThere(r.path) && !yield(r) {
					return
				}
			}
			if !w.pause(ctx) {
				return
			}
		}
	}
}

func (w *watcher) greeting(ready int) string {
	over, waiting := w.count(over), w.count(settling)+ready
	return fmt.Sprintf("watching %s, every %v: %s done before, %d to be looked at; Ctrl-C or SIGTERM stops it", named(w.dirs), w.interval, count(over, "recording"), waiting)
}

// pause waits for the next look. It is false when there is none.
func (w *watcher) pause(ctx context.Context) bool {
	for end := time.Now().Add(w.interval); ; {
		rest := time.Until(end)
		switch {
		case ctx.Err() != nil || w.t.halting() != nil:
			return false
		case rest <= 0:
			return true
		}
		timer := time.NewTimer(min(rest, time.Second))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look goes through the directories once, and returns what is to be taken.
func (w *watcher) look(ctx context.Context) (ready []recording) {
	w.next()
	w.broken, w.found = nil, make(map[string]string)
	for _, root := range w.dirs {
		walk(root, func(path string, err error) error {
			switch {
			case ctx.Err() != nil:
				return fs.SkipAll
			case err != nil:
				w.broken = append(w.broken, path)
				w.found[path] = absent(err)
			case w.inputs.wanted(path) && !unfinishedName(filepath.Base(path)):
				if r, ok := w.sight(ctx, root, path); ok {
					ready = append(ready, r)
				}
			}
			return nil
		})
	}
	if ctx.Err() != nil {
		return nil
	}
	w.tell()
	for _, path := range w.gone(w.broken) {
		w.t.view.complain("%s: went away before it was sent", oneLine(shorten(path)))
	}
	return ready
}

// sight looks at one file. It is true when the file is to be taken.
func (w *watcher) sight(ctx context.Context, root, path string) (r recording, ready bool) {
	info, why := regular(path)
	if why != "" {
		w.found[path] = why
		return r, false
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		w.found[path] = err.Error()
		return r, false
	}
	if w.t.files.wrote(abs) {
		return r, false // a transcript is no recording, whatever --include and --force say
	}
	now := sighting{size: info.Size(), modified: info.ModTime().UnixNano(), at: time.Since(w.started)}
	known := func() bool { return w.t.known(ctx, abs, info) }
	if !w.sighted(abs, now, w.interval, known) {
		return r, false
	}
	if info.Size() == 0 {
		w.found[path] = "is empty"
		return r, false
	}
	dir, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil || dir == "." {
		dir = ""
	}
	return recording{path: abs, shown: path, dir: dir}, true
}

// stillThere takes a file, unless it has changed or gone since it was looked at:
// the others of that look may have taken hours.
func (w *watcher) stillThere(path string) bool {
	info, why := regular(path)
	if why != "" {
		return false // the next look tells
	}
	return w.take(path, sighting{size: info.Size(), modified: info.ModTime().UnixNano(), at: time.Since(w.started)})
}

// tell names what cannot be taken, when it is found and when its reason changes.
func (w *watcher) tell() {
	for path, why := range w.found {
		if w.bad[path] != why {
			w.t.causes.add(path, cause{text: why, many: plural(why, 2)})
		}
	}
	w.bad = w.found
}
