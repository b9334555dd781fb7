//go:build !linux

package fleet_test

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
