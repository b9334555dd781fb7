package interop_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

var full = flag.Bool("full", false, "uploads of 1 GiB and 20 rounds, instead of 256 MiB and 5 kills")

// roles are what this binary is when a test starts it again.
var roles = map[string]func() error{"server": serve, "client": upload}

const roleVar = "INTEROP_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		flag.Parse()
		os.Exit(m.Run())
	}
	go func() { // a child ends with whoever started it, however that ended
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	if err := roles[role](); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a process started by a test. It is killed when the test ends.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	ended chan struct{}
	err   error // once ended
}

// start starts a program and reads its standard output line by line.
func start(t *testing.T, env []string, name string, args ...string) *child {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // closed with this process
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	c := &child{cmd: cmd, lines: bufio.NewScanner(r), ended: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.kill()
		_ = r.Close()
	})
	return c
}

// again starts this test binary in another role.
func again(t *testing.T, role string, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return start(t, append(env, roleVar+"="+role), self)
}

// line is the next line that the child prints.
func (c *child) line(t *testing.T) string {
	t.Helper()
	require.True(t, c.lines.Scan(), "%s ended without a word: %v", c.cmd.Path, c.lines.Err())
	return c.lines.Text()
}

// kill ends the child with SIGKILL and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.ended
}

// tape is made-up audio of any length. No eight bytes of it are at their place
// elsewhere, so what is lost, doubled or moved shows in its SHA-256.
type tape struct{ size int64 }

func (p tape) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), max(p.size-off, 0)))
	var word [8]byte
	for i := 0; i < n; {
		at := off + int64(i)
		x := uint64(at>>3)*0x9e3779b97f4a7c15 + 1
		x ^= x >> 29
		if at&7 == 0 && n-i >= 8 {
			binary.LittleEndian.PutUint64(b[i:], x)
			i += 8
			continue
		}
		binary.LittleEndian.PutUint64(word[:], x)
		i += copy(b[i:n], word[at&7:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p tape) audio() scriptix.Audio { return scriptix.ReaderAt("tape.wav", p, p.size) }

func (p tape) sum(t *testing.T) string {
	t.Helper()
	return hash(t, io.NewSectionReader(p, 0, p.size))
}

func hash(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	_, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 1<<20))
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// uploads are the files that tusd keeps in dir, by their ids.
func uploads(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := make(map[string]int64)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && !strings.HasSuffix(e.Name(), ".info") {
			found[e.Name()] = info.Size()
		}
	}
	return found
}

// requireStored asserts that the one upload in dir is the tape, and removes it.
func requireStored(t *testing.T, dir string, job *scriptix.Job, p tape) {
	t.Helper()
	require.NotNil(t, job)
	found := uploads(t, dir)
	require.Len(t, found, 1, "one upload, however often it was interrupted")
	for id, size := range found {
		require.Equal(t, "job-"+id, job.ID)
		require.Equal(t, p.size, size)
		f, err := os.Open(filepath.Join(dir, id))
		require.NoError(t, err)
		sum := hash(t, f)
		require.NoError(t, f.Close())
		require.Equal(t, p.sum(t), sum, "the file is identical")
		require.NoError(t, os.Remove(filepath.Join(dir, id)))
		require.NoError(t, os.Remove(filepath.Join(dir, id+".info")))
	}
}

// stored waits until the upload in dir holds so many bytes, or until the wait
// is over for another reason. It reports which.
func stored(dir string, size int64, over <-chan struct{}) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil //nolint:nilerr // looked at again in a millisecond
			}
			if info, err := e.Info(); err == nil && info.Size() >= size {
				size = -1
			}
			return nil
		})
		if size < 0 {
			return true
		}
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
}
