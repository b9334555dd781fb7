package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// outcome is all that a run has to tell.
type outcome struct {
	Machine machine `json:"machine"`
	Pinned  bool    `json:"pinned"`
	Seconds float64 `json:"seconds"`
	Lines   []line  `json:"lines"`
	Bounds  []bound `json:"bounds"`
}

type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Curl   string `json:"curl"`
	Load   string `json:"load"` // over the last minute, when the run ended
}

// line holds medians, and their ratios to curl --http1.1 at the same task.
type line struct {
	result
	Wall      float64 `json:"wall"`
	CPU       float64 `json:"cpu"`
	PeakRSS   int64   `json:"peak_rss"`
	Allocs    uint64  `json:"allocs,omitempty"`
	WallRatio float64 `json:"wall_to_curl,omitempty"`
	CPURatio  float64 `json:"cpu_to_curl,omitempty"`
}

func newReport(s settings, results []result, took time.Duration) outcome {
	o := outcome{Machine: thisMachine(), Pinned: s.pin, Seconds: took.Seconds()}
	for _, r := range results {
		o.Lines = append(o.Lines, line{
			result: r,
			Wall:   median(r.Samples, func(s sample) float64 { return s.Wall }), CPU: median(r.Samples, func(s sample) float64 { return s.CPU }),
			PeakRSS: median(r.Samples, func(s sample) int64 { return s.PeakRSS }), Allocs: median(r.Samples, func(s sample) uint64 { return s.Allocs }),
		})
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		if c := o.find(l.Kind, l.Scheme, l.Size, curl1); c != nil && l.Contender != allocation {
			l.WallRatio = ratio(*l, *c, func(s sample) float64 { return s.Wall })
			l.CPURatio = ratio(*l, *c, func(s sample) float64 { return s.CPU })
		}
	}
	o.Bounds = o.bounds()
	return o
}

func (o *outcome) find(kind, scheme string, size int64, contender string) *line {
	for i, l := range o.Lines {
		if l.Kind == kind && l.Scheme == scheme && l.Size == size && l.Contender == contender {
			return &o.Lines[i]
		}
	}
	return nil
}

// ratio is the median of the ratios within each round, which what else the
// machine did meanwhile moves less than the ratio of the medians.
func ratio(l, to line, of func(sample) float64) float64 {
	ratios := make([]float64, 0, len(l.Samples))
	for i := range min(len(l.Samples), len(to.Samples)) {
		ratios = append(ratios, of(l.Samples[i])/of(to.Samples[i]))
	}
	return median(ratios, func(r float64) float64 { return r })
}

func median[T any, N int64 | uint64 | float64](samples []T, of func(T) N) N {
	values := make([]N, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (o *outcome) markdown() string {
	var b strings.Builder
	m := o.Machine
	pinned := "the sink on one core, the contender on the other"
	if !o.Pinned {
		pinned = "nothing pinned"
	}
	fmt.Fprintf(&b, "%s, %d cores, Linux %s, %s, %s; %s; load at the end %s; %.0f s.\n", m.CPU, m.Cores, m.Kernel, m.Go, m.Curl, pinned, m.Load, o.Seconds)
	task := ""
	for _, l := range o.Lines {
		if l.Contender == allocation {
			continue
		}
		if l.task() != task {
			task = l.task()
			fmt.Fprintf(&b, "\n**%s**\n\n| | over | peak RSS, MiB | CPU, s | wall, s | CPU to curl | wall to curl | runs |\n|---|---|---|---|---|---|---|---|\n", task)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.3f | %.3f | %s | %s | %d |\n", l.Contender, l.wantProtocol(), mebibytes(l.PeakRSS), l.CPU, l.Wall, twoDigits(l.CPURatio), twoDigits(l.WallRatio), len(l.Samples))
	}
	for _, l := range o.Lines {
		if l.Contender == allocation {
			fmt.Fprintf(&b, "\n%s: %d allocations more than for one byte.\n", l.task(), l.Allocs)
		}
	}
	if len(o.Bounds) > 0 {
		b.WriteString("\n| bound | at most | measured | |\n|---|---|---|---|\n")
	}
	for _, x := range o.Bounds {
		word := "held"
		if !x.Held {
			word = "**missed**"
		}
		fmt.Fprintf(&b, "| %s | %.4g | %.4g | %s |\n", x.What, x.Most, x.Measured, word)
	}
	return b.String()
}

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(n)/mib)
}

func twoDigits(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", f)
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: runtime.GOARCH, Curl: "no curl"}
	info, _ := os.ReadFile("/proc/cpuinfo")
	if match := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(info); match != nil {
		m.CPU = string(match[1])
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	load, _ := os.ReadFile("/proc/loadavg")
	m.Load, _, _ = strings.Cut(string(load), " ")
	version, err := exec.Command("curl", "--version").Output() //nolint:noctx // it ends at once
	if words := strings.Fields(string(version)); err == nil && len(words) > 1 {
		m.Curl = "curl " + words[1]
	}
	return m
}
