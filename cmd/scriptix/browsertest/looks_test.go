package browsertest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// picture keeps what b shows in the folder that PAGE_PICTURES names, for whoever wants to look.
func picture(b *tab, name string) {
	b.t.Helper()
	dir := os.Getenv("PAGE_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// contrasts returns the text that is hard to read: for each element with text of its own that is to be seen, the ratio
// of its colour to that of what is behind it, where it is below what WCAG AA asks of text that small.
const contrasts = `(() => {
	const rgb = s => s.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
	const bad = [];
	let seen = 0;
	for (const e of document.querySelectorAll("body *:not(script):not(noscript)")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
		seen++;
		const front = getComputedStyle(e)[e.closest("svg") ? "fill" : "color"];
		const [a, b] = [light(rgb(front)), light(behind(e))].sort((x, y) => y - x);
		if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.className + " " + e.textContent.slice(0, 30) + " " + ((a + 0.05) / (b + 0.05)).toFixed(2));
	}
	return seen < 20 ? ["only " + seen + " elements with text"] : bad;
})()`

func TestThePageIsReadableInLightAndDarkOnAScreenAndOnAPhone(t *testing.T) {
	t.Parallel()
	file := embedded(t, meeting(t), "Morning meeting, 3 March")
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"screen", 1100, 880}, {"phone", 390, 844}, {"smallest", 320, 568}} {
		for _, scheme := range []string{"light", "dark"} {
			name := size.name + "-" + scheme
			b := open(t, file)
			b.emulate("", "prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce")
			b.do(chromedp.EmulateViewport(size.width, size.height, chromedp.EmulateScale(2)))
			b.until(`document.querySelector("audio").readyState >= 4`)
			b.run(`document.querySelector("audio").currentTime = 10; document.querySelector("#query").value = "the"; document.querySelector("#query").dispatchEvent(new Event("input"))`)
			b.until(`document.querySelector("#count").textContent.includes("of") && document.querySelector(".line.now")?.id === "l4"`)
			b.until(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)

			assert.Empty(t, eval[[]string](b, contrasts), name)
			assert.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth`), int(size.width), "%s scrolls sideways", name)
			assert.Less(t, eval[float64](b, `document.querySelector("#bar").offsetHeight / innerHeight`), 0.5, "%s: the bar leaves room for the text", name)
			dark := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
			assert.Equal(t, map[string]string{"light": "rgb(252, 251, 249)", "dark": "rgb(21, 22, 24)"}[scheme], dark, name)
			picture(b, name)
		}
	}
}

func TestManySpeakersAndLongNamesStayWithinThePage(t *testing.T) {
	t.Parallel()
	tr := &scriptix.Transcript{Language: "en"}
	for i := range 14 {
		name := []string{"Anneke van den Heuvel-Oosterhuis, Rijkswaterstaat", "Bo", "Çağla", "Speaker with a name of a hundred letters or thereabouts, and noblankstobreakatatallanywhereinhere"}[i%4] + string(rune('A'+i))
		at := time.Duration(i) * 1500 * time.Millisecond
		tr.Segments = append(tr.Segments, scriptix.Segment{Start: at, End: at + 1200*time.Millisecond, Speaker: name, Confidence: 0.3 + 0.05*float64(i),
			Text: "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft said this at some length, and then said it again."})
	}
	b := open(t, embedded(t, tr, "Averyveryverylongtitlewithoutanyblanksthatgoesonandonandonandonandonandon and on"))
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)))
	b.run(`document.querySelector(".figures").open = true`)
	b.until(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	assert.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth`), 390)
	assert.Less(t, eval[float64](b, `document.querySelector("#bar").offsetHeight / innerHeight`), 0.5)
	picture(b, "many-speakers")
}

func TestAPrintHasTimesAndSpeakersButNoPlayer(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Morning meeting, 3 March"))
	b.run(`document.querySelector("audio").currentTime = 10`)
	b.until(`document.querySelector(".line.now")?.id === "l4"`)
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(pdf, []byte("%PDF-")))
	if dir := os.Getenv("PAGE_PICTURES"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "print.pdf"), pdf, 0o600))
	}

	b.emulate("print", "prefers-color-scheme", "dark")
	assert.Equal(t, "rgb(255, 255, 255)", eval[string](b, `getComputedStyle(document.body).backgroundColor`), "paper is white in dark mode too")
	visible := func(selector string) bool {
		return eval[bool](b, `document.querySelector("`+selector+`").checkVisibility()`)
	}
	for _, hidden := range []string{"audio", "#search", "#note", "#head", "footer", ".skip"} {
		assert.False(t, visible(hidden), hidden)
	}
	for _, shown := range []string{"h1", ".who", "#l1 .time", "#l8 .said", ".lanes"} {
		assert.True(t, visible(shown), shown)
	}
	assert.Empty(t, eval[[]string](b, contrasts))
}
