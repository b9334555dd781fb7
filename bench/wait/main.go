// Command wait plays days of waiting jobs in virtual time and compares policies
// of polling: the client's own, every 30 seconds, a fixed share of the duration,
// and waiting out the sender's retries.
//
// Before that it plays persons who wait for a few recordings without callbacks,
// beside a loop that asks about each job every 3 seconds and beside an oracle that
// knows when jobs end, and a day without callbacks on Silver (-only person, -only
// "day without").
//
// The client is the real one, in a testing/synctest bubble, against a transport
// that knows when jobs end; the others are played event by event. All have the
// same jobs and the same windows. Run it with
//
//	GOWORK=off go run -C bench ./wait
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "of the jobs")
	only := flag.String("only", "", "play scenarios that match this regular expression; person, and day without callbacks, are two of them")
	testing.Init()
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// A bubble wants a *testing.T, which only a test run has.
	testing.Main(regexp.MatchString, []testing.InternalTest{{Name: "wait", F: func(t *testing.T) {
		t.Helper()
		if err := run(t, *seed, pattern); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}}}, nil, nil)
}

func run(t *testing.T, seed uint64, pattern *regexp.Regexp) error {
	t.Helper()
	if pattern.MatchString("person") {
		if err := runVigils(t, seed); err != nil {
			return err
		}
	}
	if pattern.MatchString("day without callbacks") {
		if err := runDay(t, seed); err != nil {
			return err
		}
	}
	fmt.Println("| scenario | policy | polls | wasted | late p50 | p95 | p99 | found by poll | not found | worst minute / hour / day |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	begin := time.Now()
	var notes []string
	for _, sc := range scenarios(seed) {
		if !pattern.MatchString(sc.name) {
			continue
		}
		r, note, err := playClient(t, sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		notes = append(notes, "- "+sc.name+": "+note)
		fmt.Printf("| %s | this SDK %s\n", sc.name, r)
		for _, p := range policies {
			fmt.Printf("| | %s %s\n", p.name, playPolicy(sc, p))
		}
	}
	fmt.Printf("\nSeed %d, %v.\n\n", seed, time.Since(begin).Round(time.Second))
	for _, note := range notes {
		fmt.Println(note)
	}
	return nil
}

// result is what a policy came to.
type result struct {
	polls, wasted, lost int
	late                []time.Duration // of those that a poll found
	seen                []time.Duration // when polls were sent
}

func (r result) String() string {
	slices.Sort(r.late)
	at := func(percent int) string {
		if len(r.late) == 0 {
			return "-"
		}
		return short(r.late[min(len(r.late)*percent/100, len(r.late)-1)])
	}
	share := 0
	if r.polls > 0 {
		share = (100*r.wasted + r.polls/2) / r.polls
	}
	return fmt.Sprintf("| %s | %d %% | %s | %s | %s | %s | %s | %d / %d / %d |",
		number(r.polls), share, at(50), at(95), at(99), number(len(r.late)), number(r.lost),
		r.within(time.Minute), r.within(time.Hour), r.within(24*time.Hour))
}

// within is the most polls in any such span.
func (r result) within(span time.Duration) int {
	most, first := 0, 0
	for i, at := range r.seen {
		for at-r.seen[first] >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func short(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
