package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
)

func TestAClickOnALineATimeOrAWordSeeksTheAudio(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.until(`document.querySelector("audio").readyState >= 1`)
	assert.InDelta(t, 22.244, eval[float64](b, `document.querySelector("audio").duration`), 0.1)

	b.click("#l4 a.time")
	assert.InDelta(t, 7.968, b.time(), 0.01)
	assert.Equal(t, 4, b.now())

	b.run(`document.querySelector("#l6").click()`)
	assert.InDelta(t, 12.732, b.time(), 0.01)

	word := eval[float64](b, `+document.querySelectorAll("#l2 .w")[3].dataset.s`)
	b.click("#l2 .w:nth-of-type(4)")
	assert.InDelta(t, word, b.time(), 0.01)
	assert.Equal(t, 2, b.now())
	assert.Equal(t, "recordings", eval[string](b, `document.querySelector(".w.on").textContent`))
	assert.True(t, eval[bool](b, `document.querySelector("audio").paused`), "a jump does not start what was paused")
	assert.Equal(t, "true", eval[string](b, `document.querySelector("#l2").getAttribute("aria-current")`))
	assert.Equal(t, 1, eval[int](b, `document.querySelectorAll("[aria-current], .line.now").length`))
}

func TestTextThatIsSelectedIsNotAJump(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.run(`getSelection().selectAllChildren(document.querySelector("#l5 .said"));
		document.querySelector("#l5 .said").dispatchEvent(new MouseEvent("click", {bubbles: true}))`)
	assert.Zero(t, b.time())
}

func TestTheHighlightMovesWithTheAudio(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	assert.Equal(t, 1, b.now())

	b.run(`document.querySelector("audio").currentTime = 11.5`)
	b.until(`document.querySelector(".line.now")?.id === "l5"`)
	b.run(`document.querySelector("audio").currentTime = 11.2`)
	b.until(`document.querySelector(".line.now")?.id === "l4"`) // a pause belongs to the line before it

	// As it plays: the next lines, words, and the head of the strip.
	before := eval[float64](b, `document.querySelector("#head").getBoundingClientRect().x`)
	b.run(`document.querySelector("audio").playbackRate = 4`)
	b.press(" ")
	b.until(`!document.querySelector("audio").paused`)
	b.until(`document.querySelector(".line.now")?.id === "l5"`)
	b.until(`document.querySelector(".line.now")?.id === "l6" && document.querySelector(".w.on")?.textContent === "dropped"`)
	b.press(" ")
	b.until(`document.querySelector("audio").paused`)
	assert.Greater(t, eval[float64](b, `document.querySelector("#head").getBoundingClientRect().x`), before)
}

func TestTheSearchCountsAndHighlights(t *testing.T) {
	t.Parallel()
	tr := meeting(t)
	tr.Segments = append(tr.Segments, scriptix.Segment{Start: 22 * time.Second, End: 22200 * time.Millisecond, Text: "Le café, CAFE\u0301 İi and straße 😀 x."})
	b := open(t, embedded(t, tr, "Planning"))
	highlights := func(name string) []string {
		return eval[[]string](b, fmt.Sprintf(`[...CSS.highlights.get(%q)].map(r => r.toString())`, name))
	}
	count := func() string { return eval[string](b, `document.querySelector("#count").textContent`) }
	search := func(text, want string) {
		b.run(`document.activeElement.blur()`)
		b.press("/")
		assert.Equal(t, "query", eval[string](b, `document.activeElement.id`))
		b.run(`document.querySelector("#count").textContent = ""`)
		b.typeText(text)
		b.until(fmt.Sprintf(`document.querySelector("#count").textContent === %q`, want))
	}

	search("THE L", "1 of 2")
	assert.Equal(t, []string{"The l", "the l"}, highlights("found"), "across words")
	assert.Equal(t, []string{"The l"}, highlights("hit"))
	b.press("\r")
	assert.Equal(t, "2 of 2", count())
	assert.Equal(t, []string{"the l"}, highlights("hit"))
	b.run(`document.activeElement.blur()`)
	b.press("n")
	assert.Equal(t, "1 of 2", count(), "round to the first")
	b.press("N")
	assert.Equal(t, "2 of 2", count())
	b.click("#previous")
	assert.Equal(t, "1 of 2", count())
	b.click("#next")
	assert.Equal(t, "2 of 2", count())

	search("cafe", "1 of 2")
	assert.Equal(t, []string{"café", "CAFE"}, highlights("found"))
	search("aße 😀 x", "1 of 1")
	b.until(`[...CSS.highlights.get("found")].map(r => r.toString()).join() === "aße 😀 x"`) // a part of it has as many matches
	search("nowhere", "no match")
	assert.Empty(t, highlights("found"))
	assert.True(t, eval[bool](b, `document.querySelector("#next").disabled`))

	search("four hundred", "1 of 1")
	b.press(kb.Escape)
	b.until(`document.querySelector("#count").textContent === ""`)
	assert.Empty(t, highlights("found"))
	assert.NotEqual(t, "query", eval[string](b, `document.activeElement.id`))
}

