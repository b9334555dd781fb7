package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing means that this machine has no PostgreSQL to start.
var ErrMissing = errors.New("fleettest: PostgreSQL is not installed: apt-get install postgresql, or put initdb and postgres on the PATH")

// patience is how long the server may take to accept connections.
const patience = 60 * time.Second

// Cluster is a PostgreSQL server of its own.
type Cluster struct {
	dir      string // holds data, the socket and the log
	binaries string
	settings []string

	mu     sync.Mutex
	server *exec.Cmd
	ended  chan struct{}
}

// Start makes a cluster and starts its server. Each setting is one of
// postgresql.conf, such as "fsync=off". The error is [ErrMissing] where
// PostgreSQL is not installed. Close the cluster.
func Start(settings ...string) (*Cluster, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	// The path of a Unix socket has at most 107 bytes, which a test's own temporary directory may exceed.
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, binaries: binaries, settings: settings}
	if err := c.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// URL is how the named database is reached; "" is the first one, postgres.
func (c *Cluster) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	query := url.Values{"host": {c.dir}, "user": {"postgres"}}
	return "postgres:///" + url.PathEscape(database) + "?" + query.Encode()
}

// Database makes a new database and returns its URL.
func (c *Cluster) Database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, c.URL(""))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return c.URL(name), nil
}

// Restart stops the server as a crash would, in PostgreSQL's words immediately,
// and starts it again.
func (c *Cluster) Restart() error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.start()
}

// Stop stops the server immediately. Resume starts it again.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	if err := c.server.Process.Signal(immediate); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.ended
	c.server = nil
	return nil
}

// Resume starts a server that was stopped.
func (c *Cluster) Resume() error { return c.start() }

// Dump returns all databases as SQL, as pg_dumpall writes them.
func (c *Cluster) Dump(ctx context.Context) ([]byte, error) {
	dump := exec.CommandContext(ctx, filepath.Join(c.binaries, "pg_dumpall"), "-h", c.dir, "-U", "postgres") //nolint:gosec // our own cluster
	return dump.Output()
}

// Close stops the server and removes all that it kept.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(), os.RemoveAll(c.dir))
}

func (c *Cluster) initialize() error {
	if err := giveTo(c.dir); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(c.binaries, "initdb"), //nolint:noctx,gosec // it ends by itself
		"-D", filepath.Join(c.dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	asOrdinaryUser(initdb)
	initdb.Dir = c.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("fleettest: initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// start runs the server until it accepts connections.
func (c *Cluster) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		return nil
	}
	args := []string{"-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses="}
	for _, setting := range c.settings {
		args = append(args, "-c", setting)
	}
	logFile, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	server := exec.Command(filepath.Join(c.binaries, "postgres"), args...) //nolint:noctx,gosec // it lives until Stop
	asOrdinaryUser(server)
	server.Dir, server.Stdout, server.Stderr = c.dir, logFile, logFile
	if err := server.Start(); err != nil {
		return fmt.Errorf("fleettest: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Wait()
	}()
	c.server, c.ended = server, ended
	return c.ready(ended)
}

// ready waits until the server accepts connections.
func (c *Cluster) ready(ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL(""))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-retry.C:
		case <-ended:
			said, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("fleettest: the server ended: %s", lastLines(said))
		case <-ctx.Done():
			return fmt.Errorf("fleettest: the server accepts no connection: %w", err)
		}
	}
}

func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}

// findBinaries returns the directory of the newest PostgreSQL that can make a
// cluster.
func findBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if onPath, err := exec.LookPath("postgres"); err == nil {
		found = append(found, filepath.Dir(onPath))
	}
	for _, dir := range found {
		_, initdbErr := os.Stat(filepath.Join(dir, "initdb"))
		_, serverErr := os.Stat(filepath.Join(dir, "postgres"))
		if initdbErr == nil && serverErr == nil {
			return dir, nil
		}
	}
	return "", ErrMissing
}
