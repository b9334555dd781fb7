package subtitle_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

func cue(start, end float64, speaker string, lines ...string) subtitle.Cue {
	return subtitle.Cue{Start: sec(start), End: sec(end), Speaker: speaker, Lines: lines}
}

func TestSRTAndWebVTTAreWritten(t *testing.T) {
	t.Parallel()
	named := cue(1, 2, "Speaker 1", "Speaker 1: Hello", "there")
	named.Named = true
	alone := cue(1, 2, "Speaker 1", "Speaker 1:", "Hello")
	alone.Named = true
	tests := []struct {
		name     string
		cues     []subtitle.Cue
		srt, vtt string
	}{
		{"no cues are an empty file and a bare header", nil, "", "WEBVTT\n"},
		{
			"an empty line stands between two cues", []subtitle.Cue{cue(0, 1.5, "", "one", "two"), cue(1.58, 3, "", "three")},
			"1\n00:00:00,000 --> 00:00:01,500\none\ntwo\n\n2\n00:00:01,580 --> 00:00:03,000\nthree\n",
			"WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none\ntwo\n\n00:00:01.580 --> 00:00:03.000\nthree\n",
		},
		{
			"59.9996 s carries to a minute, and so do minutes to hours", []subtitle.Cue{cue(59.9996, 3599.9999, "", "x")},
			"1\n00:01:00,000 --> 01:00:00,000\nx\n", "WEBVTT\n\n00:01:00.000 --> 01:00:00.000\nx\n",
		},
		{
			"half a millisecond is rounded up and less is not", []subtitle.Cue{cue(0.0005, 1.0004999, "", "x")},
			"1\n00:00:00,001 --> 00:00:01,000\nx\n", "WEBVTT\n\n00:00:00.001 --> 00:00:01.000\nx\n",
		},
		{
			"hours go beyond 99", []subtitle.Cue{cue(360_000, 3_600_001.001, "", "x")},
			"1\n100:00:00,000 --> 1000:00:01,001\nx\n", "WEBVTT\n\n100:00:00.000 --> 1000:00:01.001\nx\n",
		},
		{
			"a negative start is 0 and a reversed end a millisecond later", []subtitle.Cue{cue(-3, -4, "", "x"), cue(5, 2, "", "y")},
			"1\n00:00:00,000 --> 00:00:00,001\nx\n\n2\n00:00:05,000 --> 00:00:05,001\ny\n",
			"WEBVTT\n\n00:00:00.000 --> 00:00:00.001\nx\n\n00:00:05.000 --> 00:00:05.001\ny\n",
		},
		{
			"a speaker is a voice in WebVTT", []subtitle.Cue{cue(1, 2, "Speaker 1", "Hello", "there")},
			"1\n00:00:01,000 --> 00:00:02,000\nHello\nthere\n", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Speaker 1>Hello\nthere\n",
		},
		{
			"a name in front of the text is left out of WebVTT", []subtitle.Cue{named},
			"1\n00:00:01,000 --> 00:00:02,000\nSpeaker 1: Hello\nthere\n", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Speaker 1>Hello\nthere\n",
		},
		{
			"and so is its line", []subtitle.Cue{alone},
			"1\n00:00:01,000 --> 00:00:02,000\nSpeaker 1:\nHello\n", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Speaker 1>Hello\n",
		},
		{
			"a cue that says it is named and is not keeps its text", []subtitle.Cue{{Start: 0, End: time.Second, Speaker: "A", Lines: []string{"x"}, Named: true}},
			"1\n00:00:00,000 --> 00:00:01,000\nx\n", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v A>x\n",
		},
		{
			"a speaker cannot leave the voice tag", []subtitle.Cue{cue(0, 1, "<b>\n& --> Co", "x")},
			"1\n00:00:00,000 --> 00:00:01,000\nx\n", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v &lt;b&gt; &amp; --&gt; Co>x\n",
		},
		{
			"markup is text", []subtitle.Cue{cue(0, 1, "", `<script>a</b> <3 1<2 {\an8} {y:i} {\n} { } C:\new AT&T &lt;`)},
			"1\n00:00:00,000 --> 00:00:01,000\n" + strings.ReplaceAll(`<^script>a<^/b> <3 1<2 {^\an8} {^y:i} {^\^n} { } C:\^new AT&T &^lt;`, "^", "\u2060") + "\n",
			"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;script&gt;a&lt;/b&gt; &lt;3 1&lt;2 {\\an8} {y:i} {\\n} { } C:\\new AT&amp;T &amp;lt;\n",
		},
		{
			"so is what lies between an angle and its counterpart", []subtitle.Cue{cue(0, 1, "", "<3 1<2 and < b >, <<2 <_", "4> <5 < c")},
			"1\n00:00:00,000 --> 00:00:01,000\n" + strings.ReplaceAll("<^3 1<^2 and <^ b >, <^<^2 <^_\n4> <5 < c", "^", "\u2060") + "\n",
			"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;3 1&lt;2 and &lt; b &gt;, &lt;&lt;2 &lt;_\n4&gt; &lt;5 &lt; c\n",
		},
		{
			"and a brace at the end of a line", []subtitle.Cue{cue(0, 1, "", "a {", "b } {")},
			"1\n00:00:00,000 --> 00:00:01,000\na {\u2060\nb } {\n", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na {\nb } {\n",
		},
		{
			"an arrow is text", []subtitle.Cue{cue(0, 1, "", "00:00:01,000 --> 00:00:02,000", "--->")},
			"1\n00:00:00,000 --> 00:00:01,000\n00:00:01,000 --\u2060> 00:00:02,000\n---\u2060>\n",
			"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n00:00:01,000 --&gt; 00:00:02,000\n---&gt;\n",
		},
		{
			"line breaks and control characters cannot end a cue", []subtitle.Cue{cue(0, 1, "", "a\r\n\r\n2\n\nb\x00\x1b[0m", " ", "\u2028", "c\xff")},
			"1\n00:00:00,000 --> 00:00:01,000\na 2 b[0m\nc\uFFFD\n", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na 2 b[0m\nc\uFFFD\n",
		},
		{
			"a cue without visible text is left out and not counted", []subtitle.Cue{cue(0, 1, "A"), cue(0, 1, "A", " ", "\x07"), cue(1, 2, "", "x")},
			"1\n00:00:01,000 --> 00:00:02,000\nx\n", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nx\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var srt, vtt strings.Builder
			require.NoError(t, subtitle.WriteSRT(&srt, tt.cues))
			require.NoError(t, subtitle.WriteVTT(&vtt, tt.cues))
			assert.Equal(t, tt.srt, srt.String())
			assert.Equal(t, tt.vtt, vtt.String())
		})
	}
}

func TestTextIsWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   *scriptix.Transcript
		want string
	}{
		{"nothing of a nil transcript", nil, ""},
		{"nothing of an empty one", transcript(seg(0, 1, "A", " \n ")), ""},
		{"a paragraph each time the speaker changes", transcript(seg(0, 1, "A", "One."), seg(1, 2, "A", "Two."), seg(2, 3, "B", "Three."), seg(3, 4, "", "Four.")),
			"A: One. Two.\n\nB: Three.\n\nFour.\n"},
		{"also within a segment", transcript(seg(0, 2, "A", "one two", word(0, 1, "one"), scriptix.Word{Start: sec(1), End: sec(2), Text: "two", Speaker: "B"})),
			"A: one\n\nB: two\n"},
		{"a long paragraph is one line", transcript(seg(0, 2, "", strings.Repeat("long ", 100))), strings.Repeat("long ", 99) + "long\n"},
		{"the transcript's text where there are no segments", &scriptix.Transcript{Text: "a\r\nb\x00"}, "a b\n"},
		{"no space between sentences of a script without spaces", transcript(seg(0, 1, "", "你好。"), seg(1, 2, "", "今天 好")), "你好。今天 好\n"},
		{"nothing is escaped", transcript(seg(0, 1, "<A>", "<b> & {x} -->")), "<A>: <b> & {x} -->\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.NoError(t, subtitle.WriteText(&out, tt.in))
			assert.Equal(t, tt.want, out.String())
		})
	}
}

