package browsertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const (
	testdata = "../../../examples/testdata"
	patience = 90 * time.Second // until the browser is there, on a machine with other work
)

// tab is one page in a browser of its own, and what went wrong in it.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	console  []string
	requests map[network.RequestID]string
}

// browser is the one browser of all tests, started by the first.
var browser = sync.OnceValues(startBrowser)

func TestMain(m *testing.M) {
	code := m.Run()
	if ctx, err := browser(); err == nil {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
	}
	os.Exit(code)
}

// startBrowser starts the browser whose tabs the tests use.
func startBrowser() (context.Context, error) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		chromium, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		return nil, err
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium),
		chromedp.NoSandbox, // as root, in a container
		chromedp.WSURLReadTimeout(patience),
		chromedp.WindowSize(1100, 900),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("mute-audio", true),
	)...)
	ctx, _ = chromedp.NewContext(ctx)
	return ctx, chromedp.Do(ctx)
}

// open shows the page in file in a tab of its own.
func open(t *testing.T, file string) *tab {
	t.Helper()
	b := newTab(t)
	b.do(chromedp.Navigate("file://" + file))
	b.until(`document.readyState === "complete"`)
	return b
}

// newTab opens an empty tab. At the end of the test nothing may stand in its console, and nothing but files, data and blobs may
// have been asked for.
func newTab(t *testing.T) *tab {
	t.Helper()
	parent, err := browser()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("neither chromium nor google-chrome is on this machine: apt-get install chromium")
	}
	require.NoError(t, err)
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)

	b := &tab{t: t, ctx: ctx, requests: map[network.RequestID]string{}}
	b.do() // opens it
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // as if each tab were in front
	b.emulate("", "prefers-reduced-motion", "reduce")                                                    // no scroll goes on while the mouse is on its way
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, b.console, "the browser's console")
		assert.Empty(t, b.requests, "requests to a network")
	})
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.console = append(b.console, string(e.Type)+" from the console API")
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		b.console = append(b.console, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, "file:") && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:") {
			b.requests[e.RequestID] = url
		}
	case *network.EventLoadingFailed:
		if e.BlockedReason == network.BlockedReasonCsp {
			delete(b.requests, e.RequestID) // it was never sent
		}
	}
}

// forgive takes the console's entries that hold text, of which there must be one, from what the test's end looks at.
func (b *tab) forgive(text string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []string
	for _, line := range b.console {
		if !strings.Contains(line, text) {
			rest = append(rest, line)
		}
	}
	assert.Less(b.t, len(rest), len(b.console), "the console says nothing of %q", text)
	b.console = rest
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// emulate sets what the page's media queries see: a medium, "" for the screen, and pairs of a feature and its value.
func (b *tab) emulate(medium string, pairs ...string) {
	b.t.Helper()
	p := emulation.SetEmulatedMediaParams{Media: medium}
	for pair := range slices.Chunk(pairs, 2) {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: pair[0], Value: pair[1]})
	}
	call(b, emulation.SetEmulatedMedia, p)
}

// run runs statements in the page.
func (b *tab) run(js string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](js))
}

func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b.t, err)
}

// eval returns what an expression is in the page.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	require.NoError(b.t, err, js)
	return out
}

// until waits for an expression to become true, looked at once a frame.
func (b *tab) until(js string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](js, chromedp.WithPollingTimeout(20*time.Second)))
	require.NoError(b.t, err, "it never became true: %s", js)
}

// click clicks with the mouse into the middle of an element, once it has stood still from one frame to the next: the
// browser estimates the height of what it has not laid out yet.
func (b *tab) click(selector string) {
	b.t.Helper()
	at, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]float64](`(async e => {
		e.scrollIntoView({block: "nearest"});
		for (let last = "";;) {
			await new Promise(requestAnimationFrame);
			const r = e.getBoundingClientRect(), at = [r.x + r.width / 2, r.y + r.height / 2];
			if (last === String(at)) return at;
			last = String(at);
		}
	})(document.querySelector(`+strconv.Quote(selector)+`))`, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, selector)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// press presses keys, one after another.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.typeText(k)
	}
}

// typeText presses a key for each character. chromedp's own key events enter a character even where the page has
// prevented it; one event with both, like a keyboard's, does not.
func (b *tab) typeText(text string) {
	b.t.Helper()
	for _, r := range text {
		events := kb.Encode(r)
		down, up := events[0], events[len(events)-1]
		down.Type = input.DispatchKeyEventTypeRawKeyDown
		if len(events) == 3 {
			down.Type, down.Text, down.UnmodifiedText = input.DispatchKeyEventTypeKeyDown, events[1].Text, events[1].UnmodifiedText
		}
		call(b, input.DispatchKeyEvent, *down)
		call(b, input.DispatchKeyEvent, *up)
	}
}

// now is the number of the line that is shown as current, 0 for none.
func (b *tab) now() int {
	b.t.Helper()
	return eval[int](b, `+(document.querySelector(".line.now")?.id ?? "l0").slice(1)`)
}

func (b *tab) time() float64 {
	b.t.Helper()
	return eval[float64](b, `document.querySelector("audio").currentTime`)
}

// meeting is the transcript of the recorded meeting, with the confidence and the words that a service would give.
func meeting(t *testing.T) *scriptix.Transcript {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testdata, "meeting.txt"))
	require.NoError(t, err)
	segments := scriptixtest.Sidecar(string(text), 22244*time.Millisecond)
	require.Len(t, segments, 8)
	tr := &scriptix.Transcript{JobID: "stt_1", Language: "en", Duration: 22244 * time.Millisecond}
	sure := []float64{0.97, 0.93, 0.95, 0.88, 0.96, 0.74, 0.91, 0.55}
	for i, s := range segments {
		seg := scriptix.Segment{Start: s.Start, End: s.End, Text: s.Text, Speaker: s.Speaker, Confidence: sure[i]}
		words := strings.Fields(s.Text)
		each := (s.End - s.Start) / time.Duration(len(words))
		for k, w := range words {
			word := scriptix.Word{Start: s.Start + time.Duration(k)*each, End: s.Start + time.Duration(k+1)*each, Text: strings.ToLower(strings.Trim(w, ".,?")), Confidence: sure[i]}
			if word.Text == "second" || word.Text == "list" {
				word.Confidence = 0.48
			} else {
				word.Confidence = max(word.Confidence, 0.7)
			}
			seg.Words = append(seg.Words, word)
		}
		tr.Segments = append(tr.Segments, seg)
	}
	tr.Speakers = []scriptix.Speaker{{ID: "Speaker 1", Segments: 4}, {ID: "Speaker 2", Segments: 4}}
	return tr
}

// embedded writes the meeting's page with its audio inside.
func embedded(t *testing.T, tr *scriptix.Transcript, title string) string {
	t.Helper()
	audio, err := os.Open(filepath.Join(testdata, "meeting.wav"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, audio.Close()) })
	return write(t, tr, page.Options{Title: title, Embed: audio, MediaType: page.MediaType("meeting.wav")})
}

func write(t *testing.T, tr *scriptix.Transcript, o page.Options) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.html")
	f, err := os.Create(name)
	require.NoError(t, err)
	require.NoError(t, page.Write(f, tr, o))
	require.NoError(t, f.Close())
	return name
}
