package main

import (
	"errors"
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/subtitle"
)

var (
	cueTimes  = pattern(`^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})(?:\s.*)?$`)
	cueTags   = pattern(`<[A-Za-z/0-9][^>]*>|\{\\[^}]*\}`)
	cueVoice  = pattern(`^<v(?:\.[^ \t>]*)?[ \t]+([^>]*)>`)
	blankLine = pattern(`\n[ \t]*\n+`)
)

// parseSubtitles reads SRT or WebVTT, as tolerantly as players do: a block without times (a note, styles) is passed over.
// Tags are no text, and neither is what keeps players from seeing any.
func parseSubtitles(content []byte) ([]subtitle.Cue, error) {
	text := strings.TrimPrefix(string(content), "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	vtt := strings.HasPrefix(text, "WEBVTT")
	var cues []subtitle.Cue
	for _, block := range blankLine().Split(text, -1) {
		lines := strings.Split(strings.Trim(block, "\n"), "\n")
		for i, line := range lines[:min(2, len(lines))] { // behind a number or a name
			m := cueTimes().FindStringSubmatch(line)
			if m == nil {
				continue
			}
			c := subtitle.Cue{Start: timeOf(m[1]), End: timeOf(m[2])}
			for _, shown := range lines[i+1:] {
				if voice := cueVoice().FindStringSubmatch(shown); voice != nil {
					c.Speaker = html.UnescapeString(voice[1])
				}
				shown = strings.ReplaceAll(cueTags().ReplaceAllString(shown, ""), "\u2060", "")
				if vtt {
					shown = html.UnescapeString(shown)
				}
				if shown = strings.TrimSpace(shown); shown != "" {
					c.Lines = append(c.Lines, shown)
				}
			}
			cues = append(cues, c)
			break
		}
	}
	if len(cues) == 0 {
		return nil, errors.New("holds no subtitles; SRT and WebVTT are read")
	}
	return cues, nil
}

// timeOf reads hours, which may be missing, minutes, seconds and their fraction.
func timeOf(s string) time.Duration {
	whole, fraction, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), ".")
	var seconds int64
	for field := range strings.SplitSeq(whole, ":") {
		n, err := strconv.ParseInt(field, 10, 32) // of digits, as was matched
		if err != nil {
			n = 0
		}
		seconds = seconds*60 + n
	}
	ms, _ := strconv.Atoi((fraction + "00")[:3])
	return time.Duration(seconds)*time.Second + time.Duration(ms)*time.Millisecond
}
