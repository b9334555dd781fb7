//go:build !linux

package fleettest

import (
	"os"
	"os/exec"
	"syscall"
)

// immediate is the signal on which PostgreSQL ends without tidying up.
const immediate = syscall.SIGQUIT

// asOrdinaryUser changes nothing: elsewhere the server runs as whoever runs the
// tests, which must not be root.
func asOrdinaryUser(*exec.Cmd) {}

func giveTo(string) error {
	if os.Geteuid() == 0 {
		return ErrMissing
	}
	return nil
}
