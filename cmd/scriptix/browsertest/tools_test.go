package browsertest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// name types a speaker's name into its field.
func (b *tab) name(number int, name string) {
	b.t.Helper()
	b.run(fmt.Sprintf(`{ document.querySelector("#out").open = true; const i = document.querySelectorAll("#people input")[%d]; i.value = %q; i.dispatchEvent(new Event("input")); }`, number, name))
}

// download clicks a button and returns what would be saved, and as what.
func (b *tab) download(format string) (name, content string) {
	b.t.Helper()
	b.run(`document.querySelector("#out").open = true;
		window.blobs = []; window.links = [];
		URL.createObjectURL = blob => { window.blobs.push(blob); return "blob:nothing"; };
		HTMLAnchorElement.prototype.click = function () { window.links.push(this.download); };`)
	b.run(fmt.Sprintf(`document.querySelector("#downloads [data-format=%s]").click()`, format))
	content, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`window.blobs[0].text()`, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return eval[string](b, `window.links[0]`), content
}

func TestSpeakersAreNamedAndStayNamedInTheBrowser(t *testing.T) {
	t.Parallel()
	tr := meeting(t)
	tr.JobID = "named" // the names are kept for this content, and all files share a shelf
	b := open(t, embedded(t, tr, "Planning.wav"))
	b.name(0, "  Ana  María ")
	assert.Equal(t, "Ana María", eval[string](b, `document.querySelector(".who").textContent`))
	picture(b, "naming")
	assert.Equal(t, []string{"Ana María", "Speaker 2"}, eval[[]string](b, `[...document.querySelectorAll(".names li")].map(e => e.textContent)`))
	assert.Equal(t, []string{"Ana María", "Speaker 2"}, eval[[]string](b, `[...document.querySelectorAll("tbody th")].map(e => e.textContent)`))
	assert.Equal(t, []string{"All speakers", "Ana María", "Speaker 2"}, eval[[]string](b, `[...document.querySelector("#only").options].map(e => e.textContent)`))
	b.run(`document.querySelector("audio").currentTime = 1`)
	b.until(`document.querySelector("#plot").getAttribute("aria-valuetext")?.includes("Ana María")`)

	b.do(chromedp.Reload())
	b.until(`document.querySelector(".who")?.textContent === "Ana María"`)
	b.name(0, "")
	assert.Equal(t, "Speaker 1", eval[string](b, `document.querySelector(".who").textContent`), "an empty name is the service's")
	b.name(0, `<img src=x onerror="document.title='owned'">`)
	assert.Equal(t, "Planning.wav", eval[string](b, `document.title`))
	assert.Zero(t, eval[int](b, `document.images.length`))
}

func TestWhatIsDownloadedHasTheNames(t *testing.T) {
	t.Parallel()
	tr := meeting(t)
	tr.JobID = "downloaded"
	tr.Segments[0].Text = `Good <b>morning</b> & {\an8} --> *x*`
	tr.Segments[0].Words = nil
	b := open(t, embedded(t, tr, "Planning.wav"))
	b.name(0, "Ana <x>")

	name, srt := b.download("srt")
	assert.Equal(t, "Planning.srt", name)
	want := meeting(t)
	want.Segments[0].Text, want.Segments[0].Words = tr.Segments[0].Text, nil
	cues := subtitle.Cues(want, subtitle.Options{})
	assert.Equal(t, len(cues), strings.Count(srt, "\n\n")+1)
	assert.True(t, strings.HasPrefix(srt, "1\n00:00:00,000 --> "), srt)
	plain := strings.ReplaceAll(srt, "\u2060", "")
	assert.Contains(t, plain, "Ana <x>: Good <b>morning</b> & {\\an8} --> *x*\n")
	assert.NotContains(t, srt, "<b>", "no player takes it for markup")
	assert.Contains(t, srt, "Speaker 2: Morning")

	_, vtt := b.download("vtt")
	assert.True(t, strings.HasPrefix(vtt, "WEBVTT\n\n00:00:00.000 --> "), vtt)
	assert.Contains(t, vtt, "<v Ana &lt;x&gt;>Good &lt;b&gt;morning&lt;/b&gt; &amp; {\\an8} --&gt; *x*\n")
	assert.Contains(t, vtt, "<v Speaker 2>")

	_, txt := b.download("txt")
	assert.True(t, strings.HasPrefix(txt, "Ana <x>: Good <b>morning</b> & {\\an8} --> *x*\n\nSpeaker 2: "), txt)
	assert.Equal(t, 8, strings.Count(txt, ": "))

	_, md := b.download("md")
	assert.True(t, strings.HasPrefix(md, "# Planning.wav\n\n**Ana \\<x\\>** (0:00)\n\nGood \\<b\\>morning\\</b\\>"), md)

	_, text := b.download("json")
	var read scriptix.Transcript
	require.NoError(t, json.Unmarshal([]byte(text), &read))
	require.Len(t, read.Segments, 8)
	assert.Equal(t, "Ana <x>", read.Segments[0].Speaker)
	assert.Equal(t, "Ana <x>", read.Speakers[0].ID)
	assert.Equal(t, tr.Segments[1].Words, read.Segments[1].Words)
	assert.InDelta(t, tr.Segments[7].Confidence, read.Segments[7].Confidence, 0)
}

