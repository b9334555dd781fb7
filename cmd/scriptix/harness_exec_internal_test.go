package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// nogroup FILE: of the process group whose number stands in the file nothing may live. Who has ended and was not yet waited
// for counts as ended, because in a container nobody may do that.
func nogroup(ts *testscript.TestScript, _ bool, args []string) {
	group := strings.TrimSpace(ts.ReadFile(args[0]))
	var alive []string
	for limit := time.Now().Add(2 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		alive = nil
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		ts.Check(err)
		for _, stat := range stats {
			text, _ := os.ReadFile(stat) // it may have ended
			_, fields, _ := strings.Cut(string(text), ") ")
			if words := strings.Fields(fields); len(words) > 2 && words[0] != "Z" && words[2] == group {
				alive = append(alive, string(text))
			}
		}
		if len(alive) == 0 {
			return
		}
	}
	ts.Fatalf("of process group %s there lives: %s", group, strings.Join(alive, "; "))
}
