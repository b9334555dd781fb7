package main

import (
	"cmp"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// writeCSV writes a row for each segment, times in seconds.
func writeCSV(w io.Writer, t *scriptix.Transcript) error {
	table := csv.NewWriter(w)
	rows := [][]string{{"start", "end", "speaker", "confidence", "text"}}
	for _, s := range subtitle.Sorted(t.Segments) {
		confidence := ""
		if s.Confidence > 0 { // 0 is what the service did not say
			confidence = strconv.FormatFloat(s.Confidence, 'f', -1, 64)
		}
		rows = append(rows, []string{seconds(s.Start), seconds(s.End), s.Speaker, confidence, s.Text})
	}
	return table.WriteAll(rows)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// writeMarkdown writes a heading, and a paragraph for each turn of a speaker.
// Without speakers each segment is one.
func writeMarkdown(w io.Writer, t *scriptix.Transcript, title string) error {
	var b strings.Builder
	b.WriteString("# " + markdown(cmp.Or(title, t.JobID, "Transcript")) + "\n")
	segments := subtitle.Sorted(t.Segments)
	for i, s := range segments {
		text := markdown(s.Text)
		switch {
		case i > 0 && s.Speaker != "" && s.Speaker == segments[i-1].Speaker:
			if text != "" {
				b.WriteString(" " + text)
			}
			continue
		case i > 0:
			b.WriteString("\n")
		}
		b.WriteString("\n")
		stamp, _, _ := strings.Cut(stampOf(max(s.Start, 0)), ".")
		if s.Speaker != "" {
			b.WriteString("**" + markdown(s.Speaker) + "** ")
		}
		b.WriteString(`\[` + stamp + "\\] \\\n" + text)
	}
	if len(segments) == 0 && t.Text != "" {
		b.WriteString("\n" + markdown(t.Text))
	}
	if len(segments) > 0 || t.Text != "" {
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown is a text on one line, as it is: what would be markup is escaped.
func markdown(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	var b strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune("\\`*_[]<>#|~&", r), i == 0 && strings.ContainsRune("-+=", r):
			b.WriteByte('\\')
		case (r == '.' || r == ')') && i > 0 && strings.Trim(text[:i], "0123456789") == "":
			b.WriteByte('\\') // it would begin a list
		}
		b.WriteRune(r)
	}
	return b.String()
}
