// Command upload measures what an upload costs: peak memory, CPU and time of
// this SDK, of curl and of what else Go programs use, each in a process of its
// own, in turns, in one run. See bench/README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"time"
)

type settings struct {
	repeat int
	large  int // repetitions of 5 GiB
	quick  bool
	pin    bool
	only   *regexp.Regexp
	json   bool
	check  bool
}

func main() {
	var s settings
	flag.IntVar(&s.repeat, "n", 7, "how often each upload is made")
	flag.IntVar(&s.large, "large", 3, "how often each upload of 5 GiB is made; 0 leaves them out")
	flag.BoolVar(&s.quick, "quick", false, "about a minute: three times each, and no 5 GiB")
	flag.BoolVar(&s.pin, "pin", true, "the sink on the first core, the uploads on the second")
	flag.BoolVar(&s.json, "json", false, "print JSON instead of Markdown")
	flag.BoolVar(&s.check, "check", false, "exit with 1 if a bound is missed")
	only := flag.String("only", "", "regular expression: of the lines of the table, those that match, such as '^form https 400 MiB (scriptix|curl)'")
	flag.Parse()
	if s.quick {
		s.repeat, s.large = 3, 0
	}
	held, err := run(s, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
	if s.check && !held {
		os.Exit(1)
	}
}

func run(s settings, only string) (held bool, err error) {
	if s.only, err = regexp.Compile(only); err != nil {
		return false, err
	}
	if runtime.NumCPU() < 2 && s.pin {
		s.pin = false
		fmt.Fprintln(os.Stderr, "upload: one core alone, so nothing is pinned")
	}
	dir, err := os.MkdirTemp("", "upload-bench-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := start(s, dir)
	if err != nil {
		return false, err
	}
	defer b.stop()
	began := time.Now()
	results, err := b.measure(plan(s))
	if err != nil {
		return false, err
	}
	report := newReport(s, results, time.Since(began))
	if s.json {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		_, err = io.WriteString(os.Stdout, report.markdown())
	}
	return report.held(), err
}
