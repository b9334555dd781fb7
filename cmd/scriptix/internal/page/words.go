package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// data is what the script reads when it needs it: the transcript as the service
// documents it, its segments those of the lines, and the cues for subtitles. The
// key is the same for the same content.
//
// Words are not in the page's elements: the script makes them, from here, of the
// lines that come into view, for a long recording has a hundred thousand of them.
func data(t *scriptix.Transcript, segments []scriptix.Segment) (content template.HTML, key string, err error) {
	whole := scriptix.Transcript{
		JobID: valid(t.JobID), DocumentID: valid(t.DocumentID), Language: valid(t.Language), Text: valid(t.Text), Duration: t.Duration,
		Segments: segments, Speakers: t.Speakers,
	}
	timed := whole
	// Of the words, whose names of fields are more than their content, only that.
	words := make([][][]any, len(segments))
	whole.Segments = slices.Clone(segments)
	for i, s := range segments {
		whole.Segments[i].Words = nil
		for _, w := range s.Words {
			word := []any{w.Text, decimals(w.Start), decimals(w.End), w.Confidence}
			if w.Speaker != "" {
				word = append(word, valid(w.Speaker))
			}
			words[i] = append(words[i], word)
		}
	}
	var cues [][]any
	for _, c := range subtitle.Cues(&timed, subtitle.Options{}) {
		cues = append(cues, []any{c.Start.Milliseconds(), c.End.Milliseconds(), c.Speaker, c.Lines})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"transcript": whole, "words": words, "cues": cues, "plain": len(t.Segments) == 0}); err != nil {
		return "", "", fmt.Errorf("write the transcript into the page: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	// Within a template element these two characters are all that means anything.
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(strings.TrimSpace(b.String()))
	return template.HTML(text), base64.RawURLEncoding.EncodeToString(sum[:9]), nil //nolint:gosec // G203: escaped in the line above.
}

// decimals is a time in seconds, as a number of no more digits than it has.
func decimals(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
}

// joined is the text of words.
func joined(words []scriptix.Word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.Text
	}
	return strings.Join(texts, " ")
}
