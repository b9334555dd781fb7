package main

import (
	"slices"

	"github.com/rogpeppe/go-internal/testscript"
)

// sentas NAME...: the files of all jobs so far had these names, in this order.
func sentas(ts *testscript.TestScript, _ bool, args []string) {
	var names []string
	for _, j := range stageOf(ts).fake.Jobs() {
		names = append(names, j.FileName)
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(args))) {
		ts.Fatalf("%q was sent, want %q", names, args)
	}
}
