package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/bench/upload/internal/contender"
	"github.com/scriptix-io/scriptix-go/bench/upload/internal/report"
	"golang.org/x/sys/unix"
)

const (
	sinkCore      = 0
	contenderCore = 1
	patience      = 3 * time.Minute // for one upload
)

// bench is a run: the programs, the sink, and the files.
type bench struct {
	settings
	dir   string
	ca    string
	sink  *exec.Cmd
	stdin io.Closer
	at    report.Sink
}

// sample is what one upload cost.
type sample struct {
	Wall    float64 `json:"wall"`             // seconds, the process's start included
	CPU     float64 `json:"cpu"`              // seconds, user and system
	PeakRSS int64   `json:"peak_rss"`         // bytes; 0: not known
	Allocs  uint64  `json:"allocs,omitempty"` // more than for one byte
}

type result struct {
	upload
	Samples []sample `json:"samples"`
}

// start builds the programs and starts the sink.
func start(s settings, dir string) (*bench, error) {
	const here = "github.com/scriptix-io/scriptix-go/bench/upload/"
	b := &bench{settings: s, dir: dir, ca: filepath.Join(dir, "ca.pem")}
	build := exec.Command("go", "build", "-o", dir+"/", here+"sink", here+"contenders/...") //nolint:noctx // go build ends
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the contenders: %w\n%s", err, out)
	}
	b.sink = exec.Command(b.program("sink"), "-ca", b.ca, "-rtt", roundTrip) //nolint:noctx // ended by its standard input
	b.sink.Stderr = os.Stderr
	in, err := b.sink.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := b.sink.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.stdin = in
	if err := b.launch(b.sink, sinkCore); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &b.at)
	}
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("the sink did not start: %w", err)
	}
	return b, nil
}

func (b *bench) stop() {
	_ = b.stdin.Close()
	_ = b.sink.Wait()
}

// measure makes all uploads in turns, so that what else the machine does meets
// everyone alike.
func (b *bench) measure(all []upload) ([]result, error) {
	results, rounds := make([]result, len(all)), 0
	for i, u := range all {
		results[i].upload = u
		rounds = max(rounds, u.repeat)
		if err := b.warm(u.Size); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
		for _, i := range order(all, round) {
			if round >= all[i].repeat {
				continue
			}
			s, err := b.one(all[i])
			if err != nil {
				return nil, fmt.Errorf("%v: %w", all[i], err)
			}
			results[i].Samples = append(results[i].Samples, s)
		}
	}
	return results, nil
}

// order is the tasks as they stand, with their contenders turned by one in
// every round: nobody is always the first one.
func order(all []upload, round int) (indexes []int) {
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].task() == all[from].task() {
			to++
		}
		for k := range to - from {
			indexes = append(indexes, from+(k+round)%(to-from))
		}
		from = to
	}
	return indexes
}

// one makes one upload.
func (b *bench) one(u upload) (sample, error) {
	args, err := b.command(u)
	if err != nil {
		return sample{}, err
	}
	var peak string
	if args[0] == curl {
		// time is so small that what wait4 tells of its child is the child's.
		if _, err := exec.LookPath("/usr/bin/time"); err == nil {
			peak = filepath.Join(b.dir, "peak")
			args = slices.Concat([]string{"/usr/bin/time", "-o", peak, "-f", "%M"}, args)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// What the uploads before left to be done is not this one's.
	time.Sleep(20 * time.Millisecond)
	began := time.Now()
	if err := b.launch(cmd, contenderCore); err != nil {
		return sample{}, err
	}
	err = cmd.Wait()
	s := sample{Wall: time.Since(began).Seconds()}
	if err != nil {
		return s, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	s.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err := b.read(&s, peak, stdout.Bytes()); err != nil {
		return s, err
	}
	return s, b.arrived(u)
}

// read takes over what the process says of itself.
func (b *bench) read(s *sample, peak string, stdout []byte) error {
	if peak != "" {
		text, err := os.ReadFile(peak)
		if err != nil {
			return err
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		s.PeakRSS = kb << 10
		return err
	}
	if len(stdout) == 0 {
		return nil
	}
	var r contender.Report
	err := json.Unmarshal(stdout, &r)
	s.PeakRSS, s.Allocs = r.PeakRSS, r.Allocs
	return err
}

// arrived checks that all of the upload came, over the protocol it is measured
// for.
func (b *bench) arrived(u upload) error {
	resp, err := http.Get("http://" + b.at.HTTP + "/arrived") //nolint:noctx // the sink answers at once
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var a report.Arrived
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return err
	}
	want := u.Size
	if u.Contender == allocation {
		want += 2 // the uploads of one byte before
	}
	if len(a.Faults) > 0 || a.Bytes != want || !slices.Equal(a.Protocols, []string{u.wantProtocol()}) {
		return fmt.Errorf("the sink got %d bytes instead of %d over %v instead of %s, with the faults %q", a.Bytes, want, a.Protocols, u.wantProtocol(), a.Faults)
	}
	return nil
}

// launch starts a process on one core. A process inherits the cores of the
// thread that starts it.
func (b *bench) launch(cmd *exec.Cmd, core int) error {
	if !b.pin {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pinning to core %d (-pin=false leaves it out): %w", core, err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

func (b *bench) program(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) address(u upload) string {
	switch {
	case u.Kind == delayed:
		return b.at.Delayed
	case u.Scheme == "https":
		return b.at.HTTPS
	}
	return b.at.HTTP
}

// sparse is a file of that size that takes no room.
func (b *bench) sparse(size int64) (string, error) {
	name := filepath.Join(b.dir, strconv.FormatInt(size, 10)+".wav")
	if info, err := os.Stat(name); err == nil && info.Size() == size {
		return name, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	return name, errors.Join(f.Truncate(size), f.Close())
}

// warm reads a file once, so that nobody is the one who does it first.
func (b *bench) warm(size int64) error {
	name, err := b.sparse(size)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f})
	return err
}

// createUpload announces a resumable upload on curl's behalf.
func (b *bench) createUpload(url string, size int64) (string, error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+b.at.HTTP+"/api/v3/files/", nil) //nolint:noctx // the sink answers at once
	if err != nil {
		return "", err
	}
	req.Header.Set("Upload-Length", strconv.FormatInt(size, 10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	location := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusCreated || path.Dir(location) != "/api/v3/files" {
		return "", fmt.Errorf("the sink answered %s", resp.Status)
	}
	return url + location, nil
}
