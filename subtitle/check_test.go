package subtitle_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/subtitle"
)

// finding is what the independent rules below say of a cue.
type finding struct {
	cue  int
	rule string
}

// independently holds cues against the rules by plain arithmetic in seconds.
func independently(cues []subtitle.Cue, o subtitle.Options) []finding {
	var out []finding
	add := func(i int, rule string, broken bool) {
		if broken {
			out = append(out, finding{i, rule})
		}
	}
	seconds := func(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
	slack, gap := 1e-9, 0.08
	if o.MinGap > 0 {
		gap = o.MinGap.Seconds()
	}
	if o.FrameRate > 0 {
		gap, slack = 2/o.FrameRate, 0.001+1e-9
	}
	for i, c := range cues {
		start, end := seconds(c.Start), seconds(c.End)
		add(i, "line-length", slices.ContainsFunc(c.Lines, func(line string) bool { return len([]rune(line)) > o.MaxLineLength }))
		add(i, "lines", len(c.Lines) > o.MaxLines)
		add(i, "min-duration", end-start+slack < o.MinDuration.Seconds())
		add(i, "max-duration", end-start-slack > o.MaxDuration.Seconds())
		if i > 0 {
			before := cues[i-1]
			free := start - seconds(before.End)
			frames := math.Round(start*o.FrameRate) - math.Round(seconds(before.End)*o.FrameRate)
			switch {
			case c.Start < before.Start:
				add(i, "order", true)
			case c.Start < before.End:
				add(i, "overlap", true)
			case free+slack < gap:
				add(i, "gap", true)
			case o.CloseGaps && o.FrameRate > 0:
				add(i, "close-gap", frames >= 3 && frames <= 11)
			case o.CloseGaps:
				add(i, "close-gap", free > gap+slack && free < 0.5-slack)
			}
		}
		if f := o.FrameRate; f > 0 {
			off := func(t float64) bool { return math.Abs(t*1000-math.Round(math.Round(t*f)/f*1000)) > 0.5 }
			add(i, "frame", off(start) || off(end))
		}
		add(i, "reading-speed", float64(len([]rune(strings.Join(c.Lines, " "))))/o.MaxCharsPerSecond > end-start+slack)
	}
	return out
}

func findings(violations []subtitle.Violation) []finding {
	var out []finding
	for _, v := range violations {
		out = append(out, finding{v.Cue, v.Rule})
	}
	return out
}

func sortFindings(all []finding) []finding {
	slices.SortFunc(all, func(a, b finding) int { return cmp.Or(cmp.Compare(a.cue, b.cue), cmp.Compare(a.rule, b.rule)) })
	return all
}

// worse are cues that somebody edited badly.
func worse(r *rand.Rand, cues []subtitle.Cue) []subtitle.Cue {
	out := slices.Clone(cues)
	for i := range out {
		c := &out[i]
		switch r.IntN(8) {
		case 0:
			c.Start -= time.Duration(r.IntN(3000)) * ms
		case 1:
			c.End += time.Duration(r.IntN(9000)) * ms
		case 2:
			c.End = c.Start + time.Duration(1+r.IntN(900))*ms
		case 3:
			c.Lines = append(slices.Clone(c.Lines), "one more line")
		case 4:
			c.Lines = []string{strings.Join(c.Lines, " ")}
		}
		c.Start = max(c.Start, 0)
		c.End = max(c.End, c.Start+ms)
	}
	return out
}

func TestCheckAgreesWithAnIndependentReadingOfEachRule(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 15))
		in := spokenAtRandom(r, 40)
		for name, o := range map[string]subtitle.Options{
			"Netflix": subtitle.Netflix("en"), "Netflix at 25": at(subtitle.Netflix("nl"), 25), "Netflix at 30": at(subtitle.Netflix("de"), 30), "BBC": subtitle.BBC(),
			"no frames": {MaxLineLength: 32, MaxLines: 2, MaxDuration: 6 * time.Second, MaxCharsPerSecond: 15, MinDuration: time.Second, CloseGaps: true},
		} {
			for _, cues := range [][]subtitle.Cue{subtitle.Cues(in, o), worse(r, subtitle.Cues(in, o)), worse(r, subtitle.Cues(in, subtitle.Options{}))} {
				want, got := sortFindings(independently(cues, o)), sortFindings(findings(subtitle.Check(cues, o)))
				require.Equal(t, want, got, "%s, seed %d: %+v", name, seed, cues)
				for _, f := range got {
					seen[f.rule]++
				}
			}
		}
	}
	for _, rule := range []string{"line-length", "lines", "min-duration", "max-duration", "gap", "overlap", "order", "close-gap", "frame", "reading-speed"} {
		assert.Greater(t, seen[rule], 10, "%s was hardly tested", rule)
	}
}

func at(o subtitle.Options, frameRate float64) subtitle.Options {
	o.FrameRate = frameRate
	return o
}

func TestPresetsBreakNoRuleThatTheSpeechDoesNotForce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 16))
		in := spokenAtRandom(r, 60)
		for name, o := range map[string]subtitle.Options{
			"Netflix en": subtitle.Netflix("en"), "Netflix nl": subtitle.Netflix("nl"), "Netflix ja": subtitle.Netflix("ja"), "BBC": subtitle.BBC(),
			"23.976": at(subtitle.Netflix("en"), 24000.0/1001), "60": at(subtitle.Netflix("fr"), 60),
		} {
			cues := subtitle.Cues(in, o)
			for _, v := range subtitle.Check(cues, o) {
				require.True(t, v.Forced, "%s, seed %d: %+v of %+v", name, seed, v, cues[max(v.Cue-1, 0):min(v.Cue+2, len(cues))])
			}
		}
	}
}

