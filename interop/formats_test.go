package interop_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astisub"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// What the readers of this file get wrong, of what the standards say:
//
//   - ffmpeg 5.1 does not read TTML at all; go-astisub does, and an XML parser in the package's own tests.
//   - ffmpeg's ASS decoder shows the backslashes of \{ and \}, which libass, the reference, takes away.
//   - ffmpeg and go-astisub take a brace in front of a backslash in ASS for an override, escaped or not; a word joiner
//     between the two keeps ffmpeg from it. go-astisub 0.34 drops whatever stands in braces.
//   - go-astisub reads &gt; in WebVTT as it stands.
//   - ffmpeg drops the time tags within a cue of WebVTT; go-astisub reads them as the start of what follows.

// centi is a time as ASS has it.
func centi(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// cuesOf are the cues of a reading, and what a reader should show of them.
func cuesOf(t *testing.T, r reading) ([]subtitle.Cue, []shown) {
	t.Helper()
	cues := subtitle.Cues(r.transcript, r.options)
	var want []shown
	for i, c := range cues {
		want = append(want, shown{Number: i + 1, Start: c.Start, End: c.End, Text: strings.Join(c.Lines, "\n")})
	}
	requireTranscript(t, r, want, r.options.Speakers)
	return cues, want
}

func TestGoAstisubReadsEveryCueOfTTML(t *testing.T) {
	t.Parallel()
	for _, tt := range readings(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cues, want := cuesOf(t, tt)
			var file bytes.Buffer
			require.NoError(t, subtitle.WriteTTML(&file, cues, "en"))
			read, err := astisub.ReadFromTTML(&file)
			require.NoError(t, err)
			assert.Equal(t, want, items(read, func(i int, _ *astisub.Item, text string) shown {
				return shown{Number: i + 1, Text: text}
			}))
		})
	}
}

// unbracedReading leaves out of a transcript what go-astisub reads wrongly in ASS.
func unbracedReading(r reading) reading {
	r = unslashed(r)
	for i := range r.transcript.Segments {
		s := &r.transcript.Segments[i]
		s.Text = braces.Replace(s.Text)
		for k := range s.Words {
			s.Words[k].Text = braces.Replace(s.Words[k].Text)
		}
	}
	return r
}

var braces = strings.NewReplacer("{", "(", "}", ")")

func TestGoAstisubReadsEveryCueOfASS(t *testing.T) {
	t.Parallel()
	for _, tt := range readings(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cues, want := cuesOf(t, unbracedReading(tt))
			var file bytes.Buffer
			require.NoError(t, subtitle.WriteASS(&file, cues, false))
			read, err := astisub.ReadFromSSA(&file)
			require.NoError(t, err)
			assert.Equal(t, inCentiseconds(want), items(read, func(i int, _ *astisub.Item, text string) shown {
				return shown{Number: i + 1, Text: text}
			}))
		})
	}
}

// inCentiseconds are cues as ASS has them.
func inCentiseconds(cues []shown) []shown {
	for i := range cues {
		cues[i].Start = centi(cues[i].Start)
		cues[i].End = max(centi(cues[i].End), cues[i].Start+10*time.Millisecond)
	}
	return cues
}

func TestFFmpegReadsEveryCueOfASSAndOfWordTimes(t *testing.T) {
	t.Parallel()
	ffmpeg := program(t, "ffmpeg")
	for _, tt := range readings(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cues, want := cuesOf(t, tt)
			var ass, karaoke, vtt bytes.Buffer
			require.NoError(t, subtitle.WriteASS(&ass, cues, false))
			assert.Equal(t, inCentiseconds(want), blocks(t, asSRT(t, ffmpeg, "in.ass", ass.Bytes()), unescaped), "ASS")
			if err := subtitle.WriteASS(&karaoke, cues, true); err == nil {
				assert.Equal(t, want, blocks(t, asSRT(t, ffmpeg, "in.ass", karaoke.Bytes()), unescaped), "karaoke")
			} else {
				require.ErrorIs(t, err, subtitle.ErrNoWords)
			}

			safe := unslashed(tt)
			require.NoError(t, subtitle.WriteVTTWords(&vtt, subtitle.Cues(safe.transcript, safe.options)))
			_, wantVTT := writeVTT(t, safe)
			for i := range wantVTT {
				wantVTT[i].Speaker = ""
			}
			assert.Equal(t, wantVTT, blocks(t, asSRT(t, ffmpeg, "in.vtt", vtt.Bytes()), unbraced.Replace), "WebVTT with the times of words")
		})
	}
}

// unescaped undoes what the writer did for players, and what ffmpeg leaves of it.
func unescaped(text string) string {
	return strings.NewReplacer(`\{`, "{", `\}`, "}", "\u2060", "").Replace(text)
}

func asSRT(t *testing.T, ffmpeg, name string, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-i", name, "-f", "srt", "out.srt")
	cmd.Dir = dir
	complaints, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", complaints)
	b, err := os.ReadFile(filepath.Join(dir, "out.srt"))
	require.NoError(t, err)
	return fonts.ReplaceAllString(string(b), "")
}

// fonts is what ffmpeg makes of the style of ASS.
var fonts = regexp.MustCompile(`<font (?:face|size)[^>]*>|</font>`)

func TestWhatReadersGetWrongInASS(t *testing.T) {
	t.Parallel()
	cues := subtitle.Cues(transcriptOf(said(1, 3, "", `a {b} \h c`)), subtitle.Options{})
	var file bytes.Buffer
	require.NoError(t, subtitle.WriteASS(&file, cues, false))
	read, err := astisub.ReadFromSSA(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.Len(t, read.Items, 1)
	assert.Equal(t, "a \\ \\\u2060h c", read.Items[0].String(), "go-astisub drops what is in braces")
	got := blocks(t, asSRT(t, program(t, "ffmpeg"), "in.ass", file.Bytes()), plain)
	require.Len(t, got, 1)
	assert.Equal(t, `a \{b\} \h c`, got[0].Text, "ffmpeg shows the backslashes of braces")
}

func TestGoAstisubReadsTheTimesOfWords(t *testing.T) {
	t.Parallel()
	in := spoken(said(1, 4, "Ana", "one two three"))
	r := reading{name: "words"}
	r.transcript = transcriptOf(in)
	var file bytes.Buffer
	require.NoError(t, subtitle.WriteVTTWords(&file, subtitle.Cues(r.transcript, r.options)))
	read, err := astisub.ReadFromWebVTT(&file)
	require.NoError(t, err)
	require.Len(t, read.Items, 1)
	var words []string
	var starts []time.Duration
	for _, item := range read.Items[0].Lines[0].Items {
		words = append(words, strings.TrimSpace(item.Text))
		starts = append(starts, item.StartAt)
	}
	assert.Equal(t, []string{"one", "two", "three"}, words)
	assert.Equal(t, []time.Duration{2 * time.Second, 3 * time.Second}, starts[1:])
}

func transcriptOf(segments ...scriptix.Segment) *scriptix.Transcript {
	return &scriptix.Transcript{Segments: segments}
}
