package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writeFile replaces the file at path as a whole: whoever looks at it sees what
// was there before or all of the new, also after the power was cut.
func writeFile(path string, write func(io.Writer) error) error {
	return replaceFile(path, 0o666, write)
}

// replaceFile is writeFile for a file of other permissions than the umask gives.
func replaceFile(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	tmp, err := temporary(path, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close() // closed already, or in vain
			err = fmt.Errorf("%s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
		}
	}()
	w := bufio.NewWriter(tmp)
	if err = write(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// temporary makes a new file beside path, with the permissions of any new file,
// which os.CreateTemp would not give it.
func temporary(path string, mode os.FileMode) (*os.File, error) {
	for n := range 10_000 {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".scriptix-%d-%d.tmp", os.Getpid(), n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%s: no name is free for a temporary file beside it", path)
}

// syncDir makes a rename durable. Not every file system can; then it is as
// durable as that file system makes it.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// temporaryName matches what temporary makes, with the process that made it.
var temporaryName = pattern(`^\.scriptix-(\d+)-\d+\.tmp$`)

// sweep removes the temporary files that dead processes left in the folders of
// the transcripts. Who calls it has the ledger, beside which copies of standard
// input are made: none of those is another's.
func (m *manifest) sweep(out string) {
	needed := make(map[string]bool)
	dirs := map[string]bool{out: true, filepath.Dir(m.path): true}
	for _, e := range m.entries {
		dirs[filepath.Join(string(e.Out), e.Dir)] = true
		if e.Spool != "" && !e.Done && !e.Gone {
			needed[filepath.Base(string(e.Spool))] = true
		}
	}
	for dir := range dirs {
		list, _ := os.ReadDir(dir) // what cannot be read, cannot be swept
		for _, item := range list {
			name := item.Name()
			spool := strings.HasPrefix(name, spoolPrefix) && strings.HasSuffix(name, ".tmp") || strings.HasPrefix(name, copyPrefix) && !needed[name]
			spool = spool && dir == filepath.Dir(m.path)
			match := temporaryName().FindStringSubmatch(name)
			if spool || match != nil && dead(match[1]) {
				_ = os.Remove(filepath.Join(dir, name)) // it is in nobody's way
			}
		}
	}
}

// dead reports whether no process has the number, or only this one, which has
// made nothing yet.
func dead(pid string) bool {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return false
	}
	return n == os.Getpid() || !running(n)
}

// running reports whether a process of that number exists.
func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}
