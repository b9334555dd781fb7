package page

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

const (
	laneHeight = 20   // pixels
	barHeight  = 14   // of a segment of which the service is sure
	lowest     = 3    // of one that is hardly more than a guess
	bins       = 2000 // no screen shows more along the strip
	ticks      = 4
)

// strip is the drawing of who speaks when, one lane for each speaker and one path
// for all of a lane's bars, however many. It is 1000 units wide along the time,
// stretched to the screen, and in pixels across.
type strip struct {
	Lanes  []lane
	Height int
	Ticks  []tick
	Sure   bool // some confidences are known, so that heights mean something
	Length string
}

type lane struct {
	Name, Class string
	Base        int    // where its ground line runs
	Bars        string // a path
}

type tick struct{ X, Anchor, Clock string }

// stretch is a bar before it is drawn.
type stretch struct {
	from, to time.Duration
	sure     float64 // 0: unknown
}

func newStrip(segments []scriptix.Segment, who map[string]*speaker, speakers []*speaker, length time.Duration) *strip {
	if len(speakers) == 0 {
		speakers = []*speaker{{Name: "Speech", Class: "s0"}}
	}
	spoken := map[*speaker][]stretch{}
	st := &strip{Length: seconds(length)}
	for _, s := range segments {
		p := who[s.Speaker]
		if p == nil {
			p = speakers[0]
		}
		spoken[p] = append(spoken[p], stretch{s.Start, s.End, s.Confidence})
		st.Sure = st.Sure || s.Confidence > 0
	}
	for i, p := range speakers {
		l := lane{Name: p.Name, Class: p.Class, Base: i*laneHeight + laneHeight/2}
		var bars strings.Builder
		for _, b := range merge(spoken[p], length/bins) {
			bars.WriteString(b.bar(float64(l.Base), length))
		}
		l.Bars = bars.String()
		st.Lanes = append(st.Lanes, l)
	}
	st.Height = len(st.Lanes) * laneHeight
	for i := range ticks + 1 {
		k := tick{X: strconv.Itoa(100*i/ticks) + "%", Anchor: "middle", Clock: clock(length / ticks * time.Duration(i))}
		switch i {
		case 0:
			k.Anchor = "start"
		case ticks:
			k.Anchor, k.Clock = "end", clock(length)
		}
		if n := len(st.Ticks); n > 0 && st.Ticks[n-1].Clock == k.Clock {
			continue // seconds do not tell them apart
		}
		st.Ticks = append(st.Ticks, k)
	}
	return st
}

// merge joins what cannot be told apart on a screen, so that hours of speech
// are drawn as fast as minutes: there are at most two bars to a bin.
func merge(in []stretch, bin time.Duration) []stretch {
	slices.SortStableFunc(in, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var out []stretch
	for _, s := range in {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if max(s.to, last.to)-last.from < bin {
				a, b := (last.to-last.from).Seconds()+1e-3, (s.to-s.from).Seconds()+1e-3
				switch {
				case last.sure == 0:
					last.sure = s.sure
				case s.sure > 0:
					last.sure = (last.sure*a + s.sure*b) / (a + b)
				}
				last.to = max(last.to, s.to)
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// bar draws a stretch around its lane's ground line. One whose confidence is
// not known has the full height.
func (s stretch) bar(base float64, length time.Duration) string {
	height := float64(barHeight)
	if s.sure > 0 {
		height = max(lowest, barHeight*s.sure)
	}
	of := func(d time.Duration) float64 { return 1000 * float64(d) / float64(length) }
	wide, high := decimal(max(of(s.to-s.from), 0.5)), decimal(height)
	return "M" + decimal(of(s.from)) + " " + decimal(base-height/2) + "h" + wide + "v" + high + "h-" + wide + "z"
}

func decimal(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) }
