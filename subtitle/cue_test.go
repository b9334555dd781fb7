package subtitle_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

const ms = time.Millisecond

// sec is seconds as the service sends them.
func sec(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

func seg(start, end float64, speaker, text string, words ...scriptix.Word) scriptix.Segment {
	return scriptix.Segment{Start: sec(start), End: sec(end), Speaker: speaker, Text: text, Words: words}
}

func word(start, end float64, text string) scriptix.Word {
	return scriptix.Word{Start: sec(start), End: sec(end), Text: text}
}

func transcript(segments ...scriptix.Segment) *scriptix.Transcript {
	return &scriptix.Transcript{Segments: segments}
}

// brief writes a cue as "start-end speaker: line | line", times in milliseconds.
func brief(cues []subtitle.Cue) []string {
	var out []string
	for _, c := range cues {
		s := time.Duration.String(c.Start) + "-" + c.End.String() + " "
		if c.Speaker != "" {
			s += c.Speaker + ": "
		}
		out = append(out, s+strings.Join(c.Lines, " | "))
	}
	return out
}

func TestCues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 50)
	tests := []struct {
		name string
		in   *scriptix.Transcript
		o    subtitle.Options
		want []string
	}{
		{"a nil transcript has no cues", nil, subtitle.Options{}, nil},
		{"an empty transcript has no cues", &scriptix.Transcript{}, subtitle.Options{}, nil},
		{"segments without visible text are left out", transcript(
			seg(0, 1, "A", " \t\n"), seg(1, 2, "A", "\u200b\u00a0\x00"), seg(2, 3, "A", "yes")), subtitle.Options{},
			[]string{"2s-3s A: yes"}},
		{"a segment is a cue and keeps 80 ms free for the next", transcript(
			seg(0, 2.5, "", "Hello, welcome to today's meeting."), seg(2.5, 5, "", "Let's begin with the agenda.")), subtitle.Options{},
			[]string{"0s-2.42s Hello, welcome to today's meeting.", "2.5s-5s Let's begin with the agenda."}},
		{"a transcript without segments is one from 0 to its duration",
			&scriptix.Transcript{Text: "One two.", Duration: 2 * time.Second}, subtitle.Options{}, []string{"0s-2s One two."}},
		{"without a duration the text lasts as long as it takes to say",
			&scriptix.Transcript{Text: "fifteen letters"}, subtitle.Options{}, []string{"0s-1s fifteen letters"}},
		{"a change of speaker starts a cue within a segment", transcript(seg(0, 2, "A", "one two",
			word(0, 1, "one"), scriptix.Word{Start: sec(1), End: sec(2), Text: "two", Speaker: "B"})), subtitle.Options{},
			[]string{"0s-920ms A: one", "1s-2s B: two"}},
		{"two lines are about the same length", transcript(
			seg(0, 4, "", "one two three four five six seven eight nine")), subtitle.Options{},
			[]string{"0s-4s one two three four five | six seven eight nine"}},
		{"a line ends where a sentence ends, if that is near the middle", transcript(
			seg(0, 4, "", "We are done with this now. The next one is the budget.")), subtitle.Options{},
			[]string{"0s-4s We are done with this now. | The next one is the budget."}},
		{"a cue ends where a sentence ends", transcript(
			seg(0, 9, "", "This is the first sentence of them all. This is the second one, and it is somewhat longer, it is.")), subtitle.Options{},
			[]string{"0s-3.612s This is the first sentence of them all.", "3.692s-9s This is the second one, | and it is somewhat longer, it is."}},
		{"a cue ends at a comma, if no sentence ends", transcript(
			seg(0, 9, "", "when there is no end of a sentence in sight, then the comma is the next best place to stop at")), subtitle.Options{},
			[]string{"0s-4.235s when there is no end | of a sentence in sight,", "4.315s-9s then the comma is the | next best place to stop at"}},
		{"a silence ends a cue", transcript(seg(0, 6, "", "one two three four",
			word(0, .5, "one"), word(.5, 1, "two"), word(4, 4.5, "three"), word(4.5, 6, "four"))), subtitle.Options{},
			[]string{"0s-1s one two", "4s-6s three four"}},
		{"a word longer than a line stands alone and whole", transcript(seg(0, 4, "", "see "+long+" there")), subtitle.Options{},
			[]string{"0s-3.575s see | " + long, "3.655s-4s there"}},
		{"a cue is no longer than 7 s", transcript(seg(0, 30, "", "Hm.", word(0, 30, "Hm."))), subtitle.Options{},
			[]string{"0s-7s Hm."}},
		{"a cue that is too fast stays into the silence", transcript(
			seg(0, .5, "", "this has thirty characters, it"), seg(5, 6, "", "next")), subtitle.Options{},
			[]string{"0s-1.5s this has thirty characters, it", "5s-6s next"}},
		{"but not into the next cue", transcript(
			seg(0, .5, "", "this has thirty characters, it"), seg(1, 2, "", "next")), subtitle.Options{},
			[]string{"0s-920ms this has thirty characters, it", "1s-2s next"}},
		{"words in lower case without punctuation take the segment's text", transcript(seg(0, 2, "", "Hello, Mr. World-Wide!",
			word(0, .4, "hello"), word(.5, .9, "mr"), word(1, 1.4, "world"), word(1.5, 2, "wide"))), subtitle.Options{MaxLineLength: 8, MaxLines: 1, MaxDuration: -1},
			[]string{"0s-400ms Hello,", "500ms-900ms Mr.", "1s-2s World-Wide!"}},
		{"words that the segment's text lacks are shown", transcript(seg(0, 2, "", "Hello",
			word(0, 1, "Hello"), word(1, 1, "dear"), word(1, 2, "world"), word(2, 2, "!"))), subtitle.Options{},
			[]string{"0s-2s Hello dear world!"}},
		{"a text that has more letters than the words is not theirs", transcript(seg(0, 2, "", "Hello world",
			word(0, 1, "Hello"))), subtitle.Options{}, []string{"0s-1s Hello"}},
		{"a text with letters between the words is not theirs", transcript(seg(0, 2, "", "Hello big world",
			word(0, 1, "Hello"), word(1, 2, "world"))), subtitle.Options{}, []string{"0s-2s Hello world"}},
		{"a mark with a space in front of it does not start a line", transcript(seg(0, 2, "", "Vous allez bien ?")),
			subtitle.Options{MaxLineLength: 15}, []string{"0s-2s Vous allez | bien ?"}},
		{"words without anything to see are left out", transcript(seg(0, 2, "", "", word(0, 1, " \x00"), word(1, 2, "yes"))),
			subtitle.Options{}, []string{"1s-2s yes"}},
		{"a word that holds two shares its time", transcript(seg(0, 2, "", "", word(0, 2, "New York"))),
			subtitle.Options{MaxLineLength: 4, MaxLines: 1}, []string{"0s-777ms New", "857ms-2s York"}},
		{"the speaker's name is put in front when the speaker changes", transcript(
			seg(0, 1, "Speaker 1", "One."), seg(1, 2, "Speaker 1", "Two."), seg(2, 3, "Speaker 2", "Three."),
			seg(3, 4, "", "Four."), seg(4, 5, "Speaker 2", "Five.")), subtitle.Options{Speakers: true},
			[]string{"0s-920ms Speaker 1: Speaker 1: One.", "1s-1.92s Speaker 1: Two.", "2s-2.92s Speaker 2: Speaker 2: Three.",
				"3s-3.92s Four.", "4s-5s Speaker 2: Speaker 2: Five."}},
		{"the name counts for the length of the line", transcript(
			seg(0, 3, "Speaker 1", "just as long as a line of a cue can be, ok")), subtitle.Options{Speakers: true},
			[]string{"0s-3s Speaker 1: Speaker 1: just as long as | a line of a cue can be, ok"}},
		{"a name too long for the only line is left out", transcript(seg(0, 1, "Speaker 1", "welcome")),
			subtitle.Options{Speakers: true, MaxLines: 1, MaxLineLength: 10}, []string{"0s-1s Speaker 1: welcome"}},
		{"negative options are no limits", transcript(seg(0, 60, "", strings.Repeat("one two three. ", 60)), seg(60, 61, "", "end")),
			subtitle.Options{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MinGap: -1, MaxCharsPerSecond: -1},
			[]string{"0s-1m0s " + strings.TrimSpace(strings.Repeat("one two three. ", 60)), "1m0s-1m1s end"}},
		{"a cue of more words than the search looks at is whole where nothing limits it", transcript(seg(0, 60, "", strings.Repeat("one ", 600))),
			subtitle.Options{MaxLineLength: -1, MaxLines: -1, MaxDuration: -1, MaxCharsPerSecond: 1000},
			[]string{"0s-1m0s " + strings.TrimSpace(strings.Repeat("one ", 600))}},
		{"more than two lines are balanced, too", transcript(seg(0, 4, "", "aaaa bbbb cccc dddd eeee ffff gggg")),
			subtitle.Options{MaxLines: 4, MaxLineLength: 16}, []string{"0s-4s aaaa bbbb cccc | dddd eeee ffff | gggg"}},
		{"NaN and infinite speeds are the default and none", transcript(seg(0, .5, "", "twenty characters, s")),
			subtitle.Options{MaxCharsPerSecond: math.NaN()}, []string{"0s-1s twenty characters, s"}},
		{"an infinite speed is none", transcript(seg(0, .5, "", "twenty characters, s")),
			subtitle.Options{MaxCharsPerSecond: math.Inf(1)}, []string{"0s-500ms twenty characters, s"}},
		{"odd durations in options are whole milliseconds", transcript(seg(0, 1, "", "a"), seg(1, 2, "", "b")),
			subtitle.Options{MinGap: 1, MaxDuration: 300*ms + 1}, []string{"0s-300ms a", "1s-1.3s b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, brief(subtitle.Cues(tt.in, tt.o)))
		})
	}
}

