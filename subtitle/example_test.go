package subtitle_test

import (
	"fmt"
	"os"
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