func TestMarkupInATranscriptShowsAsText(t *testing.T) {
	t.Parallel()
	const evil = `<script>document.title = "owned"</script><img src=x onerror="document.title = 'owned'">`
	tr := meeting(t)
	tr.Segments[0].Text, tr.Segments[0].Words = evil, nil
	for i := range tr.Segments {
		tr.Segments[i].Speaker = evil
	}
	tr.Speakers = nil
	b := open(t, embedded(t, tr, evil))
	assert.Equal(t, evil, eval[string](b, `document.querySelector("#l1 .said").textContent`))
	assert.Equal(t, evil, eval[string](b, `document.querySelector("h1").textContent`))
	assert.Equal(t, evil, eval[string](b, `document.querySelector(".who").textContent`))
	assert.Equal(t, evil, eval[string](b, `document.title`))
	assert.Zero(t, eval[int](b, `document.images.length`))
	assert.Equal(t, 1, eval[int](b, `document.scripts.length`))
}

func TestTheStripShowsLanesAndSeeks(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	assert.Equal(t, []int{4, 4}, eval[[]int](b, `[...document.querySelectorAll(".lanes path")].map(p => p.getAttribute("d").split("z").length - 1)`))
	assert.Equal(t, "slider", eval[string](b, `document.querySelector("#plot").getAttribute("role")`))

	box := eval[[]float64](b, `(r => [r.x, r.y, r.width, r.height])(document.querySelector("#plot").getBoundingClientRect())`)
	b.do(chromedp.MouseClickXY(box[0]+box[2]/2, box[1]+8))
	assert.InDelta(t, 11.12, b.time(), 0.05)
	assert.Equal(t, 4, b.now())
	assert.Equal(t, "0:11 of 0:22, Speaker 2", eval[string](b, `document.querySelector("#plot").getAttribute("aria-valuetext")`))
	assert.InDelta(t, box[0]+box[2]/2, eval[float64](b, `document.querySelector("#head").getBoundingClientRect().x`), 2)
}

func TestTheKeyboardReachesAndDoesEverything(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.until(`document.querySelector("audio").readyState >= 1`)

	b.press(kb.ArrowRight, kb.ArrowRight)
	assert.InDelta(t, 10, b.time(), 0.01)
	b.press(kb.ArrowLeft)
	assert.InDelta(t, 5, b.time(), 0.01)
	b.press(kb.End)
	assert.InDelta(t, 20.129, b.time(), 0.01)
	assert.Equal(t, 8, b.now())
	b.press(kb.Home)
	assert.Zero(t, b.time())
	b.press("f")
	assert.False(t, eval[bool](b, `document.querySelector("#follow").checked`))

	// By tab: the player's own controls, search, strip, details and every time, each with a visible focus.
	reached := map[string]bool{}
	for range 60 {
		b.press(kb.Tab)
		at := eval[[]string](b, `(e => [e.id || e.className || e.textContent.trim(), e.closest(".line")?.id ?? "", getComputedStyle(e).outlineStyle])(document.activeElement)`)
		reached[at[0]+at[1]] = true
		if at[0] != "audio" && document(at[0]) {
			assert.NotEqual(t, "none", at[2], "the focus on %v can be seen", at)
		}
		if at[1] == "l8" {
			break
		}
	}
	for _, want := range []string{"skip", "audio", "query", "follow", "plot", "Who speaks how much", "timel1", "timel8"} {
		assert.True(t, reached[want], "%s in %v", want, reached)
	}
	b.press(kb.ArrowUp, kb.ArrowUp, "\r")
	assert.InDelta(t, 12.732, b.time(), 0.01, "the time of line 6, by arrows and Enter")

	// Keys with a modifier are the browser's own, and what is typed into the search stays there.
	b.do(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierAlt)), chromedp.Focus(chromedp.CSS("#query")))
	b.typeText("n /f")
	assert.Equal(t, "n /f", eval[string](b, `document.querySelector("#query").value`))
	assert.InDelta(t, 12.732, b.time(), 0.01)
}

