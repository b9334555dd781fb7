//go:build !unix

package main

import "os/exec"

// ownGroup does nothing where there are no process groups: the program itself is
// ended when the command's context ends.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // fails if it has ended
}
