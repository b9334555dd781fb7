package subtitle_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// sung is a cue with words.
func sung(c subtitle.Cue, list ...scriptix.Word) subtitle.Cue {
	c.Words = list
	return c
}

func namedCue(c subtitle.Cue) subtitle.Cue {
	c.Named = true
	return c
}

func TestTTMLIsWritten(t *testing.T) {
	t.Parallel()
	cues := []subtitle.Cue{
		cue(1, 2.5, `Ana <b> & "Co"`, "Hello,", "world"),
		cue(3, 4, "Bo", `<script> & "quoted" ]]> `+"\uffff"), cue(4, 5, "", " ", "\x07"), cue(5, 6, "Bo", "again"),
		cue(360_000, 360_001, "", "late"),
	}
	var out strings.Builder
	require.NoError(t, subtitle.WriteTTML(&out, cues, "nl_BE"))

	var read struct {
		Lang    string `xml:"lang,attr"`
		Profile string `xml:"profile,attr"`
		Agents  []struct {
			ID   string `xml:"id,attr"`
			Name string `xml:"name"`
		} `xml:"head>metadata>agent"`
		Paragraphs []struct {
			Begin string     `xml:"begin,attr"`
			End   string     `xml:"end,attr"`
			Agent string     `xml:"agent,attr"`
			Text  string     `xml:",chardata"`
			Br    []struct{} `xml:"br"`
		} `xml:"body>div>p"`
	}
	require.NoError(t, xml.Unmarshal([]byte(out.String()), &read))
	assert.Equal(t, "nl-BE", read.Lang)
	assert.Equal(t, "http://www.w3.org/ns/ttml/profile/imsc1/text", read.Profile)
	require.Len(t, read.Agents, 2)
	assert.Equal(t, `Ana <b> & "Co"`, read.Agents[0].Name)
	require.Len(t, read.Paragraphs, 4)
	p := read.Paragraphs[0]
	assert.Equal(t, []string{"00:00:01.000", "00:00:02.500", "a1", "Hello,world"}, []string{p.Begin, p.End, p.Agent, p.Text})
	assert.Len(t, p.Br, 1)
	assert.Equal(t, `<script> & "quoted" ]]>`, strings.TrimSpace(read.Paragraphs[1].Text))
	assert.Equal(t, "a2", read.Paragraphs[2].Agent)
	assert.Equal(t, "100:00:00.000", read.Paragraphs[3].Begin)
}

func TestTTMLTellsNoLanguageThatIsNone(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{"": "", "en": "en", "pt_BR": "pt-BR", `"><x`: "", "verylonglanguage": "", "en--x": "", "zh-Hant-TW": "zh-Hant-TW"} {
		var out strings.Builder
		require.NoError(t, subtitle.WriteTTML(&out, nil, language))
		assert.Contains(t, out.String(), ` xml:lang="`+want+`">`, language)
		assert.NotContains(t, out.String(), "<metadata>")
	}
}

// events are the lines of an ASS file's events.
func events(file string) []string {
	var out []string
	for line := range strings.Lines(file) {
		if rest, ok := strings.CutPrefix(line, "Dialogue: "); ok {
			out = append(out, strings.TrimSuffix(rest, "\n"))
		}
	}
	return out
}

func TestASSIsWritten(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, subtitle.WriteASS(&out, []subtitle.Cue{
		cue(1.004, 3661.126, "Ana, the first", "Hello,", "world"),
		cue(-1, -2, "", `{\an8} C:\new \N {y} <b>`), cue(4, 5, "", " "), cue(9, 9, "", "x"),
	}, false))
	assert.True(t, strings.HasPrefix(out.String(), "[Script Info]\nScriptType: v4.00+\n"))
	assert.Equal(t, []string{
		`0,0:00:01.00,1:01:01.13,Default,Ana the first,0,0,0,,Hello,\Nworld`,
		`0,0:00:00.00,0:00:00.01,Default,,0,0,0,,` + strings.ReplaceAll(`\{^\^an8\} C:\^new \^N \{^y\} <b>`, "^", "\u2060"),
		`0,0:00:09.00,0:00:09.01,Default,,0,0,0,,x`,
	}, events(out.String()))
}

func TestKaraokeHasTheWordsOwnTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cue  subtitle.Cue
		want string
	}{
		{"one word after another", sung(cue(1, 2, "", "one two"), word(1, 1.5, "one"), word(1.5, 2, "two")), `{\k50}one {\k50}two`},
		{"a pause between them", sung(cue(1, 3, "", "one", "two"), word(1, 1.5, "one"), word(2.25, 3, "two")), `{\k50}one\N{\k75}{\k75}two`},
		{"a cue that starts before its first word", sung(cue(1, 2, "", "one"), word(1.25, 2, "one")), `{\k25}{\k75}one`},
		{"a word that overlaps the one in front of it", sung(cue(1, 2, "", "one two"), word(1, 1.75, "one"), word(1.5, 2, "two")), `{\k75}one {\k25}two`},
		{"a word that outlasts the cue", sung(cue(1, 2, "", "one two"), word(1, 1.5, "one"), word(2, 4, "two")), `{\k50}one {\k50}{\k0}two`},
		{"marks between words", sung(cue(1, 2, "", "one – (two)"), word(1, 1.5, "one"), word(1.5, 2, "two")), `{\k50}one – ({\k50}two)`},
		{"a name in front, which waits for the first word", sung(namedCue(cue(1, 2, "Ana", "Ana: one")), word(1.5, 2, "one")), `{\k50}Ana: {\k50}one`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.NoError(t, subtitle.WriteASS(&out, []subtitle.Cue{tt.cue}, true))
			got := events(out.String())
			require.Len(t, got, 1)
			assert.True(t, strings.HasSuffix(got[0], ",,"+tt.want), got[0])
		})
	}
}

