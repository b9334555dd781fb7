package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
)

const s = time.Second

func meeting() *scriptix.Transcript {
	return &scriptix.Transcript{
		JobID: "stt_1", Language: "en", Duration: 10 * s, Text: "Good morning. Morning. Shall we begin?",
		Speakers: []scriptix.Speaker{{ID: "Speaker 1", Segments: 2}, {ID: "Speaker 2", Segments: 1}},
		Segments: []scriptix.Segment{
			{Start: 0, End: 2 * s, Text: "Good morning.", Speaker: "Speaker 1", Confidence: 0.97},
			{Start: 2500 * time.Millisecond, End: 4 * s, Text: "Morning.", Speaker: "Speaker 2", Confidence: 0.4},
			{Start: 5 * s, End: 8 * s, Text: "Shall we begin?", Speaker: "Speaker 1", Confidence: 0.9, Words: []scriptix.Word{
				{Start: 5 * s, End: 6 * s, Text: "shall", Confidence: 0.9},
				{Start: 6 * s, End: 7 * s, Text: "we", Confidence: 0.5},
				{Start: 7 * s, End: 8 * s, Text: "begin", Confidence: 0.9},
			}},
		},
	}
}

func write(t *testing.T, tr *scriptix.Transcript, o page.Options) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, page.Write(&b, tr, o))
	return b.String()
}

func TestThePageShowsEachLineWithItsTimeAndSpeaker(t *testing.T) {
	t.Parallel()
	html := write(t, meeting(), page.Options{Title: "Planning", Audio: "meeting.wav"})

	for _, want := range []string{
		`<title>Planning</title>`,
		`<h1 dir="auto">Planning</h1>`,
		`<div lang="en">`,
		`<source src="meeting.wav">`,
		`<h2 class="who s1" data-p="1" dir="auto">Speaker 2</h2>`,
		`<p class="line s1" id="l2" data-p="1" data-s="2.5" data-e="4"><a class="time" href="#l2">0:02</a> <span class="said u" dir="auto" title="40% sure">Morning.</span></p>`,
		`<span class="said" dir="auto">Shall we begin?</span>`,
		`["we",6,7,0.5]`,
		`<td>2</td><td>0:05</td><td>77%</td><td>93%</td>`,
	} {
		assert.Contains(t, html, want)
	}
	assert.Equal(t, 3, strings.Count(html, `<h2 class="who `))
}

func TestWhatTheTranscriptHoldsIsShownAsText(t *testing.T) {
	t.Parallel()
	const evil = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'"` + "`{{.}}"
	tr := &scriptix.Transcript{
		JobID: evil, Language: `en" onload="x`, Speakers: []scriptix.Speaker{{ID: evil}},
		Segments: []scriptix.Segment{
			{End: s, Text: evil, Speaker: evil},
			{Start: s, End: 2 * s, Text: "a " + evil, Words: []scriptix.Word{{Start: s, Text: evil}}},
		},
	}
	for name, o := range map[string]page.Options{
		"as title":          {Title: evil},
		"as the job's id":   {},
		"as the audio":      {Audio: evil + ".wav"},
		"as the script url": {Audio: "javascript:alert(1)"},
		"as the language":   {Language: evil},
	} {
		html := write(t, tr, o)
		assert.Equal(t, 1, strings.Count(html, "<script"), name)
		assert.Equal(t, 1, strings.Count(html, "</script"), name)
		assert.NotContains(t, html, "<img", name)
		assert.NotContains(t, html, `onload="x`, name)
		assert.NotContains(t, html, `src="javascript:`, name)
		assert.Contains(t, html, "&lt;script&gt;alert(1)&lt;/script&gt;", name)
		assert.NotContains(t, html, "ZgotmplZ", name)
	}
}

func TestOnlyTheScriptAndStylesOfThePageMayRun(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o     page.Options
		media string
	}{
		"no audio":          {page.Options{}, " media-src blob:;"},
		"audio beside it":   {page.Options{Audio: "a.wav"}, " media-src blob: 'self' file:;"},
		"audio embedded":    {page.Options{Embed: strings.NewReader("x"), MediaType: "audio/wav"}, " media-src blob: data:;"},
		"audio in a folder": {page.Options{Audio: "../audio/a 1#2?.wav"}, " media-src blob: 'self' file:;"},
	} {
		html := write(t, meeting(), tt.o)
		hash := func(element string) string {
			m := regexp.MustCompile(`(?s)<` + element + `>(.*)</` + element + `>`).FindStringSubmatch(html)
			require.Len(t, m, 2)
			sum := sha256.Sum256([]byte(m[1]))
			return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		want := "default-src 'none'; script-src " + hash("script") + "; style-src " + hash("style") + ";" + tt.media + " base-uri 'none'; form-action 'none'"
		m := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`).FindStringSubmatch(html)
		require.Len(t, m, 2)
		got := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(m[1])
		assert.Equal(t, want, got, name)
		assert.NotRegexp(t, `(?i)(src|href)="?(https?:)?//`, html, name)
		assert.NotRegexp(t, `<[a-z][^>]* (style|on[a-z]+)=`, html, "the policy would refuse it")
	}
	assert.Contains(t, write(t, meeting(), page.Options{Audio: "../audio/a 1#2?.wav"}), `<source src="../audio/a%201%232%3F.wav">`)
	assert.Contains(t, write(t, meeting(), page.Options{Audio: "12:30 call.wav"}), `<source src="./12:30%20call.wav">`)
}

