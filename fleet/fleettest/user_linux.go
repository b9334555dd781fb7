package fleettest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// immediate is the signal on which PostgreSQL ends without tidying up.
const immediate = syscall.SIGQUIT

// asOrdinaryUser has a command run without root's rights, because PostgreSQL
// refuses them, and end with this process.
func asOrdinaryUser(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: immediate, Setpgid: true}
	if uid, gid, ok := ordinaryUser(); ok {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
		cmd.Env = append(os.Environ(), "HOME=/")
	}
}

// giveTo makes a directory the ordinary user's.
func giveTo(dir string) error {
	if uid, gid, ok := ordinaryUser(); ok {
		return os.Chown(dir, int(uid), int(gid))
	}
	if os.Geteuid() == 0 {
		return fmt.Errorf("%w: it does not run as root, and this machine has neither the user postgres nor nobody", ErrMissing)
	}
	return nil
}

// ordinaryUser is whom root runs the server as.
func ordinaryUser() (uid, gid uint32, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		u, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		g, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return uint32(u), uint32(g), true
		}
	}
	return 0, 0, false
}
