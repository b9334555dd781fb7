package subtitle_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// FuzzCues checks on transcripts that chance makes what must hold for every one: each seed is one.
func FuzzCues(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, size uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		in, said := randomTranscript(r, int(size)%40)
		o := randomOptions(r)
		cues := subtitle.Cues(in, o)
		checkCues(t, cues, said, o)
		checkSRT(t, cues)
	})
}

// markup is what a player would take for more than text.
var markup = regexp.MustCompile(`<[a-z/]|\{\\|\\[Nnh]|&[a-z]+;`)

type saying struct{ speaker, text string }

var vocabulary = []string{
	"a", "is", "the", "word", "meeting,", "agenda.", "Yes!", "\"Why?\"", "(sic)", "- no", "R&D", "x<y", "--", "\u00e9te\u0301",
	"internationalisation", "https://example.com/a/very/long/path/that/does/not/fit/a/line", "\U0001F44D\U0001F3FD", "12\u00a0000",
	"-->", "{\\an8}", "<i>", "&amp;", "C:\\new",
}

var unspacedVocabulary = []string{"今天", "天气很好。", "「公園」", "へ行きました", "ภาษาไทย", "我们去公园吧，因为今天天气很好而且我们都有空所以没有理由不去而且我们已经很久没有去过那里了。", "OK"}

// randomTranscript also returns what is said in it.
func randomTranscript(r *rand.Rand, segments int) (*scriptix.Transcript, []saying) {
	vocabulary := vocabulary
	if r.IntN(4) == 0 {
		vocabulary = unspacedVocabulary
	}
	wild := r.IntN(3) == 0
	at := 0.0
	when := func(step float64) time.Duration {
		at += r.Float64() * step
		if wild && r.IntN(4) == 0 {
			return []time.Duration{0, -1, sec(-5), sec(at - 3), sec(at + 50), math.MaxInt64, math.MinInt64, sec(9e9)}[r.IntN(8)]
		}
		return sec(at)
	}
	in := &scriptix.Transcript{}
	var said []saying
	for range segments {
		s := scriptix.Segment{Start: when(3)}
		if r.IntN(3) > 0 {
			s.Speaker = "Speaker " + strconv.Itoa(1+r.IntN(3))
		}
		var texts []string
		timed, marks := r.IntN(2) == 0, r.IntN(2) == 0
		for range r.IntN(30) {
			text := vocabulary[r.IntN(len(vocabulary))]
			speaker := s.Speaker
			if timed {
				w := scriptix.Word{Start: when(.2), Text: text}
				w.End = when(.4)
				if r.IntN(10) == 0 {
					w.Speaker = "Speaker " + strconv.Itoa(1+r.IntN(3))
					speaker = w.Speaker
				}
				s.Words = append(s.Words, w)
			} else {
				when(.5)
			}
			texts = append(texts, text)
			said = append(said, saying{speaker, text})
		}
		if !timed || marks {
			s.Text = strings.Join(texts, []string{" ", "\n", " \t "}[r.IntN(3)])
		}
		s.End = when(.1)
		in.Segments = append(in.Segments, s)
	}
	return in, said
}

func randomOptions(r *rand.Rand) subtitle.Options {
	if r.IntN(2) == 0 {
		return subtitle.Options{Speakers: r.IntN(2) == 0}
	}
	return subtitle.Options{
		MaxLineLength:     []int{0, -1, 1, 10, 16, 80}[r.IntN(6)],
		MaxLines:          []int{0, -1, 1, 3}[r.IntN(4)],
		MaxDuration:       []time.Duration{0, -1, 1, 50 * ms, 3 * time.Second}[r.IntN(5)],
		MinGap:            []time.Duration{0, -1, 1, time.Second, math.MaxInt64}[r.IntN(5)],
		MaxCharsPerSecond: []float64{0, -1, 5, 1e-9, math.NaN(), math.Inf(1)}[r.IntN(6)],
		Speakers:          r.IntN(2) == 0,
	}
}

