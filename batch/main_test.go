package batch_test

import (
	"flag"
	"testing"
)

// TestMain runs more tests at once than there are processors, because the parallel ones wait for processes, files and
// pauses far longer than they compute. A -parallel of the command line comes later, and so takes precedence.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}
