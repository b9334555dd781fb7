package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars is progress on a terminal: a bar for each upload that is under way, and
// one for the whole below them. That one counts each byte twice, when it is sent
// and when its recording has ended, so that it moves and tells a time from the
// first upload on.
type bars struct {
	e         *env
	container *mpb.Progress
	whole     *mpb.Bar

	mu      sync.Mutex
	uploads map[string]*upload
	started time.Time
	total   int64 // of the whole bar
	done    int64
	count   int
	ends    int
	failed  int
	closed  bool
}

type upload struct {
	bar  *mpb.Bar
	sent int64
}

const (
	nameWidth = 36
	barWidth  = 32
)

func newBars(e *env, count int, size int64) *bars {
	b := &bars{e: e, uploads: make(map[string]*upload), count: count, total: 2 * size, started: time.Now()}
	b.container = mpb.New(mpb.WithOutput(e.stderr), mpb.WithRefreshRate(120*time.Millisecond))
	if size > 0 {
		b.whole = b.container.New(b.total, style(),
			mpb.BarPriority(1<<30),
			mpb.BarRemoveOnComplete(),
			mpb.BarWidth(barWidth),
			mpb.PrependDecorators(decor.Any(b.summary, decor.WC{W: nameWidth, C: decor.DindentRight})),
			mpb.AppendDecorators(decor.NewPercentage("%3d", decor.WC{W: 6}), decor.Any(b.estimate, decor.WC{W: 14})),
		)
	}
	return b
}

func style() mpb.BarStyleComposer {
	return mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]")
}

// summary stands in front of the whole bar.
func (b *bars) summary(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf("%d of %d done", b.ends-b.failed, b.count)
	if b.failed > 0 {
		text += fmt.Sprintf(", %d failed", b.failed)
	}
	return text
}

// estimate says how long the whole will take, once that can be told.
func (b *bars) estimate(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	elapsed := time.Since(b.started)
	if elapsed < 2*time.Second || b.done*50 < b.total {
		return ""
	}
	left := time.Duration(float64(elapsed) * float64(b.total-b.done) / float64(b.done))
	unit := time.Second
	if left > time.Hour {
		unit = time.Minute
	}
	text := max(left.Round(unit), time.Second).String()
	if unit == time.Minute {
		text = strings.TrimSuffix(text, "0s")
	}
	return text + " left"
}

func (b *bars) sending(id, name string, sent, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	u := b.uploads[id]
	if u == nil {
		u = &upload{bar: b.container.New(max(total, 0), style(),
			mpb.BarRemoveOnComplete(),
			mpb.BarWidth(barWidth),
			mpb.PrependDecorators(decor.Name(label(name), decor.WC{W: nameWidth, C: decor.DindentRight})),
			mpb.AppendDecorators(decor.NewPercentage("%3d", decor.WC{W: 6}), decor.AverageSpeed(decor.SizeB1000(0), "% .1f", decor.WC{W: 14})),
		)}
		b.uploads[id] = u
	}
	u.bar.SetCurrent(sent)
	b.add(sent - u.sent)
	u.sent = sent
}

func (b *bars) sent(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if u := b.uploads[id]; u != nil {
		delete(b.uploads, id)
		u.bar.Abort(true)
	}
}

func (b *bars) ended(size int64, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ends++
	if failed {
		b.failed++
	}
	b.add(size)
}

func (b *bars) skip(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ends++
	if b.whole != nil && !b.closed {
		b.total -= 2 * size
		b.whole.SetTotal(max(b.total, b.done+1), false) // a full bar would end, and be gone before the others
	}
}

// add moves the whole bar. The caller holds the lock.
func (b *bars) add(n int64) {
	b.done += n
	if b.whole != nil && !b.closed {
		b.whole.SetCurrent(min(b.done, b.total-1))
	}
}

// printf puts the line above the bars when both go to the same terminal.
func (b *bars) printf(format string, args ...any) error {
	if !b.e.stdoutTerminal {
		return b.e.printf(format, args...)
	}
	return b.above(format, args...)
}

func (b *bars) complain(format string, args ...any) { _ = b.above("scriptix: "+format, args...) }

func (b *bars) above(format string, args ...any) error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		b.e.note(format, args...)
		return nil
	}
	_, err := fmt.Fprintf(b.container, format+"\n", args...)
	return err
}

func (b *bars) close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	for _, u := range b.uploads {
		u.bar.Abort(true)
	}
	if b.whole != nil {
		b.whole.Abort(true)
	}
	b.mu.Unlock()
	b.container.Wait()
}

// label is what stands in front of a recording's bar: its path where there is room.
func label(path string) string {
	name := oneLine(path)
	if utf8.RuneCountInString(name) >= nameWidth {
		name = oneLine(filepath.Base(path))
	}
	return fit(name, nameWidth-1)
}

// fit shortens a name in its middle: its beginning and its end tell most.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	tail := (width - 1) / 2
	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// bytesText is a size for people.
func bytesText(n int64) string {
	if n < 0 {
		return "of unknown size"
	}
	return strings.TrimSpace(fmt.Sprintf("% .1f", decor.SizeB1000(n)))
}
