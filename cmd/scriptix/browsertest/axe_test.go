package browsertest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/cmd/scriptix/internal/page"
)

// axeVersion is the rule set that the pages are held against.
const axeVersion = "4.10.3"

// axe is the source of axe-core from the npm registry, in the user's cache from the second time on.
var axe = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "scriptix-browsertest", "axe-core-"+axeVersion)
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		cmd := exec.Command("npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
		cmd.Env = append(os.Environ(), "npm_config_fetch_timeout=20000", "npm_config_fetch_retries=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm install axe-core: %w: %s", err, out)
		}
	}
	source, err := os.ReadFile(file)
	return string(source), err
})

// complaints is what axe-core finds on a page, every rule that it has on.
func complaints(b *tab) []string {
	b.t.Helper()
	source, err := axe()
	if err != nil {
		b.t.Skipf("axe-core cannot be had: %.200v", err)
	}
	b.run(source + ";0")
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
		`axe.run(document).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target + " " + n.html.slice(0, 120))))`, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return found
}

func TestAxeFindsNothing(t *testing.T) {
	t.Parallel()
	six := meeting(t)
	for i := range six.Segments {
		six.Segments[i].Speaker = fmt.Sprint("Speaker ", 1+i%6)
	}
	plain := &scriptix.Transcript{Text: "One.\nTwo.", Language: "en"}
	for name, file := range map[string]string{
		"with audio":    embedded(t, meeting(t), "Planning"),
		"six speakers":  embedded(t, six, "Planning"),
		"without audio": write(t, meeting(t), page.Options{}),
		"text alone":    write(t, plain, page.Options{}),
		"nothing":       write(t, &scriptix.Transcript{}, page.Options{}),
	} {
		for _, scheme := range []string{"light", "dark"} {
			b := open(t, file)
			b.emulate("", "prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce")
			b.run(`for (const d of document.querySelectorAll("details")) d.open = true; document.querySelector("#l1")?.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
			if strings.Contains(name, "speakers") {
				b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)))
				b.run(`document.querySelector("#query").value = "the"; document.querySelector("#query").dispatchEvent(new Event("input"))`)
				b.until(`document.querySelector("#count").textContent !== ""`)
			}
			assert.Empty(t, complaints(b), "%s, %s", name, scheme)
		}
	}
}

func TestSixSpeakersFitOnAPhone(t *testing.T) {
	t.Parallel()
	tr := meeting(t)
	for i := range tr.Segments {
		tr.Segments[i].Speaker = fmt.Sprint("Speaker ", 1+i%6)
	}
	tr.Segments = append(tr.Segments, scriptix.Segment{Start: 22 * time.Second, End: 22200 * time.Millisecond, Text: "Done.", Speaker: "Speaker 1"})
	b := open(t, embedded(t, tr, "Morning meeting, 3 March"))
	for _, size := range [][2]int64{{390, 844}, {320, 568}} {
		b.do(chromedp.EmulateViewport(size[0], size[1], chromedp.EmulateScale(2)))
		b.until(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
		assert.Equal(t, 6, eval[int](b, `(s => [...document.querySelectorAll(".names li")].filter(e => e.getBoundingClientRect().bottom <= s.bottom + 0.5).length)(document.querySelector(".strip").getBoundingClientRect())`), "names to be seen at once")
		assert.Less(t, eval[float64](b, `document.querySelector("#bar").offsetHeight / innerHeight`), 0.5, "%v: the bar leaves room for the text", size)
		assert.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth`), int(size[0]), "it scrolls sideways")
		picture(b, fmt.Sprintf("six-%d", size[0]))
	}
}
