package subtitle_test

import (
	"cmp"
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
		in, said := randomTranscript(r, int(size)%8)
		o := randomOptions(r)
		cues := subtitle.Cues(in, o)
		checkCues(t, cues, said, o)
		checkSRT(t, cues)
		for _, v := range subtitle.Check(cues, o) {
			if !v.Forced {
				t.Fatalf("cue %d breaks a rule unforced: %+v\n%+v\n%+v", v.Cue, v, o, cues[max(v.Cue-1, 0):min(v.Cue+2, len(cues))])
			}
		}
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
	var told []telling
	for i := range segments {
		told = append(told, telling{at: i})
		said := &told[i].said
		s := scriptix.Segment{Start: when(3)}
		if r.IntN(3) > 0 {
			s.Speaker = "Speaker " + strconv.Itoa(1+r.IntN(3))
		}
		var texts []string
		timed, marks := r.IntN(2) == 0, r.IntN(2) == 0
		for range r.IntN([]int{4, 12, 30}[r.IntN(3)]) {
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
			*said = append(*said, saying{speaker, text})
		}
		if !timed || marks {
			s.Text = strings.Join(texts, []string{" ", "\n", " \t "}[r.IntN(3)])
		}
		s.End = when(.1)
		in.Segments = append(in.Segments, s)
	}
	return in, inOrder(in.Segments, told)
}

// telling is what a segment says.
type telling struct {
	at   int
	said []saying
}

// inOrder is what is said in segments, by their starts: one that tells no time stays behind the one in front of it.
func inOrder(segments []scriptix.Segment, told []telling) (all []saying) {
	const absurd = 10_000 * time.Hour
	starts := make([]time.Duration, len(segments))
	for i, s := range segments {
		if i > 0 {
			starts[i] = starts[i-1]
		}
		first := slices.IndexFunc(s.Words, func(w scriptix.Word) bool {
			return w.End > 0 && w.End < absurd && w.End >= max(w.Start, 0)
		})
		switch {
		case s.Start > 0 && s.Start < absurd, s.End > max(s.Start, 0) && s.End < absurd:
			starts[i] = max(s.Start, 0)
		case first >= 0:
			starts[i] = max(s.Words[first].Start, 0)
		}
	}
	slices.SortStableFunc(told, func(a, b telling) int { return cmp.Compare(starts[a.at], starts[b.at]) })
	for _, s := range told {
		all = append(all, s.said...)
	}
	return all
}

func randomOptions(r *rand.Rand) subtitle.Options {
	switch r.IntN(4) {
	case 0:
		return subtitle.Options{Speakers: r.IntN(2) == 0}
	case 1:
		return subtitle.Netflix([]string{"en", "ja", "de", "xx"}[r.IntN(4)])
	case 2:
		return subtitle.BBC()
	}
	o := subtitle.Options{
		MaxLineLength:     []int{0, -1, 1, 10, 16, 80}[r.IntN(6)],
		MaxLines:          []int{0, -1, 1, 3}[r.IntN(4)],
		MaxDuration:       []time.Duration{0, -1, 1, 50 * ms, 3 * time.Second}[r.IntN(5)],
		MinGap:            []time.Duration{0, -1, 1, time.Second, math.MaxInt64}[r.IntN(5)],
		MaxCharsPerSecond: []float64{0, -1, 5, 1e-9, math.NaN(), math.Inf(1)}[r.IntN(6)],
		Speakers:          r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		o.MinDuration = []time.Duration{0, 1, 5 * time.Second / 6, 20 * time.Second}[r.IntN(4)]
		o.FrameRate = []float64{0, 1, 24, 24000.0 / 1001, 25, 60}[r.IntN(6)]
		o.CloseGaps = r.IntN(2) == 0
		o.Language = []string{"", "en-GB", "nl_BE"}[r.IntN(3)]
	}
	return o
}

