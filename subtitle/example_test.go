package subtitle_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// meeting stands for what STTService.Result returns.
var meeting = &scriptix.Transcript{Segments: []scriptix.Segment{
	{Start: 0, End: 2500 * time.Millisecond, Text: "Hello, welcome to today's meeting.", Speaker: "Speaker 1"},
	{Start: 2500 * time.Millisecond, End: 8 * time.Second, Text: "Let's begin with the agenda, which you all have in front of you, I hope.", Speaker: "Speaker 1"},
	{Start: 8 * time.Second, End: 9 * time.Second, Text: "We do.", Speaker: "Speaker 2"},
}}

func ExampleCues() {
	for _, c := range subtitle.Cues(meeting, subtitle.Options{}) {
		fmt.Printf("%v to %v: %q\n", c.Start, c.End, c.Lines)
	}
	// Output:
	// 0s to 2.42s: ["Hello, welcome to today's meeting."]
	// 2.5s to 7.92s: ["Let's begin with the agenda, which" "you all have in front of you, I hope."]
	// 8s to 9s: ["We do."]
}

func ExampleWriteSRT() {
	cues := subtitle.Cues(meeting, subtitle.Options{Speakers: true})
	if err := subtitle.WriteSRT(os.Stdout, cues); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1
	// 00:00:00,000 --> 00:00:02,420
	// Speaker 1: Hello,
	// welcome to today's meeting.
	//
	// 2
	// 00:00:02,500 --> 00:00:07,920
	// Let's begin with the agenda, which
	// you all have in front of you, I hope.
	//
	// 3
	// 00:00:08,000 --> 00:00:09,000
	// Speaker 2: We do.
}

func ExampleWriteVTT() {
	cues := subtitle.Cues(meeting, subtitle.Options{})
	if err := subtitle.WriteVTT(os.Stdout, cues); err != nil {
		fmt.Println(err)
	}
	// Output:
	// WEBVTT
	//
	// 00:00:00.000 --> 00:00:02.420
	// <v Speaker 1>Hello, welcome to today's meeting.
	//
	// 00:00:02.500 --> 00:00:07.920
	// <v Speaker 1>Let's begin with the agenda, which
	// you all have in front of you, I hope.
	//
	// 00:00:08.000 --> 00:00:09.000
	// <v Speaker 2>We do.
}

func ExampleWriteText() {
	if err := subtitle.WriteText(os.Stdout, meeting); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Speaker 1: Hello, welcome to today's meeting. Let's begin with the agenda, which you all have in front of you, I hope.
	//
	// Speaker 2: We do.
}

func ExampleNetflix() {
	limits := subtitle.Netflix("en")
	limits.FrameRate = 25 // the video's

	for _, c := range subtitle.Cues(meeting, limits) {
		fmt.Printf("%v to %v: %q\n", c.Start, c.End, c.Lines)
	}
	// Output:
	// 0s to 2.44s: ["Hello, welcome to today's meeting."]
	// 2.52s to 7.92s: ["Let's begin with the agenda, which you" "all have in front of you, I hope."]
	// 8s to 9s: ["We do."]
}

func ExampleBBC() {
	cues := subtitle.Cues(meeting, subtitle.BBC())
	fmt.Println(len(cues), "cues,", len(subtitle.Check(cues, subtitle.BBC())), "of them break a rule")
	// Output: 3 cues, 0 of them break a rule
}

func ExampleCheck() {
	cues := []subtitle.Cue{
		{Start: 0, End: 500 * time.Millisecond, Lines: []string{"Gone in no time."}},
		{Start: 600 * time.Millisecond, End: 9 * time.Second, Lines: []string{"This one stays for too long."}},
	}
	for _, v := range subtitle.Check(cues, subtitle.Options{MinDuration: time.Second}) {
		fmt.Printf("cue %d: %s is %.3g, limit %.3g, forced: %v\n", v.Cue+1, v.Rule, v.Value, v.Limit, v.Forced)
	}
	// Output:
	// cue 1: min-duration is 0.5, limit 1, forced: true
	// cue 1: reading-speed is 32, limit 20, forced: true
	// cue 2: max-duration is 8.4, limit 7, forced: false
}

func ExampleWriteTTML() {
	cues := subtitle.Cues(meeting, subtitle.Netflix("en"))
	var file strings.Builder
	if err := subtitle.WriteTTML(&file, cues, "en"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.Count(file.String(), "<p "), "paragraphs")
	// Output: 3 paragraphs
}

// song is a line whose words have times.
var song = &scriptix.Transcript{Segments: []scriptix.Segment{{Start: 0, End: 2 * time.Second, Text: "Row, row!", Words: []scriptix.Word{
	{Start: 0, End: time.Second, Text: "row"}, {Start: time.Second, End: 2 * time.Second, Text: "row"},
}}}}

func ExampleWriteASS() {
	var file strings.Builder
	if err := subtitle.WriteASS(&file, subtitle.Cues(song, subtitle.Options{}), true); err != nil {
		fmt.Println(err)
	}
	_, event, _ := strings.Cut(file.String(), "Dialogue: ")
	fmt.Print(event)
	// Output: 0,0:00:00.00,0:00:02.00,Default,,0,0,0,,{\k100}Row, {\k100}row!
}

func ExampleWriteVTTWords() {
	if err := subtitle.WriteVTTWords(os.Stdout, subtitle.Cues(song, subtitle.Options{})); err != nil {
		fmt.Println(err)
	}
	// Output:
	// WEBVTT
	//
	// 00:00:00.000 --> 00:00:02.000
	// Row, <00:00:01.000>row!
}

func ExampleSorted() {
	for _, s := range subtitle.Sorted([]scriptix.Segment{{Start: 2, End: 3, Text: "second"}, {Start: 1, End: 2, Text: "first"}}) {
		fmt.Println(s.Text)
	}
	// Output:
	// first
	// second
}
