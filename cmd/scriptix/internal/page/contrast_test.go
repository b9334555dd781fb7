package page_test

import (
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var colour = regexp.MustCompile(`--([a-z0-9]+): (#[0-9a-f]{3,6});`)

// palettes reads the colours of page.css: those for light, those for dark and those for paper.
func palettes(t *testing.T) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile("page.css")
	require.NoError(t, err)
	css := string(data)
	block := func(after string) map[string]string {
		i := strings.Index(css, after)
		require.GreaterOrEqual(t, i, 0, after)
		i += strings.Index(css[i:], ":root {")
		out := map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(css[i:i+strings.Index(css[i:], "}")], -1) {
			out[m[1]] = m[2]
		}
		return out
	}
	light := block(":root {")
	over := func(after string) map[string]string {
		out := maps.Clone(light)
		maps.Copy(out, block(after))
		return out
	}
	dark := block("@media (prefers-color-scheme: dark)")
	assert.ElementsMatch(t, slices.Collect(maps.Keys(light)), slices.Collect(maps.Keys(dark)), "each colour is there for light and dark")
	return map[string]map[string]string{"light": light, "dark": dark, "print": over("@media print")}
}

func TestEveryColourHoldsItsContrastInLightDarkAndPrint(t *testing.T) {
	t.Parallel()
	const text, graphics = 4.5, 3.0 // WCAG 2.2, level AA
	for mode, c := range palettes(t) {
		check := func(front, back string, least float64) {
			require.Contains(t, c, front, mode)
			require.Contains(t, c, back, mode)
			got := contrast(t, c[front], c[back])
			assert.GreaterOrEqual(t, got, least, "%s: %s %s on %s %s", mode, front, c[front], back, c[back])
		}
		speakers := []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "sx"}
		for _, s := range speakers {
			for _, back := range []string{"paper", "now"} {
				check(s, back, text)
			}
		}
		for _, back := range []string{"paper", "now", "word", "found", "hit", "raised"} {
			check("ink", back, text)
		}
		for _, back := range []string{"paper", "raised"} {
			check("faint", back, text)
			check("accent", back, text)
		}
		check("faint", "now", graphics)  // the dotted line under what is not sure
		check("accent", "now", graphics) // the line under a word that the mouse is on
		seen := map[string]string{}
		for _, s := range speakers {
			assert.Empty(t, seen[c[s]], "%s: two speakers of one colour", mode)
			seen[c[s]] = s
		}
	}
}

func TestTheContrastOfBlackOnWhiteIs21(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 21, contrast(t, "#000", "#ffffff"), 0.001)
	assert.InDelta(t, 4.54, contrast(t, "#767676", "#fff"), 0.01)
}

// contrast is the ratio that WCAG defines, from 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	require.Len(t, hex, 6)
	n, err := strconv.ParseUint(hex, 16, 32)
	require.NoError(t, err)
	part := func(shift uint) float64 {
		f := float64(n>>shift&0xff) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
