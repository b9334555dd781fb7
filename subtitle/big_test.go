package subtitle_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/subtitle"
)

// giant is a transcript of 10 MB (with the race detector 1 MB) that is one segment without words.
func giant() *scriptix.Transcript {
	var text strings.Builder
	for i := 0; text.Len() < giantSize; i++ {
		fmt.Fprintf(&text, "This is the sentence with the number %d, and nobody will read it to its end. ", i)
	}
	return &scriptix.Transcript{Text: text.String(), Duration: time.Duration(text.Len()/15) * time.Second}
}

//nolint:paralleltest // It measures what the whole process allocates.
func TestATextOf10MBTakesFourTimesItselfAtMost(t *testing.T) {
	in := giant()
	for name, write := range map[string]func(){
		"cues": func() {
			cues := subtitle.Cues(in, subtitle.Options{})
			require.Greater(t, len(cues), giantSize/100)
			last := cues[len(cues)-1]
			assert.InDelta(t, in.Duration.Seconds(), last.End.Seconds(), 0.001)
		},
		"cues for Netflix": func() { require.Greater(t, len(subtitle.Cues(in, subtitle.Netflix("en"))), giantSize/100) },
		"text":             func() { require.NoError(t, subtitle.WriteText(io.Discard, in)) },
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		write()
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(in.Text))
		assert.Less(t, times, float64(mostTimes), "%s: all that was allocated, kept or not", name)
		t.Logf("%s: %.1f times its size, %v", name, times, took)
	}
}

func TestAGiantSegmentIsCutAtSentences(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("It ended here. It went on and on, for as long as anybody could remember it to have gone on. ", 3000)
	cues := subtitle.Cues(transcript(seg(0, 20_000, "", text)), subtitle.Options{})

	ends, joined := 0, make([]string, 0, len(cues))
	for _, c := range cues {
		whole := strings.Join(c.Lines, " ")
		joined = append(joined, whole)
		if strings.HasSuffix(whole, ".") {
			ends++
		}
	}
	assert.Equal(t, strings.TrimSpace(text), strings.Join(joined, " "), "nothing is lost where it was cut")
	assert.GreaterOrEqual(t, ends, 3000)
}

func BenchmarkCuesOf10MB(b *testing.B) {
	in := giant()
	b.ReportAllocs()
	b.SetBytes(int64(len(in.Text)))
	for b.Loop() {
		subtitle.Cues(in, subtitle.Options{})
	}
}
