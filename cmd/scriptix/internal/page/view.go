package page

import (
	"fmt"
	"html/template"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

const (
	colours    = 8   // speakers that differ in colour, in page.css; the next ones begin again
	blockLines = 20  // lines that a browser lays out at once: it skips the blocks that are out of sight
	unsure     = 0.6 // a confidence below this is marked in the text
)

// view is what the template shows. Every text in it is as it came: the template
// escapes it for its place.
type view struct {
	Title, Language, Policy string
	CSS                     template.CSS
	JS                      template.JS
	Audio, MediaType        string
	HasAudio, Timed, Unsure bool
	Player                  bool   // there is a player, if only for a file that is opened later
	Looked                  string // the file that is looked for beside the page
	Key                     string // under which a browser keeps the names
	data                    *data
	Formats                 []string
	Length                  string // of the recording, "" when unknown
	Lines                   int
	Speakers                []*speaker
	Blocks                  iter.Seq[block]
	Strip                   *strip
}

type speaker struct {
	Name   string
	Index  int
	Class  string // its colour
	Lines  int
	Talk   time.Duration
	Share  string // of all that is said, in percent
	Sure   string // mean confidence, in percent, "" when unknown
	weight float64
	sum    float64
}

// TalkTime is how long the speaker speaks.
func (s *speaker) TalkTime() string { return clock(s.Talk) }

// block is a stretch of lines, which a browser lays out, and the script fills with
// words, when it comes into view.
type block struct{ Lines []line }

type line struct {
	Number     int
	Speaker    *speaker // nil where no speaker is known at all
	Named      bool     // the first line of a turn shows who speaks
	Timed      bool
	Start, End string // in seconds
	Clock      string
	Sure       string // in percent, where it is to be marked
	Text       string
}

func newView(t *scriptix.Transcript, o Options) (*view, error) {
	media, err := checkMedia(o)
	if err != nil {
		return nil, err
	}
	audio, err := audioAddress(o.Audio)
	if err != nil {
		return nil, err
	}
	v := &view{
		Title:    valid(firstOf(o.Title, t.JobID, "Transcript")),
		Language: language(firstOf(o.Language, t.Language)),
		Policy:   policy(o),
		CSS:      template.CSS(pageCSS), //nolint:gosec // G203: a constant of this package.
		JS:       template.JS(pageJS()), //nolint:gosec // G203: a constant of this package.
		Audio:    audio, MediaType: media,
		HasAudio: audio != "" || media != "",
		Looked:   valid(o.Audio),
		Formats:  []string{"txt", "srt", "vtt", "md", "json"},
	}
	segments := tidy(t)
	v.Lines = len(segments)
	length := max(t.Duration, 0)
	for _, s := range segments {
		length = max(length, s.End)
		v.Timed = v.Timed || s.End > 0
	}
	if length > 0 {
		v.Length = clock(length)
	}
	v.Player = v.HasAudio || v.Timed
	who := v.speakers(t, segments)
	v.Unsure = slices.ContainsFunc(segments, doubtful)
	v.Blocks = v.blocks(segments, who)
	v.data = newData(t, segments)
	if v.Key, err = v.data.key(); err != nil {
		return nil, err
	}
	if v.Timed {
		v.Strip = newStrip(segments, who, v.Speakers, length)
	}
	return v, nil
}

// tidy returns the segments by their start, with text in valid UTF-8, times in
// order and confidences in range. A transcript that is text alone becomes a segment for
// each of its paragraphs.
func tidy(t *scriptix.Transcript) []scriptix.Segment {
	var out []scriptix.Segment
	for _, s := range t.Segments {
		s.Start, s.End = order(s.Start, s.End)
		s.Text, s.Speaker = valid(strings.TrimSpace(s.Text)), valid(strings.TrimSpace(s.Speaker))
		s.Confidence = fraction(s.Confidence)
		words := make([]scriptix.Word, 0, len(s.Words))
		for _, w := range s.Words {
			w.Start, w.End = order(w.Start, w.End)
			w.Text = valid(strings.TrimSpace(w.Text))
			w.Confidence = fraction(w.Confidence)
			if s.Speaker == "" {
				s.Speaker = valid(strings.TrimSpace(w.Speaker))
			}
			if w.Text != "" {
				words = append(words, w)
			}
		}
		s.Words = words
		if s.Text == "" {
			s.Text = joined(words)
		}
		if s.Text != "" || len(words) > 0 {
			out = append(out, s)
		}
	}
	if len(out) > 0 {
		return subtitle.Sorted(out)
	}
	for text := range strings.Lines(valid(t.Text)) {
		if text = strings.TrimSpace(text); text != "" {
			out = append(out, scriptix.Segment{Text: text})
		}
	}
	return out
}

// speakers fills v.Speakers, in the service's order and then in that of their
// first words, and returns them by name; none if nobody is named.
func (v *view) speakers(t *scriptix.Transcript, segments []scriptix.Segment) map[string]*speaker {
	count := map[string]int{}
	for _, s := range segments {
		count[s.Speaker]++
	}
	if count[""] == len(segments) {
		return nil
	}
	who := map[string]*speaker{}
	add := func(name string) {
		if count[name] == 0 || who[name] != nil {
			return
		}
		s := &speaker{Name: name, Index: len(v.Speakers), Class: "s" + strconv.Itoa(len(v.Speakers)%colours)}
		if name == "" {
			s.Name, s.Class = "Unknown speaker", "sx"
		}
		who[name] = s
		v.Speakers = append(v.Speakers, s)
	}
	for _, s := range t.Speakers {
		if name := valid(strings.TrimSpace(s.ID)); name != "" {
			add(name)
		}
	}
	for _, s := range segments {
		if s.Speaker != "" {
			add(s.Speaker)
		}
	}
	add("")

	var all float64
	for _, s := range segments {
		p, d := who[s.Speaker], s.End-s.Start
		p.Lines++
		p.Talk += d
		all += d.Seconds()
		if s.Confidence > 0 {
			// A line without a length counts a little, so that confidences without times have a mean.
			p.weight += d.Seconds() + 1e-3
			p.sum += s.Confidence * (d.Seconds() + 1e-3)
		}
	}
	for _, p := range v.Speakers {
		if all > 0 {
			p.Share = percent(p.Talk.Seconds() / all)
		}
		if p.weight > 0 {
			p.Sure = percent(p.sum / p.weight)
		}
	}
	return who
}

// doubtful reports whether something of a line is marked.
func doubtful(s scriptix.Segment) bool {
	if len(s.Words) == 0 {
		return doubt(s.Confidence) != ""
	}
	return slices.ContainsFunc(s.Words, func(w scriptix.Word) bool { return doubt(w.Confidence) != "" })
}

// blocks makes the blocks of lines one by one, since all of them take more memory
// than the transcript.
func (v *view) blocks(segments []scriptix.Segment, who map[string]*speaker) iter.Seq[block] {
	return func(yield func(block) bool) {
		for first := 0; first < len(segments); first += blockLines {
			var b block
			for i := first; i < min(first+blockLines, len(segments)); i++ {
				turn := i == 0 || segments[i].Speaker != segments[i-1].Speaker
				b.Lines = append(b.Lines, v.line(i, segments[i], turn, who))
			}
			if !yield(b) {
				return
			}
		}
	}
}

func (v *view) line(i int, s scriptix.Segment, turn bool, who map[string]*speaker) line {
	l := line{Number: i + 1, Timed: v.Timed, Text: s.Text, Speaker: who[s.Speaker]}
	l.Named = turn && l.Speaker != nil
	if v.Timed {
		l.Start, l.End, l.Clock = seconds(s.Start), seconds(s.End), clock(s.Start)
	}
	if len(s.Words) == 0 {
		l.Sure = doubt(s.Confidence)
	}
	return l
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// language returns a language tag that HTML knows, or "": the service also says
// "auto", and nl_BE.
func language(s string) string {
	if !languageTag().MatchString(s) {
		return ""
	}
	return strings.ReplaceAll(s, "_", "-")
}

// order brings two times in order. An end that is missing, thus zero, is where the start is.
func order(start, end time.Duration) (time.Duration, time.Duration) {
	start = max(start, 0)
	if end <= 0 {
		return start, start
	}
	return min(start, end), max(start, end)
}

// fraction is a confidence between 0 and 1, and 0, which is unknown, for what is none.
func fraction(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return min(max(f, 0), 1)
}

func percent(f float64) string { return strconv.Itoa(int(math.Round(100*f))) + "%" }

func doubt(confidence float64) string {
	if confidence <= 0 || confidence >= unsure {
		return ""
	}
	return percent(confidence)
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Round(time.Millisecond).Seconds(), 'f', -1, 64)
}

// clock writes a time as people read it: 0:07, 12:34, 1:02:03.
func clock(d time.Duration) string {
	s := int64(d / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