func TestCheckNamesWhatItFinds(t *testing.T) {
	t.Parallel()
	netflix := subtitle.Netflix("en")
	spoken := cue(1, 1.5, "", "much too much for half a second")
	spoken.Words = words(word(1, 1.1, "much"), word(1.1, 1.4, "second"))
	tests := []struct {
		name string
		cues []subtitle.Cue
		o    subtitle.Options
		want []subtitle.Violation
	}{
		{"nothing of no cues", nil, netflix, nil},
		{"nothing of a good one", []subtitle.Cue{cue(1, 3, "", "One.")}, netflix, nil},
		{"a line that could be broken", []subtitle.Cue{cue(1, 3, "", "ten letters")}, subtitle.Options{MaxLineLength: 10}, []subtitle.Violation{{0, subtitle.RuleLineLength, 11, 10, false}}},
		{"a word that could not", []subtitle.Cue{cue(1, 3, "", "tenletters!")}, subtitle.Options{MaxLineLength: 10}, []subtitle.Violation{{0, subtitle.RuleLineLength, 11, 10, true}}},
		{"three lines", []subtitle.Cue{cue(1, 3, "", "a", "b", "c")}, netflix, []subtitle.Violation{{0, subtitle.RuleLines, 3, 2, false}}},
		{"a short cue that could be longer", []subtitle.Cue{cue(1, 1.5, "", "a")}, subtitle.Options{MinDuration: time.Second}, []subtitle.Violation{{0, subtitle.RuleMinDuration, 0.5, 1, false}}},
		{"a short cue in front of another", []subtitle.Cue{cue(1, 1.5, "", "a"), cue(1.58, 3, "", "b")}, subtitle.Options{MinDuration: time.Second}, []subtitle.Violation{{0, subtitle.RuleMinDuration, 0.5, 1, true}}},
		{"a long cue", []subtitle.Cue{cue(1, 9, "", "a")}, netflix, []subtitle.Violation{{0, subtitle.RuleMaxDuration, 8, 7, false}}},
		{"the second of two that are too close", []subtitle.Cue{cue(1, 2, "", "a"), cue(2.05, 3, "", "b")}, subtitle.Options{}, []subtitle.Violation{{1, subtitle.RuleGap, 0.05, 0.08, false}}},
		{"the second of two that overlap", []subtitle.Cue{cue(1, 2, "", "a"), cue(1.5, 3, "", "b")}, subtitle.Options{}, []subtitle.Violation{{1, subtitle.RuleOverlap, -0.5, 0, false}}},
		{"the second of two in the wrong order", []subtitle.Cue{cue(5, 6, "", "a"), cue(1, 2, "", "b")}, subtitle.Options{}, []subtitle.Violation{{1, subtitle.RuleOrder, 1, 5, false}}},
		{"a gap to be closed", []subtitle.Cue{cue(1, 2, "", "a"), cue(2.3, 4, "", "b")}, subtitle.Options{CloseGaps: true}, []subtitle.Violation{{1, subtitle.RuleCloseGap, 0.3, 0.08, false}}},
		{"a gap behind a cue that cannot be longer", []subtitle.Cue{cue(1, 8, "", "a"), cue(8.3, 10, "", "b")}, subtitle.Options{CloseGaps: true}, []subtitle.Violation{{1, subtitle.RuleCloseGap, 0.3, 0.08, true}}},
		{"a time between two frames", []subtitle.Cue{cue(1, 3.02, "", "a")}, subtitle.Options{FrameRate: 25}, []subtitle.Violation{{0, subtitle.RuleFrame, 3.02, 3.04, false}}},
		{"a cue that is too fast and could stay", []subtitle.Cue{cue(1, 2, "", strings.Repeat("a b ", 10)+"c")}, subtitle.Options{}, []subtitle.Violation{{0, subtitle.RuleReadingSpeed, 41, 20, false}}},
		{"a cue that is too fast in front of another", []subtitle.Cue{cue(1, 2, "", strings.Repeat("a b ", 10)+"c"), cue(2.08, 4, "", "b")}, subtitle.Options{}, []subtitle.Violation{{0, subtitle.RuleReadingSpeed, 41, 20, true}}},
		{"a cue that ends before it starts cannot be read", []subtitle.Cue{cue(2, 1, "", "a")}, subtitle.Options{}, []subtitle.Violation{{0, subtitle.RuleReadingSpeed, math.Inf(1), 20, false}}},
		{"a cue that is too fast and may not stay", []subtitle.Cue{spoken}, subtitle.Options{CloseGaps: true}, []subtitle.Violation{{0, subtitle.RuleReadingSpeed, 62, 20, true}}},
		{"a cue without text is not read", []subtitle.Cue{cue(1, 1.001, "")}, subtitle.Options{}, nil},
		{"no limits, no violations", []subtitle.Cue{cue(1, 60, "", strings.Repeat("a ", 4000), "b", "c")}, subtitle.Options{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MaxCharsPerSecond: -1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := subtitle.Check(tt.cues, tt.o)
			require.Len(t, got, len(tt.want), "%+v", got)
			for i, want := range tt.want {
				if !math.IsInf(want.Value, 1) {
					assert.InDelta(t, want.Value, got[i].Value, 0.001)
					got[i].Value = want.Value
				}
				assert.InDelta(t, want.Limit, got[i].Limit, 0.001)
				got[i].Limit = want.Limit
				assert.Equal(t, want, got[i])
			}
		})
	}
}
