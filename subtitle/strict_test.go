package subtitle_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

func words(list ...scriptix.Word) []scriptix.Word { return list }

var plainWords = strings.Fields("the a of and to in is it you that he was for on are with as I his they be at one have this from or had by word but what some we can out other were all there when up use your how said an each she")

// spokenAtRandom is a conversation of ordinary words, spoken at speeds and with pauses as people have them. Half of the
// segments tell when their words are.
func spokenAtRandom(r *rand.Rand, segments int) *scriptix.Transcript {
	in := &scriptix.Transcript{}
	at := 0.0
	for range segments {
		s := scriptix.Segment{Start: sec(at), Speaker: fmt.Sprint("Speaker ", 1+r.IntN(2))}
		var texts []string
		pace := 0.02 + 0.07*r.Float64() // seconds a letter
		for i := range 1 + r.IntN(20) {
			text := plainWords[r.IntN(len(plainWords))]
			if i == 0 {
				text = strings.ToUpper(text[:1]) + text[1:]
			}
			if r.IntN(8) == 0 {
				text += ","
			}
			start := at
			at += pace * float64(len(text)+1)
			s.Words = append(s.Words, word(start, at, text))
			at += r.Float64() * 0.05
			if r.IntN(15) == 0 {
				at += r.Float64() * 1.5
			}
			texts = append(texts, text)
		}
		s.Text = strings.Join(texts, " ") + "."
		s.End = sec(at)
		if r.IntN(2) == 0 {
			s.Words = nil
		}
		in.Segments = append(in.Segments, s)
		at += []float64{0, 0.1, 0.3, 0.6, 3}[r.IntN(5)]
		if r.IntN(10) == 0 {
			at -= 0.4 // somebody interrupts
		}
		at = max(at, 0)
	}
	return in
}

func TestCuesEndAtMostHalfASecondAfterTheirLastWord(t *testing.T) {
	t.Parallel()
	told := 0
	for seed := range uint64(50) {
		in := spokenAtRandom(rand.New(rand.NewPCG(seed, 17)), 40)
		for _, o := range []subtitle.Options{subtitle.Netflix("en"), subtitle.BBC(), {FrameRate: 30}, {CloseGaps: true}, {MinDuration: 2 * time.Second}} {
			for _, c := range subtitle.Cues(in, o) {
				if len(c.Words) == 0 {
					continue
				}
				told++
				allowed := max(c.Words[len(c.Words)-1].End+time.Second/2, c.Start+100*ms)
				if o.MinDuration > 0 {
					allowed = max(allowed, c.Start+o.MinDuration+sec(1.0/20))
				}
				if c.End > allowed { // closed behind the shortest duration
					require.True(t, o.CloseGaps && c.End-c.Start < o.MinDuration+time.Second/2, "%+v: %+v", o, c)
				}
			}
		}
	}
	assert.Greater(t, told, 1000)
}

func TestShortCuesAreJoinedAndProlonged(t *testing.T) {
	t.Parallel()
	o := subtitle.Options{MinDuration: 800 * ms}
	tests := []struct {
		name string
		in   *scriptix.Transcript
		o    subtitle.Options
		want []string
	}{
		{"a short cue stays into the silence", transcript(seg(0, .3, "", "Yes."), seg(2, 4, "", "No.")), o, []string{"0s-800ms Yes.", "2s-4s No."}},
		{"a short segment is joined with the next one of the same speaker", transcript(seg(0, .3, "A", "Yes."), seg(.3, 2, "A", "I think so.")), o, []string{"0s-2s A: Yes. I think so."}},
		{"but not with another's", transcript(seg(0, .3, "A", "Yes."), seg(.3, 2, "B", "I think so.")), o, []string{"0s-220ms A: Yes.", "300ms-2s B: I think so."}},
		{"nor where there is room for both", transcript(seg(0, 1, "A", "Yes."), seg(1, 2, "A", "I think so.")), o, []string{"0s-920ms A: Yes.", "1s-2s A: I think so."}},
		{"nor where they overlap", transcript(seg(0, .5, "A", "Yes."), seg(.3, 2, "A", "I think so.")), o, []string{"0s-420ms A: Yes.", "500ms-2s A: I think so."}},
		{"times are on frames", transcript(seg(0.01, 1.01, "", "One."), seg(1.3, 2.77, "", "Two.")), subtitle.Options{FrameRate: 25}, []string{"0s-1s One.", "1.32s-2.76s Two."}},
		{"2 frames stay free", transcript(seg(0, 1, "", "One."), seg(1, 2, "", "Two.")), subtitle.Options{FrameRate: 25}, []string{"0s-920ms One.", "1s-2s Two."}},
		{"more if that is asked for", transcript(seg(0, 1, "", "One."), seg(1, 2, "", "Two.")), subtitle.Options{FrameRate: 25, MinGap: 100 * ms}, []string{"0s-880ms One.", "1s-2s Two."}},
		{"a gap of 3 to 11 frames is closed", transcript(seg(0, 1, "", "One."), seg(1.4, 2, "", "Two."), seg(2.6, 3, "", "Three.")), subtitle.Options{FrameRate: 25, CloseGaps: true}, []string{"0s-1.32s One.", "1.4s-2s Two.", "2.6s-3s Three."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, brief(subtitle.Cues(tt.in, tt.o)))
		})
	}
}

