// Command subtitle measures how many cues break Netflix's rules: ours, and those that common engines make, on ten texts
// in the public domain that espeak-ng speaks, so that the words' times are known.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

//go:embed texts/*.txt
var texts embed.FS

// engine makes cues of a transcript.
type engine struct {
	name string
	cues func(*scriptix.Transcript) []subtitle.Cue
}

var engines = []engine{
	{"scriptix-go, `Netflix(\"en\")`", func(t *scriptix.Transcript) []subtitle.Cue { return subtitle.Cues(t, subtitle.Netflix("en")) }},
	{"scriptix-go, no options", func(t *scriptix.Transcript) []subtitle.Cue { return subtitle.Cues(t, subtitle.Options{}) }},
	{"one cue a segment", func(t *scriptix.Transcript) []subtitle.Cue {
		return each(t, func(words []scriptix.Word, _ int) bool { return len(words) == 0 })
	}},
	{"7 words a cue", func(t *scriptix.Transcript) []subtitle.Cue {
		return each(t, func(words []scriptix.Word, _ int) bool { return len(words) < 7 })
	}},
	{"42 characters, greedily", func(t *scriptix.Transcript) []subtitle.Cue {
		return each(t, func(words []scriptix.Word, next int) bool { return len(joined(words))+1+next <= 42 })
	}},
}

// each fills one cue after another with a segment's words: goes says whether the next, of so many letters, is to join.
func each(t *scriptix.Transcript, goes func(words []scriptix.Word, next int) bool) []subtitle.Cue {
	var cues []subtitle.Cue
	whole := goes(nil, 0) && !goes([]scriptix.Word{{}}, 0)
	for _, s := range t.Segments {
		var now []scriptix.Word
		show := func() {
			if len(now) > 0 {
				cues = append(cues, subtitle.Cue{
					Start: now[0].Start.Round(time.Millisecond), End: now[len(now)-1].End.Round(time.Millisecond), Lines: []string{joined(now)}, Words: now,
				})
			}
			now = nil
		}
		for _, w := range s.Words {
			if len(now) > 0 && !whole && !goes(now, len([]rune(w.Text))) {
				show()
			}
			now = append(now, w)
		}
		show()
	}
	return cues
}

func joined(words []scriptix.Word) string {
	var all []string
	for _, w := range words {
		all = append(all, w.Text)
	}
	return strings.Join(all, " ")
}

func main() {
	rates := flag.String("rates", "175,250", "words a minute")
	flag.Parse()
	log.SetFlags(0)
	if err := run(context.Background(), *rates); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, rates string) error {
	names, err := fs.Glob(texts, "texts/*.txt")
	if err != nil {
		return err
	}
	for rate := range strings.SplitSeq(rates, ",") {
		speed, err := strconv.Atoi(rate)
		if err != nil {
			return err
		}
		var spoken []*scriptix.Transcript
		for _, name := range names {
			text, err := texts.ReadFile(name)
			if err != nil {
				return err
			}
			events, err := speak(ctx, string(text), speed)
			if err != nil {
				return err
			}
			spoken = append(spoken, transcribe(string(text), events))
		}
		fmt.Printf("\n%d words a minute:\n\n| engine | cues | break a rule | of them forced | but for frames | rules broken |\n|---|---|---|---|---|---|\n", speed)
		for _, e := range engines {
			measure(e, spoken)
		}
	}
	return nil
}

// measure prints the line of one engine.
func measure(e engine, spoken []*scriptix.Transcript) {
	cues, broken, forced, timeless := 0, 0, 0, 0
	rules := map[string]int{}
	for _, t := range spoken {
		made := e.cues(t)
		cues += len(made)
		all, free, framed := map[int]bool{}, map[int]bool{}, map[int]bool{}
		for _, v := range subtitle.Check(made, subtitle.Netflix("en")) {
			rules[v.Rule]++
			all[v.Cue] = true
			if !v.Forced {
				free[v.Cue] = true
			}
			if v.Rule != subtitle.RuleFrame {
				framed[v.Cue] = true
			}
		}
		broken, forced, timeless = broken+len(all), forced+len(all)-len(free), timeless+len(framed)
	}
	var list []string
	for rule, n := range rules {
		list = append(list, fmt.Sprintf("%s %d", rule, n))
	}
	slices.Sort(list)
	share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(cues, 1))) }
	fmt.Printf("| %s | %d | %s | %s | %s | %s |\n", e.name, cues, share(broken), share(forced), share(timeless), strings.Join(list, ", "))
}