// document tells a real element from the page itself, where the focus is before the first and after the last one.
func document(id string) bool { return id != "live" && id != "" }

func TestAPageWithoutAudioIsSearchedAndReadButNotJumpedIn(t *testing.T) {
	t.Parallel()
	b := open(t, write(t, meeting(t), page.Options{}))
	assert.Contains(t, eval[string](b, `document.querySelector("#note").textContent`), "No audio comes with this page")
	b.click("#l4 .said")
	b.press(" ", kb.ArrowRight, kb.End, "f")
	assert.Zero(t, b.now())
	assert.Equal(t, "img", eval[string](b, `document.querySelector("#plot").getAttribute("role")`))
	assert.True(t, eval[bool](b, `document.querySelector("#head").hidden`))
	b.press("/")
	b.typeText("people")
	b.until(`document.querySelector("#count").textContent === "1 of 1"`)
}

func TestAudioThatIsNotThereSwitchesJumpingOff(t *testing.T) {
	t.Parallel()
	b := open(t, write(t, meeting(t), page.Options{Audio: "missing.wav"}))
	b.until(`document.querySelector("#note").textContent.includes("could not be loaded")`)
	b.click("#l4 .said")
	assert.False(t, eval[bool](b, `document.documentElement.classList.contains("live")`))
	b.forgive("ERR_FILE_NOT_FOUND")
}

func TestAudioBesideThePageIsPlayedFromADisk(t *testing.T) {
	t.Parallel()
	name := write(t, meeting(t), page.Options{Audio: "audio/call #1 50%.wav"})
	data, err := os.ReadFile(filepath.Join(testdata, "meeting.wav"))
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(name), "audio"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(name), "audio", "call #1 50%.wav"), data, 0o600))
	b := open(t, name)
	b.until(`document.querySelector("audio").readyState >= 1`)
	b.click("#l7 a.time")
	b.until(`Math.abs(document.querySelector("audio").currentTime - 16.965) < 0.01`)
	assert.Equal(t, 7, b.now())
	assert.Equal(t, "#l7", eval[string](b, `location.hash`))

	b.do(chromedp.Reload())
	b.until(`document.querySelector(".line.now")?.id === "l7"`) // a link to a line opens there
}

func TestThePolicyOfThePageLetsNothingElseIn(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	var came atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(server.Close)
	b.run(`{
		const s = document.createElement("script"); s.textContent = "document.title = 'owned'"; document.body.append(s);
		document.body.insertAdjacentHTML("beforeend", "<img src='` + server.URL + `/x.png'>");
		fetch("` + server.URL + `").catch(() => { window.refused = true });
	}`)
	b.until(`window.refused === true`)
	assert.Equal(t, "Planning", eval[string](b, `document.title`))
	assert.Zero(t, came.Load())
	b.forgive("Content Security Policy")
}

func TestTheTextIsReadableWithoutJavaScript(t *testing.T) {
	t.Parallel()
	b := newTab(t)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate("file://"+embedded(t, meeting(t), "Planning")), chromedp.WaitVisible(chromedp.CSS("#l8")))
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	require.NoError(t, err)
	for _, want := range []string{"Without JavaScript there is no search", "Good morning, shall we begin with the agenda?", "I will, and you get the list today.", "Speaker 2"} {
		assert.Contains(t, text, want)
	}
	b.do(chromedp.WaitNotVisible(chromedp.CSS("#search")))
}

