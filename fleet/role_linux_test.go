package fleet_test

import "syscall"

// dieWithParent has no process outlive the tests.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
