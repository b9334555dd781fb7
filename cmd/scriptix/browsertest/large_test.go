package browsertest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
)

// evening is a transcript of 5,000 segments of 12 words, each by another speaker than the one before.
func evening() *scriptix.Transcript {
	tr := &scriptix.Transcript{JobID: "evening"}
	for i := range 5000 {
		start := time.Duration(i) * 4 * time.Second
		s := scriptix.Segment{Start: start, End: start + 4*time.Second, Speaker: fmt.Sprint("Speaker ", 1+i%6), Confidence: 0.9}
		for k, w := range []string{"This", "is", "line", fmt.Sprint(i + 1), "of", "a", "very", "long", "evening", "in", "the", "hall."} {
			at := start + time.Duration(k)*300*time.Millisecond
			s.Words = append(s.Words, scriptix.Word{Text: w, Start: at, End: at + 300*time.Millisecond, Confidence: 0.9})
			if k > 0 {
				s.Text += " "
			}
			s.Text += w
		}
		tr.Segments = append(tr.Segments, s)
	}
	return tr
}

//nolint:paralleltest // It measures time, and the other tests take all there is.
func TestFiveThousandSegmentsWithWordsHaveFewElementsAndAreSearchedAtOnce(t *testing.T) {
	file := write(t, evening(), page.Options{Title: "Evening"})
	b := open(t, file)
	elements := eval[int](b, `document.querySelectorAll("*").length`)
	t.Logf("%d elements before it is scrolled", elements)
	assert.LessOrEqual(t, elements, 25_000)

	for _, word := range []string{"evening", "e", "line 4999"} {
		took, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](fmt.Sprintf(`(async () => {
			const q = document.querySelector("#query"), count = document.querySelector("#count");
			q.value = ""; q.dispatchEvent(new Event("input"));
			await new Promise(done => setTimeout(done, 300));
			const set = window.setTimeout; let took = -1;
			window.setTimeout = (f, ms) => { window.setTimeout = set; const t = performance.now(); f(); document.body.offsetHeight; took = performance.now() - t; return 0; };
			q.value = %q; q.dispatchEvent(new Event("input"));
			window.setTimeout = set;
			return count.textContent.includes("of") ? took : 1e9;
		})()`, word), chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		t.Logf("a search for %q: %.0f ms", word, took)
		assert.Less(t, took, 200.0, "a search for %q", word)
	}
}
