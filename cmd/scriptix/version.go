package main

import (
	"runtime"
	"runtime/debug"

	"github.com/scriptix-io/scriptix-go"
)

type versionCmd struct{}

// Help shows how it is used.
func (*versionCmd) Help() string {
	return `Examples:
  scriptix version
  scriptix --version`
}

// Run prints the version, and of what it was built.
func (versionCmd) Run(e *env) error {
	line := "scriptix " + scriptix.Version
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				line += " (" + s.Value[:min(12, len(s.Value))] + ")"
			}
		}
	}
	return e.printf("%s, %s, %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
