package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the script that speaks
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scriptix-io/scriptix-go"
)

//go:embed speak.py
var speakPy string

// event is a word that begins, or the end of a clause.
type event struct {
	end bool
	at  int // the character of the text, from 1
	ms  int
}

// speak has espeak-ng say a text at so many words a minute.
func speak(ctx context.Context, text string, rate int) ([]event, error) {
	cmd := exec.CommandContext(ctx, "python3", "-c", speakPy, strconv.Itoa(rate))
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("espeak-ng's library, over python3: %w", err)
	}
	var events []event
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var kind int
		var e event
		if _, err := fmt.Sscan(lines.Text(), &kind, &e.at, &e.ms); err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		e.end = kind == 5
		events = append(events, e)
	}
	return events, lines.Err()
}

// transcribe is what a perfect service would make of the speech: a segment for each sentence, and the time of each word.
func transcribe(text string, events []event) *scriptix.Transcript {
	var words []scriptix.Word
	position, next := 1, 0
	for field := range strings.FieldsSeq(text) {
		w := scriptix.Word{Text: field, Start: -1}
		last := position + utf8.RuneCountInString(field)
		for ; next < len(events) && events[next].at < last; next++ {
			e := events[next]
			at := time.Duration(e.ms) * time.Millisecond
			switch {
			case e.end && len(words) > 0:
				words[len(words)-1].End = max(words[len(words)-1].End, at)
			case !e.end && w.Start < 0:
				w.Start = at
			}
		}
		words = append(words, w)
		position = last + 1
	}
	if n := len(words); n > 0 && len(events) > 0 {
		words[n-1].End = time.Duration(events[len(events)-1].ms) * time.Millisecond
	}
	settle(words)
	return sentences(words)
}

// settle gives each word an end, and those that espeak-ng says in one breath ("I am") a part of the time each.
func settle(words []scriptix.Word) {
	for i := 0; i < len(words); {
		k := i + 1
		for k < len(words) && words[k].Start < 0 {
			k++
		}
		end := words[k-1].End
		if end == 0 && k < len(words) {
			end = words[k].Start
		}
		start := max(words[i].Start, 0)
		each := max(end-start, 0) / time.Duration(k-i)
		for j := i; j < k; j++ {
			words[j].Start = start + time.Duration(j-i)*each
			words[j].End = words[j].Start + each
		}
		i = k
	}
}

func sentences(words []scriptix.Word) *scriptix.Transcript {
	t := &scriptix.Transcript{Language: "en"}
	from := 0
	for i, w := range words {
		if i+1 < len(words) && (!strings.ContainsRune(".?!", rune(bare(w.Text))) || w.Text == "Mr.") {
			continue
		}
		var texts []string
		for _, w := range words[from : i+1] {
			texts = append(texts, w.Text)
		}
		t.Segments = append(t.Segments, scriptix.Segment{Start: words[from].Start, End: w.End, Text: strings.Join(texts, " "), Words: words[from : i+1]})
		from = i + 1
	}
	return t
}

// bare is the last byte of a word without quotes and brackets behind it.
func bare(word string) byte {
	word = strings.TrimRight(word, "”)’\"")
	if word == "" {
		return 0
	}
	return word[len(word)-1]
}
