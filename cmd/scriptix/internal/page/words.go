package page

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// data is what the script reads when it needs it: the transcript as the service
// documents it, its segments those of the lines, and the cues for subtitles.
//
// Words are not in the page's elements: the script makes them, from here, of the
// lines that come into view, for a long recording has a hundred thousand of them.
//
// It is written in pieces, twice, once for its key and once into the page: as one
// text it would take several times the memory of the transcript.
type data struct {
	frame    scriptix.Transcript // without its segments
	segments []scriptix.Segment
	plain    bool // the service sent text alone
}

func newData(t *scriptix.Transcript, segments []scriptix.Segment) *data {
	return &data{
		frame: scriptix.Transcript{
			JobID: valid(t.JobID), DocumentID: valid(t.DocumentID), Language: valid(t.Language), Text: valid(t.Text), Duration: t.Duration,
			Speakers: t.Speakers,
		},
		segments: segments, plain: len(t.Segments) == 0,
	}
}

// key is the same for the same content.
func (d *data) key() (string, error) {
	sum := sha256.New()
	if err := d.write(sum); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9]), nil
}

// noSegments is where the segments stand in a transcript without any. No text
// can hold it: a quotation mark in one is escaped.
const noSegments = `"segments":[]`

// write writes all of it as one JSON object.
func (d *data) write(w io.Writer) error {
	p := pieces{w: bufio.NewWriterSize(w, 64<<10)}
	frame, err := encoded(&d.frame)
	if err != nil {
		return fmt.Errorf("write the transcript into the page: %w", err)
	}
	before, after, _ := bytes.Cut(frame, []byte(noSegments))
	timed := d.frame
	timed.Segments = d.segments
	p.text(`{"cues":[`)
	for i, c := range subtitle.Cues(&timed, subtitle.Options{}) {
		p.value(i, []any{c.Start.Milliseconds(), c.End.Milliseconds(), c.Speaker, c.Lines})
	}
	p.text(`],"plain":` + strconv.FormatBool(d.plain) + `,"transcript":`)
	p.text(string(before) + `"segments":[`)
	for i, s := range d.segments {
		s.Words = nil
		p.value(i, s)
	}
	p.text(`]` + string(after) + `,"words":[`)
	// Of the words, whose names of fields are more than their content, only that.
	for i, s := range d.segments {
		var words [][]any
		for _, word := range s.Words {
			fields := []any{word.Text, decimals(word.Start), decimals(word.End), word.Confidence}
			if word.Speaker != "" {
				fields = append(fields, valid(word.Speaker))
			}
			words = append(words, fields)
		}
		p.value(i, words)
	}
	p.text(`]}`)
	if p.err == nil {
		p.err = p.w.Flush()
	}
	return p.err
}

// pieces writes JSON piece by piece, and keeps the first error.
type pieces struct {
	w   *bufio.Writer
	err error
}

func (p *pieces) text(s string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(s)
	}
}

// value writes the element of a list that has this index.
func (p *pieces) value(i int, v any) {
	if i > 0 {
		p.text(",")
	}
	piece, err := encoded(v)
	if p.err == nil {
		p.err = err
	}
	p.text(string(piece))
}

func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// escaped writes text into a template element, within which two characters are
// all that means anything.
type escaped struct{ w io.Writer }

var inTemplate = strings.NewReplacer("&", "&amp;", "<", "&lt;")

func (e escaped) Write(p []byte) (int, error) {
	if _, err := inTemplate.WriteString(e.w, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
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
