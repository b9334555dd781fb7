package subtitle

import (
	"strings"
	"time"
)

// Netflix returns the limits of Netflix's Timed Text Style Guide for the language of a tag such as "en" or "pt-BR", for
// adults' programmes of 24 frames a second; set FrameRate to the video's own.
//
// They are: 5/6 s to 7 s, two lines, 2 frames between two cues and no gap of 3 to 11 frames, an end of at most half a
// second after the speech, and line breaks at phrases. Characters a line and a second are those of the language's own
// guide: 42 and 17 where not said otherwise, 42 and 20 in English and Arabic, 42 and 22 in Hindi, 39 and 17 in Russian, 35
// and 17 in Thai, 16 and 12 in Korean, 16 and 9 in Chinese, 13 and 4 in Japanese.
//
// Sources: https://partnerhelp.netflixstudios.com/hc/en-us/articles/215758617 (general requirements),
// https://partnerhelp.netflixstudios.com/hc/en-us/articles/360051554394 (timing), and the guide of each language there.
func Netflix(language string) Options {
	o := Options{
		MaxLineLength:     42,
		MaxLines:          2,
		MaxDuration:       7 * time.Second,
		MaxCharsPerSecond: 17,
		MinDuration:       5 * time.Second / 6,
		FrameRate:         24,
		CloseGaps:         true,
		Language:          language,
	}
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(language), "_", "-"), "-")
	switch primary {
	case "en", "ar":
		o.MaxCharsPerSecond = 20
	case "hi":
		o.MaxCharsPerSecond = 22
	case "ru":
		o.MaxLineLength = 39
	case "th":
		o.MaxLineLength = 35
	case "ko":
		o.MaxLineLength, o.MaxCharsPerSecond = 16, 12
	case "zh":
		o.MaxLineLength, o.MaxCharsPerSecond = 16, 9
	case "ja":
		o.MaxLineLength, o.MaxCharsPerSecond = 13, 4
	}
	return o
}

// BBC returns the limits of the BBC's Subtitle Guidelines, for English and 25 frames a second.
//
// They are: two lines of 37 characters, 160 to 180 words a minute, of which the faster is 17 characters a second (three
// words of 4.7 letters and a space), and about 0.3 s for a word, so that nothing is shorter. The guidelines give no longest
// duration, which stays 7 s. Where they want a gap to be at least a second, those below half a second are closed, and a
// cue does not stay for more than half a second (they allow one and a half) after its last word.
//
// Source: https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles/ (3.1, 3.3, 4.1, 4.5 and 5.2).
func BBC() Options {
	return Options{
		MaxLineLength:     37,
		MaxLines:          2,
		MaxDuration:       7 * time.Second,
		MaxCharsPerSecond: 17,
		MinDuration:       300 * time.Millisecond,
		FrameRate:         25,
		CloseGaps:         true,
		Language:          "en",
	}
}