func TestTimesThatMakeNoSenseAreHandledAsDocumented(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   *scriptix.Transcript
		want []string
	}{
		{"59.9996 s is a whole minute", transcript(seg(59.9996, 61.2345, "", "Hi")), []string{"1m0s-1m1.235s Hi"}},
		{"a negative start is 0", transcript(seg(-5, 1, "", "Hi")), []string{"0s-1s Hi"}},
		{"both negative: 0, for as long as it takes to say", transcript(seg(-5, -1, "", "fifteen letters")), []string{"0s-1s fifteen letters"}},
		{"saturated: after the text so far", transcript(seg(0, 1, "", "one"), seg(9223372036, 9223372036, "", "two"), seg(10, 11, "", "three")),
			[]string{"0s-920ms one", "1s-1.2s two", "10s-11s three"}},
		{"saturated the other way", transcript(seg(1, 2, "", "one"), seg(-9223372036, 9223372036, "", "two")),
			[]string{"1s-1.92s one", "2s-2.2s two"}},
		{"empty: until the next one at most", transcript(seg(4, 4, "", "fifteen letters"), seg(4.5, 5, "", "two")),
			[]string{"4s-4.42s fifteen letters", "4.5s-5s two"}},
		{"reversed: begins at its start", transcript(seg(4, 2, "", "fifteen letters"), seg(9, 10, "", "two")),
			[]string{"4s-5s fifteen letters", "9s-10s two"}},
		{"without any times the text is said one after the other", transcript(seg(0, 0, "", "fifteen letters"), seg(0, 0, "", "fifteen letters")),
			[]string{"0s-920ms fifteen letters", "1s-2s fifteen letters"}},
		{"overlapping: the first gives way once it could be read", transcript(seg(0, 5, "A", "this has thirty characters, it"), seg(3, 6, "B", "two")),
			[]string{"0s-2.92s A: this has thirty characters, it", "3s-6s B: two"}},
		{"overlapping too much: the second waits until the first could be read", transcript(seg(0, 5, "A", "this has thirty characters, it"), seg(1, 6, "B", "two")),
			[]string{"0s-1.5s A: this has thirty characters, it", "1.58s-6s B: two"}},
		{"at the same time: one after the other", transcript(seg(1, 3, "A", "one"), seg(1, 3, "B", "two"), seg(1, 3, "C", "three")),
			[]string{"1s-1.15s A: one", "1.23s-1.38s B: two", "1.46s-3s C: three"}},
		{"in the wrong order: sorted by their start", transcript(seg(10, 12, "", "one"), seg(5, 7, "", "two"), seg(20, 21, "", "three")),
			[]string{"5s-7s two", "10s-12s one", "20s-21s three"}},
		{"in the wrong order, one without a time: it stays behind the one in front of it", transcript(seg(10, 12, "", "one"), seg(0, 0, "", "then"), seg(5, 7, "", "two")),
			[]string{"5s-7s two", "10s-11.92s one", "12s-12.267s then"}},
		{"words tell the start of a segment that does not", transcript(seg(3, 4, "", "two"), seg(0, 0, "", "", word(1, 2, "one"))),
			[]string{"1s-2s one", "3s-4s two"}},
		{"words without times share the segment's", transcript(seg(1, 3, "", "one two", word(0, 0, "one"), word(0, 0, "two"))),
			[]string{"1s-3s one two"}},
		{"a word without a time is between its neighbours", transcript(seg(1, 9, "", "", word(1, 2, "one"), word(0, 0, "two"), word(8, 9, "three"))),
			[]string{"1s-7.92s one two", "8s-9s three"}},
		{"a word before the one in front of it is moved", transcript(seg(5, 8, "", "", word(5, 6, "one"), word(2, 3, "two"), word(7, 8, "three"))),
			[]string{"5s-8s one two three"}},
		{"a word with a time in a segment without one", transcript(seg(0, 0, "", "", word(3, 4, "one"), word(4, 5, "two"))),
			[]string{"3s-5s one two"}},
		{"a cue hidden by zero times is shown nevertheless", transcript(seg(0, 1, "A", "", word(1, 1, "one")), seg(1, 2, "B", "", word(1, 2, "two"))),
			[]string{"1s-1.15s A: one", "1.23s-2s B: two"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, brief(subtitle.Cues(tt.in, subtitle.Options{})))
		})
	}
}