func TestLinesFollowTheirOwnDirectionAndLanguage(t *testing.T) {
	t.Parallel()
	tr := &scriptix.Transcript{Language: "he", Segments: []scriptix.Segment{
		{End: time.Second, Text: "שלום לכולם"}, {Start: time.Second, End: 2 * time.Second, Text: "Hello everyone"}}}
	b := open(t, write(t, tr, page.Options{}))
	assert.Equal(t, []string{"rtl", "ltr"}, eval[[]string](b, `[...document.querySelectorAll(".said")].map(e => getComputedStyle(e).direction)`))
	assert.True(t, eval[bool](b, `document.querySelector("#l1").matches(":lang(he)")`))
	assert.Equal(t, "Hebrew", eval[string](b, `document.querySelector("#language").textContent`))
}

func TestOverlappingAndReversedLinesAreFound(t *testing.T) {
	t.Parallel()
	s := func(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
	tr := &scriptix.Transcript{Segments: []scriptix.Segment{
		{Start: s(10), End: s(12), Text: "out of order"},
		{Start: s(0), End: s(9), Text: "a long one"},
		{Start: s(3), End: s(2), Text: "reversed, within it"},
		{Start: s(5), End: s(5), Text: "an instant"},
	}}
	b := open(t, embedded(t, tr, "Overlaps"))
	for _, tt := range []struct {
		at   float64
		want int
	}{{0, 1}, {2.5, 2}, {4, 1}, {6, 1}, {9.5, 3}, {11, 4}, {15, 4}} {
		b.run(fmt.Sprintf(`document.querySelector("audio").currentTime = %g`, tt.at))
		b.until(fmt.Sprintf(`document.querySelector(".line.now")?.id === "l%d"`, tt.want))
	}
}

func TestTenThousandLinesStayQuick(t *testing.T) {
	t.Parallel()
	tr := &scriptix.Transcript{}
	for i := range 10_000 {
		start := time.Duration(i) * 2 * time.Millisecond
		seg := scriptix.Segment{Start: start, End: start + 2*time.Millisecond, Speaker: fmt.Sprint("Speaker ", 1+i%3), Text: fmt.Sprintf("This is line %d of a very long evening.", i+1), Confidence: 0.9}
		for _, w := range []string{"This", "is", "line", "of", "a", "very", "long", "evening"} {
			seg.Words = append(seg.Words, scriptix.Word{Text: w, Start: start})
		}
		tr.Segments = append(tr.Segments, seg)
	}
	b := open(t, embedded(t, tr, "Evening"))
	assert.Equal(t, 10_000, eval[int](b, `document.querySelectorAll(".line").length`))

	// Far slower machines than a laptop pass; a page that lays out everything at each step does not.
	quick := func(what, js string) {
		took := eval[float64](b, `(() => { const t = performance.now(); `+js+`; document.body.offsetHeight; return performance.now() - t })()`)
		t.Logf("%s: %.0f ms", what, took)
		assert.Less(t, took, 2000.0, what)
	}
	quick("a jump to the end", `document.querySelector("#l10000").click()`)
	assert.Equal(t, 10_000, b.now())
	b.press(kb.Home)
	b.until(`(r => r.top >= document.querySelector("#bar").getBoundingClientRect().bottom && r.bottom <= innerHeight)(document.querySelector("#l1").getBoundingClientRect())`)
	b.press(kb.End)
	b.until(`(r => r.top >= document.querySelector("#bar").getBoundingClientRect().bottom && r.bottom <= innerHeight)(document.querySelector("#l10000").getBoundingClientRect())`)
	quick("a hundred steps of the audio", `for (let i = 0; i < 100; i++) { const a = document.querySelector("audio"); a.currentTime = i / 5; a.dispatchEvent(new Event("seeked")); document.body.offsetHeight }`)
	b.press("/")
	b.run(`document.querySelector("#query").value = "evening"`)
	began := time.Now()
	b.run(`document.querySelector("#query").dispatchEvent(new Event("input"))`)
	b.until(`document.querySelector("#count").textContent === "1 of 10000"`)
	t.Logf("a search with ten thousand matches: %v", time.Since(began))
	quick("the next match", `document.querySelector("#next").click()`)
}