func TestWithoutNamesADownloadIsWhatTheCommandLineWrites(t *testing.T) {
	t.Parallel()
	tr := &scriptix.Transcript{Segments: []scriptix.Segment{
		{Start: 0, End: 2 * time.Second, Text: "One <2 and 3>."}, {Start: 2 * time.Second, End: 4 * time.Second, Text: "你好。", Speaker: "B"},
		{Start: 4 * time.Second, End: 6 * time.Second, Text: "今天 好", Speaker: "B"}, {Start: 6 * time.Second, End: 9 * time.Second, Text: `AT&T &lt; C:\new { {y:i}`, Speaker: "A"},
	}}
	b := open(t, write(t, tr, page.Options{Title: "x"}))
	cues := subtitle.Cues(tr, subtitle.Options{})
	var vtt, txt strings.Builder
	require.NoError(t, subtitle.WriteVTT(&vtt, cues))
	require.NoError(t, subtitle.WriteText(&txt, tr))
	_, got := b.download("vtt")
	assert.Equal(t, vtt.String(), got)
	_, got = b.download("txt")
	assert.Equal(t, txt.String(), got)
	named := subtitle.Cues(tr, subtitle.Options{})
	for i, c := range named {
		if c.Speaker != "" && (i == 0 || named[i-1].Speaker != c.Speaker) {
			named[i].Lines[0] = c.Speaker + ": " + c.Lines[0]
		}
	}
	var srt strings.Builder
	require.NoError(t, subtitle.WriteSRT(&srt, named))
	_, got = b.download("srt")
	assert.Equal(t, srt.String(), got)
}