// checkCues checks everything that the package promises of cues in general.
func checkCues(t *testing.T, cues []subtitle.Cue, said []saying, o subtitle.Options) {
	t.Helper()
	width, lines, longest, gap := decided(o.MaxLineLength, 42), decided(o.MaxLines, 2), decided(o.MaxDuration, 7*time.Second), decided(o.MinGap, 80*ms)
	gap = min(gap, time.Minute)
	if longest > 0 {
		longest = max(longest, ms)
	}
	rate := 20.0
	if r := o.MaxCharsPerSecond; r > 0 {
		rate = r
	} else if r < 0 {
		rate = math.Inf(1)
	}
	var shown []saying
	var last subtitle.Cue
	for i, c := range cues {
		require.NotEmpty(t, c.Lines)
		require.GreaterOrEqual(t, c.Start, time.Duration(0))
		require.Less(t, c.Start, c.End, "cue %d", i)
		require.Zero(t, c.Start%ms)
		require.Zero(t, c.End%ms)
		if i > 0 {
			require.GreaterOrEqual(t, c.Start, last.End+gap, "cue %d", i)
		}
		if longest > 0 {
			require.LessOrEqual(t, c.End-c.Start, longest, "cue %d", i)
		}
		if lines > 0 {
			require.LessOrEqual(t, len(c.Lines), lines, "%q", c.Lines)
		}
		whole := strings.Join(c.Lines, " ")
		if stays := (c.End - c.Start).Seconds(); unspacedIn(whole) == 0 && float64(reader(whole))/stays > rate && stays < 3600 {
			cut := i+1 < len(cues) && cues[i+1].Start-c.End < gap+ms
			require.True(t, cut || longest > 0 && c.End-c.Start == longest.Truncate(ms), "cue %d could stay longer", i)
		}
		for j, line := range c.Lines {
			require.NotEmpty(t, strings.TrimSpace(line))
			require.Equal(t, strings.Join(strings.Split(line, "\n"), " "), line)
			unit := strings.HasPrefix(line, c.Speaker+":") && c.Named && j == 0 // a name is one word
			if width > 0 && reader(line) > width && !unit {
				require.NotContains(t, line, " ", "a line of %d holds more than one word", reader(line))
				require.LessOrEqual(t, unspacedIn(line), 20, "a run without spaces was not broken: %q", line)
			}
		}
		if c.Named {
			require.True(t, o.Speakers)
			require.NotEqual(t, last.Speaker, c.Speaker)
			require.True(t, strings.HasPrefix(whole, c.Speaker+": "), whole)
			whole = strings.TrimPrefix(whole, c.Speaker+":")
		}
		shown = append(shown, saying{c.Speaker, strings.TrimSpace(whole)})
		last = c
	}
	require.Equal(t, turns(said), turns(shown))
}

// turns joins what one speaker says, word for word, or without spaces if any of it is in a script without them.
func turns(all []saying) []saying {
	var out []saying
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].speaker == s.speaker {
			out[n-1].text += " " + s.text
			continue
		}
		out = append(out, s)
	}
	if slices.ContainsFunc(all, func(s saying) bool { return unspacedIn(s.text) > 0 }) {
		for i := range out {
			out[i].text = strings.ReplaceAll(out[i].text, " ", "")
		}
	}
	return out
}

func decided[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}

// reader is the length of a line for the marks that the vocabulary holds.
func reader(line string) int {
	n := utf8.RuneCountInString(line)
	for _, mark := range []string{"\u0301", "\U0001F3FD", "\u0e31", "\u0e34", "\u0e35", "\u0e48"} {
		n -= strings.Count(line, mark)
	}
	return n
}

// unspacedIn is how many characters between which a line may be broken there are in it, or more.
func unspacedIn(line string) int {
	n := 0
	for _, r := range line {
		if r >= 0x3040 && r <= 0x9fff || r >= 0xe00 && r <= 0xe7f {
			n++
		}
	}
	return n
}

// checkSRT reads what WriteSRT wrote with a parser that knows the format's four rules and nothing else.
func checkSRT(t *testing.T, cues []subtitle.Cue) {
	t.Helper()
	var b strings.Builder
	require.NoError(t, subtitle.WriteSRT(&b, cues))
	var read []subtitle.Cue
	for n, block := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n\n") {
		if block == "" {
			continue
		}
		lines := strings.Split(block, "\n")
		require.GreaterOrEqual(t, len(lines), 3, block)
		require.Equal(t, strconv.Itoa(n+1), lines[0])
		require.Equal(t, 1, strings.Count(block, "-->"), block)
		start, end, ok := strings.Cut(lines[1], " --> ")
		require.True(t, ok, block)
		c := subtitle.Cue{Start: parseStamp(t, start), End: parseStamp(t, end)}
		for _, line := range lines[2:] {
			require.False(t, markup.MatchString(line), line)
			c.Lines = append(c.Lines, strings.ReplaceAll(line, "\u2060", ""))
		}
		read = append(read, c)
	}
	require.Len(t, read, len(cues))
	for i, c := range cues {
		require.Equal(t, subtitle.Cue{Start: c.Start, End: c.End, Lines: c.Lines}, read[i])
	}
}

func parseStamp(t *testing.T, s string) time.Duration {
	t.Helper()
	var h, m, sec, milli int64
	_, err := fmt.Sscanf(s, "%d:%02d:%02d,%03d", &h, &m, &sec, &milli)
	require.NoError(t, err, s)
	require.Equal(t, fmt.Sprintf("%02d:%02d:%02d,%03d", h, m, sec, milli), s)
	require.Less(t, max(m, sec), int64(60), s)
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second + time.Duration(milli)*ms
}