func TestKaraokeIsRefusedWhereNobodyToldTheTimesOfTheWords(t *testing.T) {
	t.Parallel()
	good := sung(cue(1, 2, "", "one"), word(1, 2, "one"))
	for name, bad := range map[string]subtitle.Cue{
		"no words":                cue(2, 3, "", "two"),
		"words of another text":   sung(cue(2, 3, "", "two"), word(2, 3, "three")),
		"fewer words than text":   sung(cue(2, 3, "", "two three"), word(2, 3, "two")),
		"more words than text":    sung(cue(2, 3, "", "two"), word(2, 2.5, "two"), word(2.5, 3, "three")),
		"a word that is not seen": sung(cue(2, 3, "", "two"), word(2, 2.5, " "), word(2.5, 3, "two")),
	} {
		var out strings.Builder
		err := subtitle.WriteASS(&out, []subtitle.Cue{good, bad}, true)
		require.ErrorIs(t, err, subtitle.ErrNoWords, name)
		require.ErrorContains(t, err, "cue 1", name)
		assert.Empty(t, out.String(), name)
	}
	var out strings.Builder
	require.NoError(t, subtitle.WriteASS(&out, []subtitle.Cue{good, cue(2, 3, "", " ")}, true), "an empty cue has no words to sing")
	assert.Len(t, events(out.String()), 1)
}

func TestWebVTTHasTheTimesOfWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cue  subtitle.Cue
		want string
	}{
		{"a tag in front of each word but the first", sung(cue(1, 4, "", "one two", "three"), word(1, 2, "one"), word(2, 3, "two"), word(3, 4, "three")), "one <00:00:02.000>two\n<00:00:03.000>three"},
		{"the first has one if it starts later than the cue", sung(cue(1, 4, "", "one"), word(1.5, 4, "one")), "<00:00:01.500>one"},
		{"none for words that start together", sung(cue(1, 4, "", "one two three"), word(1, 2, "one"), word(2, 3, "two"), word(2, 4, "three")), "one <00:00:02.000>two three"},
		{"none at or behind the end", sung(cue(1, 2, "", "one two"), word(1, 2, "one"), word(2, 3, "two")), "one two"},
		{"the speaker's voice stays, and its name goes", sung(namedCue(cue(1, 4, "Ana", "Ana: one two")), word(1, 2, "one"), word(2, 3, "two")), "<v Ana>one <00:00:02.000>two"},
		{"markup is text", sung(cue(1, 4, "", "<b> & -->"), word(1, 2, "<b>"), word(2, 3, "&"), word(3, 4, "-->")), "&lt;b&gt; <00:00:02.000>&amp; <00:00:03.000>--&gt;"},
		{"plain without words", cue(1, 4, "", "one two"), "one two"},
		{"plain if they are others", sung(cue(1, 4, "", "one two"), word(1, 2, "one"), word(2, 3, "three")), "one two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.NoError(t, subtitle.WriteVTTWords(&out, []subtitle.Cue{tt.cue}))
			_, got, _ := strings.Cut(strings.TrimPrefix(out.String(), "WEBVTT\n\n"), "\n")
			assert.Equal(t, tt.want+"\n", got)
		})
	}
}

func TestWordsOfRealCuesAreAllTagged(t *testing.T) {
	t.Parallel()
	in := transcript(seg(0, 6, "A", "Well, this is – as far as I know – 今天天气很好。", word(0, .5, "well"), word(.5, 1, "this"), word(1, 1.5, "is"), word(1.5, 2, "as"), word(2, 2.5, "far"),
		word(2.5, 3, "as"), word(3, 3.5, "I"), word(3.5, 4, "know"), word(4, 5, "今天"), word(5, 6, "天气很好")))
	cues := subtitle.Cues(in, subtitle.Options{Speakers: true})
	var vtt, ass strings.Builder
	require.NoError(t, subtitle.WriteVTTWords(&vtt, cues))
	require.NoError(t, subtitle.WriteASS(&ass, cues, true))
	assert.Contains(t, vtt.String(), "<v A>Well, <00:00:00.500>this <00:00:01.000>is –\n<00:00:01.500>as")
	assert.Contains(t, ass.String(), `{\k0}A: {\k50}Well, {\k50}this {\k50}is –\N{\k50}as`)
}