func TestScriptsWithoutSpacesAreBrokenBetweenCharactersOrWords(t *testing.T) {
	t.Parallel()
	narrow := subtitle.Options{MaxLineLength: 8}
	tests := []struct {
		name string
		in   scriptix.Segment
		want []string
	}{
		{"what fits a line is left whole", seg(0, 2, "", "今天天气 很好。"), []string{"今天天气 很好。"}},
		{"a longer run is broken, never in front of a closing mark", seg(0, 4, "", "今天天气很好我们去公园。"), []string{"今天天气很好|我们去公园。"}},
		{"nor behind an opening one", seg(0, 4, "", "一二三四五六「七八」九十"), []string{"一二三四五六|「七八」九十"}},
		{"words that were told are kept whole", seg(0, 4, "", "今天天气很好我们去公园。",
			word(0, 1, "今天"), word(1, 2, "天气"), word(2, 2.5, "很好"), word(2.5, 3, "我们"), word(3, 4, "去公园")), []string{"今天天气很好|我们去公园。"}},
		{"words are joined without a space", seg(0, 2, "", "", word(0, 1, "今天"), word(1, 2, "OK"), word(2, 3, "天气"), word(3, 4, "好")), []string{"今天 OK|天气好"}},
		{"Thai signs stay with their letter", seg(0, 4, "", "ภาษาไทยไม่มีช่องว่าง"), []string{"ภาษาไท|ยไม่มีช่อ", "งว่าง"}},
		{"a Latin word within is not broken", seg(0, 4, "", "这是internationalization的问题"), []string{"这是|internationalization", "的问题"}},
		{"accents and emoji count as the reader sees them", seg(0, 4, "", "e\u0301e\u0301 \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1F3\U0001F1F1 \U0001F44D\U0001F3FD"),
			[]string{"e\u0301e\u0301 \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1F3\U0001F1F1 \U0001F44D\U0001F3FD"}},
		{"a no-break space keeps its words together", seg(0, 4, "", "costs 12\u00a0000 euro"), []string{"costs|12\u00a0000", "euro"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, c := range subtitle.Cues(transcript(tt.in), narrow) {
				got = append(got, strings.Join(c.Lines, "|"))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestTheSearchForBreaksIsBounded(t *testing.T) {
	t.Parallel()
	// Nothing but the length of the search is in the way of a cue of 2,000 words.
	in := transcript(seg(0, 60, "", strings.Repeat("word ", 2_000)), seg(100, 101, "", "end"))

	cues := subtitle.Cues(in, subtitle.Options{MaxLineLength: -1, MaxDuration: 59 * time.Second})

	require.Greater(t, len(cues), 2_000/256)
	for _, c := range cues {
		require.LessOrEqual(t, len(strings.Fields(strings.Join(c.Lines, " "))), 256)
	}
}

func TestCuesDoesNotChangeTheTranscript(t *testing.T) {
	t.Parallel()
	build := func() *scriptix.Transcript {
		return transcript(seg(5, 2, " A\n", "one\ttwo", word(9, 3, " one "), word(-1, 0, "two")))
	}
	in := build()
	subtitle.Cues(in, subtitle.Options{Speakers: true})
	require.Equal(t, build(), in)
}
