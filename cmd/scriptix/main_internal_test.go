package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run the program as a process of its own, which can
// be killed.
func TestMain(m *testing.M) {
	testscript.Main(patient{m}, map[string]func(){"scriptix": main})
}

// patient runs more tests at once than there are processors, because a script waits
// for its processes far longer than they compute. A -parallel of the command line
// comes later, and so takes precedence.
type patient struct{ tests testscript.TestingM }

func (p patient) Run() int {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	return p.tests.Run()
}

// TestScripts runs testdata/script: what a user types, and what comes of it.
// Each script has a fake service of its own; harness_internal_test.go says which
// commands there are beside those of testscript.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{keyVariable, keyFileVariable, secretVariable, secretFileVariable, "SCRIPTIX_BASE_URL", "SCRIPTIX_WEBHOOK_URL"} {
		if os.Getenv(name) != "" {
			t.Logf("%s is set here; the scripts do not see it", name)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"wav":      wav,
			"outcome":  outcome,
			"fault":    fault,
			"served":   served,
			"njobs":    njobs,
			"made":     made,
			"requests": requests,
			"spawn":    spawn,
			"await":    await,
			"signal":   sendSignal,
			"ended":    ended,
			"sign":     sign,
			"post":     post,
			"source":   source,
			"jobid":    jobid,
			"night":    night,
			"sentas":   sentas,
			"readme":   readme,
			"nogroup":  nogroup,
			"web":      web,
			"asked":    asked,
		},
	})
}
