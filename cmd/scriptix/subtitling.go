package main

import (
	"cmp"
	"math"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// subtitleFlags say by whose limits subtitles are made.
type subtitleFlags struct {
	Subtitles string `enum:"default,netflix,bbc," default:"" placeholder:"LIMITS" help:"Limits for srt, vtt, ass and ttml: default, netflix or bbc, which put no names in front of the text (default)."`
}

// subtitling is how subtitles are made of a transcript.
type subtitling struct {
	preset    string // "netflix", "bbc", or "" and "default" for neither
	frameRate float64
	words     bool // each with its own time
}

// options are the limits for a transcript. With speakers the text says who
// speaks, for formats whose players would not; not under published limits, which
// know no such names, and leave no time to read them.
func (s subtitling) options(t *scriptix.Transcript, speakers bool) subtitle.Options {
	var o subtitle.Options
	switch s.preset {
	case "netflix":
		o = subtitle.Netflix(t.Language)
	case "bbc":
		o = subtitle.BBC()
		o.Language = cmp.Or(t.Language, o.Language)
	}
	if s.frameRate > 0 {
		o.FrameRate = s.frameRate
	}
	o.Speakers = speakers && o.MinDuration == 0
	return o
}

// checkFrameRate refuses what is no frame rate; 0 leaves it to the preset.
func checkFrameRate(f float64) error {
	if f != 0 && (f < 1 || f > 1000 || math.IsNaN(f)) {
		return usage("--frame-rate %v: want frames a second, from 1 to 1000", f)
	}
	return nil
}