// checkCues checks everything that the package promises of cues in general. It compares by hand, because a fuzzer's
// inputs are worth more than the prose of their failures.
func checkCues(t *testing.T, cues []subtitle.Cue, said []saying, o subtitle.Options) {
	t.Helper()
	width, lines, longest, gap := decided(o.MaxLineLength, 42), decided(o.MaxLines, 2), decided(o.MaxDuration, 7*time.Second), decided(o.MinGap, 80*ms)
	gap = min(gap, time.Minute)
	if longest > 0 {
		longest = max(longest, ms)
	}
	if o.FrameRate > 0 { // the longest may be less than a frame, and times are rounded
		if longest > 0 {
			longest = max(longest, sec(1/o.FrameRate)) + ms
		}
		if o.MinGap == 0 {
			gap = sec(2 / o.FrameRate)
		}
		gap -= ms
	}
	strict := o.MinDuration > 0 || o.FrameRate > 0 || o.CloseGaps
	rate := 20.0
	if r := o.MaxCharsPerSecond; r > 0 {
		rate = r
	} else if r < 0 {
		rate = math.Inf(1)
	}
	fail := func(i int, what string) {
		t.Helper()
		t.Fatalf("cue %d: %s\n%+v\n%+v\n%+v", i, what, o, cues[max(i-1, 0):i+1], said)
	}
	var shown []saying
	var last subtitle.Cue
	for i, c := range cues {
		switch {
		case len(c.Lines) == 0:
			fail(i, "has no lines")
		case c.Start < 0 || c.Start >= c.End:
			fail(i, "has no time")
		case c.Start%ms != 0 || c.End%ms != 0:
			fail(i, "has no whole milliseconds")
		case i > 0 && c.Start < last.End+gap:
			fail(i, "is too close to the one in front of it")
		case longest > 0 && c.End-c.Start > longest:
			fail(i, "is too long")
		case lines > 0 && len(c.Lines) > lines:
			fail(i, "has too many lines")
		}
		whole := strings.Join(c.Lines, " ")
		if stays := (c.End - c.Start).Seconds(); !strict && unspacedIn(whole) == 0 && float64(reader(whole))/stays > rate && stays < 3600 {
			cut := i+1 < len(cues) && cues[i+1].Start-c.End < gap+ms
			if !cut && (longest == 0 || c.End-c.Start != longest.Truncate(ms)) {
				fail(i, "could stay longer")
			}
		}
		for j, line := range c.Lines {
			if strings.TrimSpace(line) == "" || strings.Contains(line, "\n") {
				fail(i, "has a line that is none")
			}
			unit := strings.HasPrefix(line, c.Speaker+":") && c.Named && j == 0 // a name is one word
			if width > 0 && reader(line) > width && !unit && (strings.Contains(line, " ") || unspacedIn(line) > 20) {
				fail(i, "has a line that could be broken")
			}
		}
		if c.Named {
			if !o.Speakers || last.Speaker == c.Speaker || !strings.HasPrefix(whole, c.Speaker+": ") {
				fail(i, "is named and should not be")
			}
			whole = strings.TrimPrefix(whole, c.Speaker+":")
		}
		checkWords(t, c)
		shown = append(shown, saying{c.Speaker, strings.TrimSpace(whole)})
		last = c
	}
	if want, got := turns(said), turns(shown); !slices.Equal(want, got) {
		require.Equal(t, want, got)
	}
}

// checkWords checks that a cue's words are in its lines and in order.
func checkWords(t *testing.T, c subtitle.Cue) {
	t.Helper()
	rest := strings.Join(c.Lines, " ")
	var at time.Duration
	for _, w := range c.Words {
		_, after, ok := strings.Cut(rest, w.Text)
		if !ok || w.Start < at || w.End < w.Start {
			t.Fatalf("the word %+v is not in its place: %+v", w, c)
		}
		rest, at = after, w.Start
	}
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
	n := 0
	for block := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n\n") {
		if block == "" {
			continue
		}
		lines := strings.Split(block, "\n")
		if n >= len(cues) || len(lines) < 3 || lines[0] != strconv.Itoa(n+1) || strings.Count(block, "-->") != 1 {
			t.Fatalf("%q is not cue %d", block, n)
		}
		c := cues[n]
		n++
		start, end, ok := strings.Cut(lines[1], " --> ")
		if !ok || parseStamp(t, start) != c.Start || parseStamp(t, end) != c.End {
			t.Fatalf("%q are not the times of %+v", lines[1], c)
		}
		for i, line := range lines[2:] {
			if markup.MatchString(line) {
				t.Fatalf("%q holds markup", line)
			}
			lines[2+i] = strings.ReplaceAll(line, "\u2060", "")
		}
		if !slices.Equal(lines[2:], c.Lines) {
			t.Fatalf("%q is not %q", lines[2:], c.Lines)
		}
	}
	if n != len(cues) {
		t.Fatalf("%d cues of %d were written", n, len(cues))
	}
}

func parseStamp(t *testing.T, s string) time.Duration {
	t.Helper()
	clock, milli, ok := strings.Cut(s, ",")
	fields := append(strings.Split(clock, ":"), milli)
	if !ok || len(fields) != 4 {
		t.Fatalf("%q is no time", s)
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, ms} {
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 0 || len(fields[i]) < 2 || i > 0 && i < 3 && n > 59 || i == 3 && len(fields[i]) != 3 {
			t.Fatalf("%q is no time", s)
		}
		d += time.Duration(n) * unit
	}
	return d
}
