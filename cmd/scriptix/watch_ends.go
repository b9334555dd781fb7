package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// How long what failed waits for its next turn, in intervals: of the default one,
// a minute where a file is in the way, and a quarter of an hour where the service
// or a program is, after the tries that a run makes anyway.
const (
	fileAgain    = 6
	serviceAgain = 90
)

// ended takes in what became of a recording. It is false where the same was told
// of it before, so that it need not be told again. A nil watcher takes in nothing.
func (w *watcher) ended(one *entry, o batch.Outcome, text string) (news bool) {
	if w == nil {
		return true
	}
	state, pause := over, w.again(o)
	if pause > 0 {
		state = retrying
	}
	return w.end(string(one.Path), state, w.due(pause), text)
}

// again is after how many intervals a recording gets another turn; 0 if it does
// not.
func (w *watcher) again(o batch.Outcome) (intervals int) {
	switch {
	case w == nil:
		return 0
	case o.State == batch.StateInterrupted:
		return serviceAgain
	case o.State == batch.StateUnknown && (w.t.flags.ResubmitAfter > 0 || w.t.hooks != nil):
		return serviceAgain // a callback may have come meanwhile
	case o.State == batch.StateRejected && errors.Is(o.Err, scriptix.ErrAudio):
		return fileAgain
	case o.State == batch.StateRejected && mayPass(o.Err):
		return serviceAgain
	}
	return 0
}

func (w *watcher) due(intervals int) time.Duration {
	return time.Since(w.started) + time.Duration(intervals)*w.interval
}

// mayPass reports whether a service that has refused a recording may take it
// later.
func mayPass(err error) bool {
	failed, ok := errors.AsType[*scriptix.Error](err)
	if !ok {
		return true
	}
	switch status := failed.StatusCode; status {
	case 0, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusPaymentRequired:
		return true
	default:
		return status >= http.StatusInternalServerError
	}
}

// settled notes that a recording is not to be sent.
func (w *watcher) settled(path string) {
	if w != nil {
		w.end(path, over, 0, "")
	}
}

// running notes that the program of --exec has begun for a recording.
func (w *watcher) running(one *entry) {
	if w != nil {
		w.end(string(one.Path), inWork, 0, "")
	}
}

// ran takes in what came of that program, as [watcher.ended] does.
func (w *watcher) ran(one *entry, err error, text string) (news bool) {
	switch {
	case w == nil:
		return true
	case err == nil:
		return w.end(string(one.Path), over, 0, "")
	}
	return w.end(string(one.Path), rerunning, w.due(serviceAgain), text)
}

// quiet reports whether nothing is said of an outcome: a watch sees the same files
// at each start.
func (w *watcher) quiet(state batch.State) bool { return w != nil && state == batch.StateSkipped }

// known reports whether a file is a recording that is done, without reading it.
func (t *transcription) known(ctx context.Context, path string, info fs.FileInfo) bool {
	for _, e := range t.files.of(path, t.judge.out) {
		if !e.Done || !e.unchanged(info) || !t.judge.flags.fits(e.Params) {
			continue
		}
		if t.flags.program == nil {
			return e.complete()
		}
		rec, err := t.judge.find(ctx, e.record())
		if err != nil || t.flags.owes(e, rec) {
			return false
		}
		return e.complete() || t.flags.follows(e, rec) && e.takenAway()
	}
	return false
}

// wrote reports whether a file is one of the transcripts.
func (m *manifest) wrote(path string) bool {
	extension := filepath.Ext(path)
	return slices.Contains(formatNames, strings.TrimPrefix(extension, ".")) && m.stems[strings.ToLower(strings.TrimSuffix(path, extension))]
}

// tidy finishes the entries that are done. It is called by who changes the list
// of files.
func (t *transcription) tidy() {
	t.mu.Lock()
	finished := t.finished
	t.finished = nil
	t.mu.Unlock()
	for _, one := range finished {
		one.finish()
	}
	if err := t.files.save(finished...); err != nil {
		t.view.complain("%s", explain(err)) // the ledger has it all the same
	}
}

// release lets go of what a run keeps of a recording until its end, because a
// watch has none.
func (t *transcription) release(one *entry, key string) {
	if t.watched == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.written, one)
	if len(t.waiting[key]) == 0 {
		delete(t.waiting, key)
		delete(t.givenUp, key)
		delete(t.uploaded, key)
	}
}

// idle reports whether nothing is on its way.
func (t *transcription) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.waiting {
		if len(list) > 0 {
			return false
		}
	}
	return true
}

// concludeWatch says how a watch went, and makes its exit code: 0 when it was
// stopped and nothing is open.
func (t *transcription) concludeWatch(ctx context.Context, took time.Duration) error {
	t.mu.Lock()
	n, halted, execOpen := t.counts, t.halted, t.execOpen
	t.mu.Unlock()
	open := t.watched.count(inWork) + t.watched.count(retrying) + execOpen
	failing := t.watched.count(rerunning) - execOpen
	words := []string{fmt.Sprintf("%d done", n[batch.StateDone])}
	for _, part := range []struct {
		n    int
		word string
	}{{t.refused, "refused"}, {n[batch.StateFailed] + n[batch.StateRejected] + n[batch.StateUnknown], "failed"}, {open, "open"}, {failing, "--exec failed"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	code := exitDone
	switch {
	case halted != nil || ctx.Err() == nil:
		code = exitFailed
		t.env.complain("the watch has ended, because nothing more can be sent; start it again once that is mended")
	case open > 0:
		code = exitInterrupted
		t.env.complain("stopped; nothing is lost or paid twice, go on with the same command")
	case failing > 0:
		code = exitFailed
	}
	t.env.note("%s in %s; %s sent", strings.Join(words, ", "), durationText(took.Round(100*time.Millisecond)), t.sent)
	if code == exitDone {
		return nil
	}
	return &exitError{code: code, quiet: true, err: io.ErrUnexpectedEOF}
}