func TestSegmentsAreNotJoinedForBeingLong(t *testing.T) {
	t.Parallel()
	long := strings.TrimSpace(strings.Repeat("word ", 200))
	in := transcript(seg(0, 60, "A", long), seg(61, 120, "A", long))
	cues := subtitle.Cues(in, subtitle.Options{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MaxCharsPerSecond: -1, MinDuration: time.Second})
	assert.Len(t, cues, 2)
}

func TestLinesBreakAtPhrases(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, language, text string
		want                 []string
	}{
		{"before a preposition", "en", "I have never been so happy in the whole of my life", []string{"I have never been so happy", "in the whole of my life"}},
		{"before a conjunction", "en-US", "They went home early because nothing was left to do", []string{"They went home early", "because nothing was left to do"}},
		{"the lower line is the longer one", "en", "Somebody absolutely always forgets important things", []string{"Somebody absolutely", "always forgets important things"}},
		{"a name stays whole", "en", "Yesterday evening we met Maria Callas somewhere", []string{"Yesterday evening", "we met Maria Callas somewhere"}},
		{"Dutch", "nl-BE", "Wij hebben gisteren gewandeld in het park bij de rivier", []string{"Wij hebben gisteren gewandeld", "in het park bij de rivier"}},
		{"German, whose nouns are no names", "de", "Gestern gingen die Kinder mit dem Hund zum Haus am See", []string{"Gestern gingen die Kinder", "mit dem Hund zum Haus am See"}},
		{"a language that is not known is balanced", "xx", "I have never been so happy in the whole of my life", []string{"I have never been so happy", "in the whole of my life"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cues := subtitle.Cues(transcript(seg(0, 5, "", tt.text)), subtitle.Options{Language: tt.language})
			require.Len(t, cues, 1)
			assert.Equal(t, tt.want, cues[0].Lines)
		})
	}
}

func TestNoLineEndsAfterAnArticle(t *testing.T) {
	t.Parallel()
	lines := 0
	for seed := range uint64(50) {
		in := spokenAtRandom(rand.New(rand.NewPCG(seed, 18)), 40)
		for _, o := range []subtitle.Options{subtitle.Netflix("en"), {Language: "en"}, {Language: "en", MaxLines: 3, MaxLineLength: 20}} {
			for _, c := range subtitle.Cues(in, o) {
				for i, line := range c.Lines[:len(c.Lines)-1] {
					lines++
					last := line[strings.LastIndex(line, " ")+1:]
					if strings.EqualFold(last, "the") || strings.EqualFold(last, "a") || strings.EqualFold(last, "an") {
						// Two articles in a row: these are random words.
						require.Contains(t, []string{"the", "a", "an"}, strings.Fields(c.Lines[i+1])[0], "%q", c.Lines)
					}
				}
			}
		}
	}
	assert.Greater(t, lines, 1000)
}

func TestPresetsHaveTheLimitsOfTheirLanguage(t *testing.T) {
	t.Parallel()
	for language, want := range map[string][2]float64{
		"en": {42, 20}, "en_GB": {42, 20}, "nl": {42, 17}, "": {42, 17}, "ar": {42, 20}, "hi": {42, 22}, "ru": {39, 17}, "th": {35, 17},
		"ko": {16, 12}, "zh-Hant": {16, 9}, "ja": {13, 4},
	} {
		o := subtitle.Netflix(language)
		assert.Equal(t, want, [2]float64{float64(o.MaxLineLength), o.MaxCharsPerSecond}, language)
		assert.Equal(t, 5*time.Second/6, o.MinDuration)
	}
}

func TestCuesHaveTheWordsThatTheTranscriptTimes(t *testing.T) {
	t.Parallel()
	told := transcript(seg(0, 4, "", "Hello, dear – World-Wide!", word(0, 1, "hello"), word(1, 2, "dear"), word(2, 3, "world"), word(3, 4, "wide")))
	cues := subtitle.Cues(told, subtitle.Options{})
	require.Len(t, cues, 1)
	assert.Equal(t, words(word(0, 1, "Hello,"), word(1, 2, "dear"), word(2, 4, "World-Wide!")), cues[0].Words)

	for name, in := range map[string]*scriptix.Transcript{
		"no words at all":         transcript(seg(0, 4, "", "Hello world")),
		"one of them has no time": transcript(seg(0, 4, "", "Hello world", word(0, 1, "Hello"), word(0, 0, "world"))),
		"nothing but marks":       transcript(seg(0, 4, "", "– –")),
	} {
		for _, c := range subtitle.Cues(in, subtitle.Options{}) {
			assert.Nil(t, c.Words, name)
		}
	}
}

func TestSegmentsAreSorted(t *testing.T) {
	t.Parallel()
	a, b, c, none := seg(1, 2, "A", "a"), seg(1.5, 3, "B", "b"), seg(5, 6, "A", "c"), seg(0, 0, "A", "none")
	assert.Equal(t, []scriptix.Segment{a, b, c}, subtitle.Sorted([]scriptix.Segment{c, a, b}))
	assert.Equal(t, []scriptix.Segment{a, none, c}, subtitle.Sorted([]scriptix.Segment{c, a, none}))
	in := []scriptix.Segment{a, none, c}
	assert.Same(t, &in[0], &subtitle.Sorted(in)[0], "what is in order is not copied")

	var text strings.Builder
	require.NoError(t, subtitle.WriteText(&text, transcript(c, b, a)))
	assert.Equal(t, "A: a\n\nB: b\n\nA: c\n", text.String())
	assert.Equal(t, []string{"1s-1.42s A: a", "1.5s-3s B: b"}, brief(subtitle.Cues(transcript(b, a), subtitle.Options{})), "both are kept")
}