func TestLinesAreCopied(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.run(`navigator.clipboard.writeText = async s => { window.copied = s; }`)
	copied := func(js string) string {
		b.run(`window.copied = null; ` + js)
		b.until(`window.copied !== null`)
		return eval[string](b, `window.copied`)
	}
	b.run(`document.querySelector("#l2").dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	assert.Equal(t, 1, eval[int](b, `document.querySelectorAll(".copy").length`), "one button for all lines")
	line := eval[string](b, `document.querySelector("#l2 .said").textContent`)
	assert.Equal(t, line, copied(`document.querySelector("#l2 .copy").click()`))
	assert.Equal(t, "The line was copied.", eval[string](b, `document.querySelector("#done").textContent`))
	assert.Zero(t, b.time(), "a click on it is no jump")
	b.run(`document.querySelector("#withtimes").checked = true`)
	assert.Equal(t, "[0:02] Speaker 2: "+line, copied(`document.querySelector("#l2 .copy").click()`))
	all := copied(`document.querySelector("#copyall").click()`)
	assert.Equal(t, 8, strings.Count(all, "\n"))
	assert.True(t, strings.HasPrefix(all, "[0:00] Speaker 1: Good morning,"), all)
	b.run(`document.querySelector("#withtimes").checked = false`)
	assert.True(t, strings.HasPrefix(copied(`document.querySelector("#copyall").click()`), "Speaker 1: Good morning,"))
	b.run(`document.querySelector("#l3 a.time").focus()`)
	b.run(`window.copied = null`)
	b.press("c")
	b.until(`window.copied === document.querySelector("#l3 .said").textContent`)
}

func TestThePlaybackSpeedHasKeys(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.press(">", ">")
	assert.InDelta(t, 1.5, eval[float64](b, `document.querySelector("audio").playbackRate`), 0.001)
	assert.Equal(t, "1.5", eval[string](b, `document.querySelector("#speed").value`))
	for range 9 {
		b.press("<")
	}
	assert.InDelta(t, 0.5, eval[float64](b, `document.querySelector("audio").playbackRate`), 0.001)
	b.run(`document.querySelector("#speed").value = "2"; document.querySelector("#speed").dispatchEvent(new Event("change"))`)
	assert.InDelta(t, 2, eval[float64](b, `document.querySelector("audio").playbackRate`), 0.001)
}

func TestUnsureWordsAreVisitedOneAfterAnother(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	var visited []string
	for range 3 {
		b.click("#unsure")
		visited = append(visited, eval[string](b, `[...CSS.highlights.get("hit")].map(r => r.toString()).join()`))
	}
	unsure := eval[[]string](b, `[...document.querySelectorAll(".w.u")].map(e => e.textContent)`)
	require.GreaterOrEqual(t, len(unsure), 2)
	want := append([]string{}, unsure...)
	for len(want) < 3 {
		want = append(want, want...)
	}
	assert.Equal(t, want[:3], visited)
	assert.Contains(t, eval[string](b, `document.querySelector("#done").textContent`), "48% sure")
	assert.Positive(t, b.time(), "the audio goes along")
	b.press("U")
	assert.Equal(t, want[1], eval[string](b, `[...CSS.highlights.get("hit")].map(r => r.toString()).join()`))
}

func TestOneSpeakersLinesAreShown(t *testing.T) {
	t.Parallel()
	b := open(t, embedded(t, meeting(t), "Planning"))
	b.run(`document.querySelector("#only").value = "1"; document.querySelector("#only").dispatchEvent(new Event("change"))`)
	assert.Equal(t, 4, eval[int](b, `[...document.querySelectorAll(".line")].filter(e => e.checkVisibility()).length`))
	assert.Equal(t, []string{"Speaker 2"}, eval[[]string](b, `[...new Set([...document.querySelectorAll(".who")].filter(e => e.checkVisibility()).map(e => e.textContent))]`))
	all := eval[int](b, `[...document.querySelectorAll(".said")].filter(e => e.textContent.toLowerCase().includes("the")).length`)
	b.run(`document.querySelector("#query").value = "the"; document.querySelector("#query").dispatchEvent(new Event("input"))`)
	b.until(`document.querySelector("#count").textContent !== ""`)
	assert.NotContains(t, eval[string](b, `document.querySelector("#count").textContent`), fmt.Sprintf("of %d", all), "a search finds what is shown")
	b.run(`document.querySelector("#only").value = ""; document.querySelector("#only").dispatchEvent(new Event("change"))`)
	assert.Equal(t, 8, eval[int](b, `[...document.querySelectorAll(".line")].filter(e => e.checkVisibility()).length`))
}

func TestSeekingWhilePausedScrollsToTheLine(t *testing.T) {
	t.Parallel()
	tr := meeting(t)
	for i := range 60 {
		start := time.Duration(i)*200*time.Millisecond + 9*time.Second
		tr.Segments = append(tr.Segments, scriptix.Segment{Start: start, End: start + 100*time.Millisecond, Text: fmt.Sprint("One more line, number ", i), Speaker: "Speaker 1"})
	}
	b := open(t, embedded(t, tr, "Planning"))
	b.run(`document.querySelector("audio").currentTime = 21`)
	b.until(`(r => r && r.top > 0 && r.bottom <= innerHeight)(document.querySelector(".line.now")?.getBoundingClientRect()) && scrollY > 100`)
	b.run(`document.querySelector("#follow").checked = false; document.querySelector("audio").currentTime = 0`)
	b.until(`document.querySelector(".line.now")?.id === "l1"`)
	assert.Greater(t, eval[float64](b, `scrollY`), 100.0, "not if nobody asked to follow")
}

func TestAudioThatIsMissingIsOpenedByHand(t *testing.T) {
	t.Parallel()
	recording, err := filepath.Abs(filepath.Join(testdata, "meeting.wav"))
	require.NoError(t, err)
	for name, o := range map[string]page.Options{"missing": {Audio: "calls/missing 1.wav"}, "none": {}} {
		b := open(t, write(t, meeting(t), o))
		if name == "missing" {
			b.until(`document.querySelector("#note").textContent.includes("calls/missing 1.wav")`)
			b.forgive("ERR_FILE_NOT_FOUND")
		}
		b.until(`document.querySelector("#open").checkVisibility()`)
		b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{recording}))
		b.until(`document.documentElement.classList.contains("live")`)
		assert.Empty(t, eval[string](b, `document.querySelector("#note").textContent`))
		assert.False(t, eval[bool](b, `document.querySelector("#open").checkVisibility()`))
		b.click("#l4 a.time")
		assert.InDelta(t, 7.968, b.time(), 0.01)
		assert.Equal(t, 4, b.now())
		assert.Equal(t, "slider", eval[string](b, `document.querySelector("#plot").getAttribute("role")`))
	}
	b := open(t, write(t, meeting(t), page.Options{}))
	text := filepath.Join(t.TempDir(), "notes.mp3")
	require.NoError(t, os.WriteFile(text, []byte("no sound"), 0o600))
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{text}))
	b.until(`document.querySelector("#note").textContent === "This browser cannot play that file."`)
}
