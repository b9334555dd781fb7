//go:build unix

package fleet

import "syscall"

const nonBlocking = syscall.O_NONBLOCK