func TestEmbeddedAudioComesBackToTheByte(t *testing.T) {
	t.Parallel()
	audio := bytes.Repeat([]byte{0, 1, 2, 250, 251, 252, 253, 254, 255, 62, 63}, 10_001)
	html := write(t, meeting(), page.Options{Embed: iotest.OneByteReader(bytes.NewReader(audio)), MediaType: "Audio/WAV; rate=8000"})

	m := regexp.MustCompile(`<audio [^>]*><source src="data:audio/wav;base64,([A-Za-z0-9+/=]*)"></audio>`).FindStringSubmatch(html)
	require.Len(t, m, 2)
	got, err := base64.StdEncoding.DecodeString(m[1])
	require.NoError(t, err)
	assert.True(t, bytes.Equal(audio, got))
}

func TestEmbeddingDoesNotAllocateWithTheAudio(t *testing.T) {
	allocated := func(size int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.NoError(t, page.Write(io.Discard, meeting(), page.Options{Embed: io.LimitReader(zeros{}, size), MediaType: "audio/wav"}))
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := allocated(1<<10), allocated(64<<20)
	assert.Less(t, large, small+1<<20)
}

func TestAudioTooLargeForBrowsersIsRefused(t *testing.T) {
	t.Parallel()
	err := page.Write(io.Discard, meeting(), page.Options{Embed: io.LimitReader(zeros{}, page.MaxEmbedded+1), MediaType: "audio/wav"})
	assert.ErrorContains(t, err, "put the file beside the page")
}

func TestOptionsThatCannotWorkFailBeforeAByteIsWritten(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o    page.Options
		want string
	}{
		"an absolute path":                    {page.Options{Audio: "/srv/a.wav"}, "relative"},
		"a URL":                               {page.Options{Audio: "https://example.com/a.wav"}, "relative"},
		"another host":                        {page.Options{Audio: "//example.com/a.wav"}, "relative"},
		"a path with backslashes":             {page.Options{Audio: `audio\a.wav`}, "slashes"},
		"audio twice":                         {page.Options{Audio: "a.wav", Embed: strings.NewReader("x"), MediaType: "audio/wav"}, "not both"},
		"embedded audio without a media type": {page.Options{Embed: strings.NewReader("x")}, "audio/wav"},
		"embedded audio that is a page":       {page.Options{Embed: strings.NewReader("x"), MediaType: "text/html"}, "audio/wav"},
		"a media type that breaks out":        {page.Options{Embed: strings.NewReader("x"), MediaType: `audio/wav"><script>`}, "audio/wav"},
	} {
		var b bytes.Buffer
		assert.ErrorContains(t, page.Write(&b, meeting(), tt.o), tt.want, name)
		assert.Zero(t, b.Len(), name)
	}
	assert.ErrorContains(t, page.Write(io.Discard, nil, page.Options{}), "no transcript")
}

func TestAReaderOrWriterThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk gone")
	err := page.Write(io.Discard, meeting(), page.Options{Embed: iotest.ErrReader(broken), MediaType: "audio/wav"})
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "embed the audio")

	err = page.Write(failing{broken}, meeting(), page.Options{})
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "write")
}

