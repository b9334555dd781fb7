package interop_test

import (
	"bytes"
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/asticode/go-astisub"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// shown is a cue as a reader understood it.
type shown struct {
	Number     int
	Start, End time.Duration
	Speaker    string // "" where the format or the reader does not tell
	Text       string // lines end in \n
}

// reading is a transcript to be written and read back. What is said in it is in its segments, none of whose text is
// dropped or changed by subtitle.
type reading struct {
	name       string
	transcript *scriptix.Transcript
	options    subtitle.Options
	sane       bool // every segment has room, so that a cue starts just when it does
}

func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func said(start, end float64, speaker, text string) scriptix.Segment {
	return scriptix.Segment{Start: at(start), End: at(end), Speaker: speaker, Text: text}
}

// spoken gives a segment a time for each of its words.
func spoken(s scriptix.Segment) scriptix.Segment {
	words := strings.Fields(s.Text)
	each := (s.End - s.Start) / time.Duration(len(words))
	for i, w := range words {
		start := s.Start + time.Duration(i)*each
		s.Words = append(s.Words, scriptix.Word{Start: start, End: start + each, Text: w})
	}
	return s
}

func readings(t *testing.T) []reading {
	t.Helper()
	meeting, err := os.ReadFile(filepath.Join("..", "examples", "testdata", "meeting.txt"))
	require.NoError(t, err)
	var segments, timed []scriptix.Segment
	for _, s := range scriptixtest.Sidecar(string(meeting), time.Minute) {
		segment := scriptix.Segment{Start: s.Start, End: s.End, Text: s.Text, Speaker: s.Speaker}
		segments = append(segments, segment)
		timed = append(timed, spoken(segment))
	}
	require.NotEmpty(t, segments)
	of := transcriptOf
	unlimited := subtitle.Options{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MaxCharsPerSecond: -1}
	table := []reading{
		{"a meeting", of(segments...), subtitle.Options{}, true},
		{"a meeting whose words have times", of(timed...), subtitle.Options{}, true},
		{"a meeting with the speakers' names", of(timed...), subtitle.Options{Speakers: true}, true},
		{"narrow lines, one at a time", of(timed...), subtitle.Options{MaxLineLength: 12, MaxLines: 1, Speakers: true}, true},
		{"markup that is text", of(
			said(1, 3, "Speaker 1", `<script>alert("a" & 'b')</script>`),
			said(4, 6, "", `<b>bold</b> <i>x <font color="red">y <v Z> <c.a> <00:00:05.000> <!-- --> <?`),
			said(7, 9, "", `1<2 <3 a<b a < b > c AT&T &lt; &amp; &amp;lt; &gt; &nbsp; &#60; &;`),
			said(10, 12, "", `{\an8} {y:i} {b} {} { } {3} C:\new \N \h a\b`),
		), subtitle.Options{}, true},
		{"comparisons that are text", of(said(1, 3, "", "1<2 and 3>2, < b > c, i <3 u>v"), said(4, 6, "", "<2 <a <<3> x<y_z>"), said(7, 9, "", "{a b {")), subtitle.Options{MaxLineLength: 8, MaxLines: 9}, true},
		{"arrows, times and numbers that are text", of(
			said(1, 3, "", "00:00:01,000 --> 00:00:02,000"),
			said(4, 6, "", "--> ---> <-- - -> 7"),
			said(7, 9, "", "42"),
			said(10, 12, "", "1 2 3"),
		), subtitle.Options{}, true},
		{"quotes and dashes", of(said(1, 5, "", `"a" 'b' “c” ‘d’ «e» – f — g… `+"`h`")), subtitle.Options{}, true},
		{"Chinese and Japanese", of(
			said(1, 7, "Speaker 1", "大家好，我们现在开始今天的会议。昨天晚上的录音先来，一共有四百一十二个电话，其中三个失败了。"),
			said(8, 12, "Speaker 2", "おはようございます。昨夜の録音から始めましょう。「はい」"),
		), subtitle.Options{MaxLineLength: 16, MaxCharsPerSecond: 9}, true},
		{"right to left, with its marks", of(
			said(1, 3, "", "שלום עולם, מה שלומך?"),
			said(4, 6, "", "مرحبا بالعالم، كيف حالك؟ \u200fabc\u200f 12"),
			said(7, 9, "", "\u2067שלום\u2069 <b> & {a}"),
		), subtitle.Options{}, true},
		{"accents, joined emoji and no-break spaces", of(said(1, 4, "", "e\u0301te\u0301 👩‍👩‍👧 🇳🇱 👍🏽 12\u00a0km สวัสดีครับ")), subtitle.Options{}, true},
		{"a long word", of(said(1, 4, "", "see https://example.com/"+strings.Repeat("path/", 40)+" there")), subtitle.Options{}, true},
		// ffmpeg breaks lines of SRT that are longer than 4,095 bytes.
		{"a line of 4,000 characters", of(said(1, 4, "", strings.Repeat("words and ", 399)+"words done")), unlimited, true},
		{"a long segment in many cues", of(spoken(said(1, 90, "Speaker 1", strings.Repeat("and then we went on, ", 60)+"and stopped."))), subtitle.Options{}, true},
		{"beyond an hour", of(
			said(3599.9994, 3601, "", "before"), said(3661.001, 3663.5, "", "after"),
			said(86399.9996, 86402, "", "a day"), said(359_999.5, 360_001.25, "", "a hundred hours"),
		), subtitle.Options{}, true},
		{"59.9996 s", of(said(59.9996, 61.2345, "", "a minute"), said(119.9994, 121.9995, "", "nearly two")), subtitle.Options{}, true},
		{"from 0, for a millisecond", of(said(0, 0.001, "", "a")), subtitle.Options{MaxDuration: time.Millisecond}, true},
	}
	for seed := range uint64(50) {
		table = append(table, random(seed))
	}
	return table
}

// vocabulary is what random transcripts say.
var vocabulary = []string{
	"a", "the", "recordings", "failed.", "agenda?", "Well,", "12", "3.5", "I'm", `"so`, `said"`, "–", "été", "e\u0301",
	"<script>", "</script>", "<b>", "</i>", "<v", "<3", "1<2", "<", ">", "<!--", "-->", "->", "<br/>", "<?",
	"&", "&amp;", "&lt;b&gt;", "AT&T", "&#x41;", "&nbsp;", ";", "{", "}", "{b}", "{y:i}", `{\an8}`, `C:\new`, `\N`, `\`, `\\`, `a\h`, `{\`,
	"你好，", "世界。", "「はい」", "สวัสดีครับ", "שלום", "عالم؟", "\u200fabc", "👩‍👩‍👧", "12\u00a0km", "00:00:01,000", "1",
	"WEBVTT", "[music]", "#", "*", "%d", "=", "unbelievablylongwordthatneedsalinetoitselfandmore",
}

// random makes a transcript whose segments may follow closely, overlap or take no time.
func random(seed uint64) reading {
	r := rand.New(rand.NewPCG(seed, 6))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	now := []float64{0, 50, 3590, 100_000}[r.IntN(4)]
	transcript := &scriptix.Transcript{}
	for range 1 + r.IntN(12) {
		var words []string
		for range 1 + r.IntN(25) {
			words = append(words, pick(vocabulary))
		}
		start := max(now-r.Float64()/2, 0)
		now += r.Float64() * 12
		s := said(start, now, pick([]string{"", "Speaker 1", "Speaker 2", "Ana María"}), strings.Join(words, " "))
		if r.IntN(2) == 0 {
			s = spoken(s)
		}
		transcript.Segments = append(transcript.Segments, s)
		now += r.Float64() * float64(r.IntN(3))
	}
	options := []subtitle.Options{
		{}, {Speakers: true}, {MaxLineLength: 16, MaxLines: 3}, {MaxLines: 1, MinGap: -1, Speakers: true},
		{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MaxCharsPerSecond: -1},
	}
	return reading{name: fmt.Sprintf("random transcript %d", seed), transcript: transcript, options: options[r.IntN(len(options))]}
}

// unslashed leaves out of a transcript what ffmpeg 5.1 misreads in WebVTT although the standard knows nothing but text
// there, so that there is no escape from it: backslashes (it takes \n and \h for breaks and spaces) and braces in front
// of another one or of the end of a line (its own escapes for ASS meet, and it takes them for an override).
func unslashed(r reading) reading {
	transcript := &scriptix.Transcript{}
	for _, s := range r.transcript.Segments {
		s.Text = misread.Replace(s.Text + " ")
		s.Words = slices.Clone(s.Words)
		for i, w := range s.Words {
			s.Words[i].Text = misread.Replace(w.Text + " ")
		}
		transcript.Segments = append(transcript.Segments, s)
	}
	r.transcript = transcript
	return r
}

var misread = strings.NewReplacer(`\`, "/", "{ ", "( ", "{}", "()", "{{", "((")

func writeSRT(t *testing.T, r reading) (file []byte, want []shown) {
	t.Helper()
	cues := subtitle.Cues(r.transcript, r.options)
	for i, c := range cues {
		want = append(want, shown{Number: i + 1, Start: c.Start, End: c.End, Text: strings.Join(c.Lines, "\n")})
	}
	requireTranscript(t, r, want, r.options.Speakers)
	var out bytes.Buffer
	require.NoError(t, subtitle.WriteSRT(&out, cues))
	return out.Bytes(), want
}

func writeVTT(t *testing.T, r reading) (file []byte, want []shown) {
	t.Helper()
	cues := subtitle.Cues(r.transcript, r.options)
	for i, c := range cues {
		text := strings.Join(c.Lines, "\n")
		if c.Named { // the voice tag has the name
			text = strings.TrimSpace(strings.TrimPrefix(text, c.Speaker+":"))
		}
		want = append(want, shown{Number: i + 1, Start: c.Start, End: c.End, Speaker: c.Speaker, Text: text})
	}
	requireTranscript(t, r, want, false)
	var out bytes.Buffer
	require.NoError(t, subtitle.WriteVTT(&out, cues))
	return out.Bytes(), want
}

// requireTranscript holds the cues that readers are compared with against the transcript itself: everything is in them
// that was said, and where segments have room a cue starts with each.
func requireTranscript(t *testing.T, r reading, cues []shown, named bool) {
	t.Helper()
	require.NotEmpty(t, cues)
	var want, got strings.Builder
	starts := make(map[time.Duration]bool)
	for _, c := range cues {
		got.WriteString(c.Text)
		starts[c.Start] = true
	}
	for _, s := range subtitle.Sorted(r.transcript.Segments) {
		want.WriteString(s.Text)
		if r.sane {
			require.Contains(t, starts, s.Start.Round(time.Millisecond), s.Text)
		}
	}
	if !named {
		require.Equal(t, dense(want.String()), dense(got.String()))
	}
}

// dense is a text without its white space.
func dense(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// plain is SRT text without the joiners that keep players from reading markup into it.
func plain(text string) string { return strings.ReplaceAll(text, "\u2060", "") }

func TestGoAstisubReadsEveryCue(t *testing.T) {
	t.Parallel()
	for _, tt := range readings(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, want := writeSRT(t, tt)
			srt, err := astisub.ReadFromSRT(bytes.NewReader(file))
			require.NoError(t, err)
			assert.Equal(t, want, items(srt, func(_ int, item *astisub.Item, text string) shown {
				return shown{Number: item.Index, Text: plain(text)}
			}), "SRT")

			file, want = writeVTT(t, tt)
			for i := range want { // it undoes &lt; and &amp;, and leaves &gt;
				want[i].Text = strings.ReplaceAll(want[i].Text, ">", "&gt;")
			}
			vtt, err := astisub.ReadFromWebVTT(bytes.NewReader(file))
			require.NoError(t, err)
			assert.Equal(t, want, items(vtt, func(i int, item *astisub.Item, text string) shown {
				s := shown{Number: i + 1, Text: text}
				if len(item.Lines) > 0 {
					s.Speaker = item.Lines[0].VoiceName
				}
				return s
			}), "WebVTT")
		})
	}
}

// items is what astisub read; understood says all of a cue but its times.
func items(read *astisub.Subtitles, understood func(i int, item *astisub.Item, text string) shown) []shown {
	var out []shown
	for i, item := range read.Items {
		var lines []string
		for _, line := range item.Lines {
			var text strings.Builder
			for _, part := range line.Items {
				text.WriteString(part.Text)
			}
			if text.Len() > 0 { // what ends an SRT cue is a line to it
				lines = append(lines, text.String())
			}
		}
		s := understood(i, item, strings.Join(lines, "\n"))
		s.Start, s.End = item.StartAt, item.EndAt
		out = append(out, s)
	}
	return out
}

func TestASpeakersNameStaysInItsVoiceTag(t *testing.T) {
	t.Parallel()
	const name = `Ana <b> & "Co" -->`
	var file bytes.Buffer
	cues := subtitle.Cues(&scriptix.Transcript{Segments: []scriptix.Segment{said(1, 2, name, "Hello")}}, subtitle.Options{})
	require.NoError(t, subtitle.WriteVTT(&file, cues))

	read, err := astisub.ReadFromWebVTT(&file)

	require.NoError(t, err)
	require.Len(t, read.Items, 1)
	require.Len(t, read.Items[0].Lines, 1)
	assert.Equal(t, name, html.UnescapeString(read.Items[0].Lines[0].VoiceName), "it leaves references in a name as they are")
	assert.Equal(t, "Hello", read.Items[0].String())
}

func TestFFmpegReadsEveryCue(t *testing.T) {
	t.Parallel()
	ffmpeg := program(t, "ffmpeg")
	for _, tt := range readings(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srt, wantSRT := writeSRT(t, tt)
			vtt, wantVTT := writeVTT(t, unslashed(tt))
			read := convert(t, ffmpeg, srt, vtt)

			assert.Equal(t, wantSRT, blocks(t, read["srt.srt"], plain), "SRT")
			copied := slices.Clone(wantVTT)
			for i := range wantVTT {
				wantVTT[i].Speaker = "" // decoded text has no voices
			}
			assert.Equal(t, wantVTT, blocks(t, read["vtt.srt"], unbraced.Replace), "WebVTT, as SRT")
			assert.Equal(t, wantVTT, blocks(t, read["vtt.vtt"], unbraced.Replace), "WebVTT, as WebVTT")
			voices := blocks(t, read["copy.vtt"], func(text string) string { return text })
			for i, c := range voices {
				if m := voice.FindStringSubmatch(c.Text); m != nil {
					voices[i].Speaker, c.Text = html.UnescapeString(m[1]), c.Text[len(m[0]):]
				}
				voices[i].Text = html.UnescapeString(c.Text)
			}
			assert.Equal(t, copied, voices, "WebVTT, cut into cues and not decoded")
		})
	}
}

var (
	voice = regexp.MustCompile(`^<v ([^>]*)>`)
	stamp = regexp.MustCompile(`^(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3}) --> (?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})$`)
	// unbraced undoes what ffmpeg's WebVTT decoder does for ASS, its own format within.
	unbraced = strings.NewReplacer(`\{`, "{", `\}`, "}")
)

// convert has ffmpeg decode both files. The answers are named by what they were and are.
func convert(t *testing.T, ffmpeg string, srt, vtt []byte) map[string]string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in.srt"), srt, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in.vtt"), vtt, 0o600))
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-i", "in.srt", "-i", "in.vtt",
		"-map", "0", "-f", "srt", "srt.srt",
		"-map", "1", "-f", "srt", "vtt.srt",
		"-map", "1", "-f", "webvtt", "vtt.vtt",
		"-map", "1", "-c", "copy", "-f", "webvtt", "copy.vtt")
	cmd.Dir = dir
	complaints, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", complaints)
	require.Empty(t, string(complaints))
	out := make(map[string]string)
	for _, name := range []string{"srt.srt", "vtt.srt", "vtt.vtt", "copy.vtt"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		out[name] = string(b)
	}
	return out
}

// blocks takes a file that ffmpeg wrote apart at its empty lines. It reads nothing into the text, for ffmpeg writes that
// as it is, arrows and tags included.
func blocks(t *testing.T, file string, text func(string) string) []shown {
	t.Helper()
	file = strings.TrimRight(strings.ReplaceAll(file, "\r\n", "\n"), "\n")
	file, vtt := strings.CutPrefix(file, "WEBVTT\n\n")
	var out []shown
	for block := range strings.SplitSeq(file, "\n\n") {
		s := shown{Number: len(out) + 1}
		if !vtt {
			number, rest, _ := strings.Cut(block, "\n")
			n, err := strconv.Atoi(number)
			require.NoError(t, err, "%q", block)
			s.Number, block = n, rest
		}
		times, lines, _ := strings.Cut(block, "\n")
		m := stamp.FindStringSubmatch(times)
		require.NotNil(t, m, "%q", block)
		s.Start, s.End, s.Text = clock(m[1:5]), clock(m[5:9]), text(lines)
		out = append(out, s)
	}
	return out
}

// clock adds up hours, which may be missing, minutes, seconds and milliseconds of nothing but digits.
func clock(fields []string) time.Duration {
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond} {
		n, _ := strconv.Atoi(fields[i])
		d += time.Duration(n) * unit
	}
	return d
}