var errFull = errors.New("disk full")

// full takes some bytes and no more.
type full struct{ room, calls int }

func (f *full) Write(p []byte) (int, error) {
	f.calls++
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestAWriteErrorIsReturnedAndEndsTheWriting(t *testing.T) {
	t.Parallel()
	// Each more than a buffer, so that the error comes in the middle; with room only the last write fails.
	var cues []subtitle.Cue
	in := &scriptix.Transcript{}
	for range 1000 {
		cues = append(cues, cue(0, 1, "", "some line that is shown"))
		in.Segments = append(in.Segments, seg(0, 1, string(rune('A'+len(in.Segments)%2)), "some text"))
	}
	formats := map[string]struct {
		write func(io.Writer) error
		size  int
		error string
	}{
		"SRT":    {write: func(w io.Writer) error { return subtitle.WriteSRT(w, cues) }, error: "subtitle: write SRT: disk full"},
		"WebVTT": {write: func(w io.Writer) error { return subtitle.WriteVTT(w, cues) }, error: "subtitle: write WebVTT: disk full"},
		"TTML":   {write: func(w io.Writer) error { return subtitle.WriteTTML(w, cues, "en") }, error: "subtitle: write TTML: disk full"},
		"ASS":    {write: func(w io.Writer) error { return subtitle.WriteASS(w, cues, false) }, error: "subtitle: write ASS: disk full"},
		"text":   {write: func(w io.Writer) error { return subtitle.WriteText(w, in) }, error: "subtitle: write text: disk full"},
	}
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var whole strings.Builder
			require.NoError(t, f.write(&whole))
			for _, room := range []int{0, whole.Len() / 2, whole.Len() - 1} {
				w := &full{room: room}
				err := f.write(w)
				require.ErrorIs(t, err, errFull)
				require.EqualError(t, err, f.error)
				assert.LessOrEqual(t, w.calls, room/4096+1, "went on after the error")
			}
			require.NoError(t, f.write(&full{room: whole.Len()}))
		})
	}
}