func TestATranscriptWithLessMakesAPageWithLess(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tr        scriptix.Transcript
		has, lack []string
	}{
		"nothing at all": {
			scriptix.Transcript{}, []string{"The transcript is empty.", "<title>Transcript</title>", "0 lines"}, []string{`class="strip `, "data-timed>"}},
		"text alone": {
			scriptix.Transcript{Text: "One.\n\n  Two.\n"}, []string{`id="l2"><span class="said" dir="auto">Two.</span>`, "2 lines"}, []string{`class="strip `, `class="time"`, "data-s="}},
		"segments without speakers": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Text: "One."}}},
			[]string{"1 line<", "The transcript does not say who speaks.", "The service did not say how sure it is."}, []string{`class="who `, "Unknown"}},
		"one segment without a speaker": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Text: "One.", Speaker: "A"}, {Start: s, End: 2 * s, Text: "Two."}}},
			[]string{`<h2 class="who sx" data-p="1" dir="auto">`, "Unknown speaker", "2 speakers"}, nil},
		"segments without times": {
			scriptix.Transcript{Segments: []scriptix.Segment{{Text: "One.", Speaker: "A"}}}, []string{"One.", `class="who `}, []string{`class="strip `, `class="time"`}},
		"words without a text": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Words: []scriptix.Word{{Text: "One", Speaker: "B"}, {Text: "two", Start: s}}}}},
			[]string{`<span class="said" dir="auto">One two</span>`, "<bdi>B</bdi>"}, nil},
		"words that are not in the text": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Text: "It costs 5 euros.", Words: []scriptix.Word{{Text: "costs"}, {Text: "five"}, {Text: "euros", Start: s}}}}},
			[]string{`<span class="said" dir="auto">It costs 5 euros.</span>`}, nil},
		"segments in any order": {
			scriptix.Transcript{Segments: []scriptix.Segment{{Start: 5 * s, End: 6 * s, Text: "Two."}, {Start: s, End: 2 * s, Text: "One."}}}, []string{`id="l1" data-s="1"`, `id="l2" data-s="5"`}, nil},
		"reversed, negative and missing times": {
			scriptix.Transcript{Segments: []scriptix.Segment{{Start: 3 * s, End: s, Text: "One."}, {Start: -s, End: s, Text: "Two."}, {Start: 2 * s, Text: "Three."}}},
			[]string{`id="l2" data-s="1" data-e="3"`, `id="l1" data-s="0" data-e="1"`, `id="l3" data-s="2" data-e="2"`}, nil},
		"confidences that are none": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Text: "One.", Confidence: math.NaN()}, {End: s, Text: "Two.", Confidence: 7}}},
			[]string{`h1000v14h-1000z`}, []string{"NaN", "sure\""}},
		"text that is no UTF-8": {
			scriptix.Transcript{Segments: []scriptix.Segment{{End: s, Text: "a\xffb"}}}, []string{"a\uFFFDb"}, []string{"\xff"}},
		"a language that is none": {
			scriptix.Transcript{Language: "auto", Text: "One."}, nil, []string{"<div lang=", "data-tag="}},
		"hours": {
			scriptix.Transcript{Duration: 2 * time.Hour, Segments: []scriptix.Segment{{Start: time.Hour + 61*s, End: time.Hour + 62*s, Text: "One."}}},
			[]string{`>1:01:01</a>`, "<span>2:00:00</span>"}, nil},
	} {
		html := write(t, &tt.tr, page.Options{})
		body := html[:strings.Index(html, "<style>")] + html[strings.Index(html, "</style>"):strings.Index(html, "<script>")]
		for _, want := range tt.has {
			assert.Contains(t, body, want, name)
		}
		for _, lack := range tt.lack {
			assert.NotContains(t, body, lack, name)
		}
	}
}

func TestAPageWithoutAudioSaysSo(t *testing.T) {
	t.Parallel()
	html := write(t, meeting(), page.Options{})
	assert.Contains(t, html, "No audio comes with this page, so jumping to a time is switched off.")
	assert.Contains(t, html, `aria-label="Recording" hidden></audio>`, "a player for a file that is opened by hand")
	assert.Contains(t, html, "Open audio file")
}

func TestTheStripHasALaneForEachSpeakerAndHeightsForConfidence(t *testing.T) {
	t.Parallel()
	html := write(t, meeting(), page.Options{})
	lanes := html[strings.Index(html, `<svg class="lanes"`):strings.Index(html, `<svg class="axis"`)]
	assert.Contains(t, lanes, `<g class="s0"><line x2="1000" y1="10" y2="10" vector-effect="non-scaling-stroke"/><path d="M0 3.21h200v13.58h-200zM500 `)
	assert.Contains(t, lanes, `<g class="s1"><line x2="1000" y1="30" y2="30" vector-effect="non-scaling-stroke"/><path d="M250 27.2h150v5.6h-150z"/></g>`)
}

func TestTenThousandSegmentsAreDrawnWithFewBars(t *testing.T) {
	t.Parallel()
	tr := &scriptix.Transcript{}
	for i := range 10_000 {
		start := time.Duration(i) * 4 * s
		tr.Segments = append(tr.Segments, scriptix.Segment{Start: start, End: start + 3*s, Text: fmt.Sprintf("Line %d.", i), Speaker: fmt.Sprint("Speaker ", i/100%3), Confidence: 0.9})
	}
	began := time.Now()
	html := write(t, tr, page.Options{})
	assert.Equal(t, 10_000, strings.Count(html, `<p class="line s`))
	lanes := html[strings.Index(html, `<svg class="lanes"`):strings.Index(html, `<svg class="axis"`)]
	assert.Equal(t, 3, strings.Count(lanes, "<path"))
	assert.Less(t, strings.Count(lanes, "z"), 4500)
	assert.Greater(t, strings.Count(lanes, "z"), 1000)
	assert.Less(t, strings.Count(html, `<section class="block`), 501, "a long turn is several blocks, not one and not ten thousand")
	assert.Less(t, time.Since(began), 20*s)
}

func TestOnePageIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	tr := meeting()
	before, err := json.Marshal(tr)
	require.NoError(t, err)
	first := write(t, tr, page.Options{})
	assert.Equal(t, first, write(t, tr, page.Options{}))
	after, err := json.Marshal(tr)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after), "the caller's transcript stays as it is")
}

func TestMediaTypesAreKnownOnEveryMachine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a.WAV": "audio/wav", "b.mp3": "audio/mpeg", "c.tar.m4a": "audio/mp4", "d.webm": "video/webm", "e.txt": "", "f": ""} {
		assert.Equal(t, want, page.MediaType(name), name)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
