package dialect

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Document is the text of a finished job as the editor holds it.
type Document struct {
	Text     string
	Segments []Segment
}

// ReadDocument reads a document of a session: lines of start, stop, speaker and
// text, in milliseconds. The current variant documents an object and does not say
// which, so content is looked for too.
func ReadDocument(data []byte) (Document, error) {
	top, err := lenient.Unwrap(data, "document", "content")
	if err != nil {
		return Document{}, err
	}
	raw := first(top["document"], top["content"], top["segments"])
	for range 3 {
		if inner := lenient.Object(raw); inner != nil {
			raw = first(inner["document"], inner["segments"], inner["content"], inner["lines"])
		}
	}
	return readLines(raw, "", time.Millisecond)
}

// ReadContent reads a document beside stt: content with text and segments, in
// seconds.
func ReadContent(data []byte) (Document, error) {
	top, err := lenient.Unwrap(data, "content")
	if err != nil {
		return Document{}, err
	}
	content := lenient.Object(top["content"])
	if content == nil {
		return Document{}, errors.New("it has no content")
	}
	text := lenient.Text(content["text"], content["transcript"])
	if !lenient.Present(content["segments"]) && lenient.Present(content["text"]) {
		return Document{Text: text}, nil
	}
	return readLines(content["segments"], text, time.Second)
}

func readLines(raw json.RawMessage, text string, unit time.Duration) (Document, error) {
	var lines []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &lines); err != nil || lines == nil || slices.ContainsFunc(lines, func(line map[string]json.RawMessage) bool { return line == nil }) {
		return Document{}, errors.New("its document is no list of objects")
	}
	document := Document{Text: text}
	var texts []string
	for _, line := range lines {
		segment := Segment{
			Start:      scale(max(lenient.Number(line["start"]), 0), unit),
			End:        scale(max(lenient.Number(first(line["stop"], line["end"])), 0), unit),
			Text:       lenient.Text(line["text"]),
			Speaker:    lenient.Scalar(line["speaker"]),
			Confidence: lenient.Number(line["confidence"]),
		}
		if segment.Speaker == "unk" {
			segment.Speaker = ""
		}
		if segment.Text != "" {
			texts = append(texts, segment.Text)
		}
		document.Segments = append(document.Segments, segment)
	}
	if document.Text == "" {
		document.Text = strings.Join(texts, " ")
	}
	return document, nil
}
