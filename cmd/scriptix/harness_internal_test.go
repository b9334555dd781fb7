package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// stage is what one script has: its fake, and the processes it has started.
type stage struct {
	fake   *scriptixtest.Server
	served answered
	night  string // testdata/night
	web    *webServer
	marked int // requests, when a script counted them

	mu      sync.Mutex
	outcome scriptixtest.Outcome
	spawned map[string]*process
}

type process struct {
	cmd    *exec.Cmd
	output sync.WaitGroup
	lines  chan string
}

type stageKey struct{}

// answered is a log handler that tells of each request once it was answered.
type answered chan string

func (a answered) Enabled(context.Context, slog.Level) bool { return true }
func (a answered) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a answered) WithGroup(string) slog.Handler            { return a }

func (a answered) Handle(_ context.Context, r slog.Record) error {
	values := make(map[string]string)
	r.Attrs(func(attr slog.Attr) bool {
		values[attr.Key] = attr.Value.String()
		return true
	})
	select {
	case a <- values["method"] + " " + values["path"]:
	default: // a script that makes so many requests does not wait for each
	}
	return nil
}

func stageOf(ts *testscript.TestScript) *stage {
	s, ok := ts.Value(stageKey{}).(*stage)
	if !ok {
		ts.Fatalf("the script has no stage")
	}
	return s
}

// patience bounds what a script waits for; it is never waited out by one that passes.
const patience = time.Minute

func setup(e *testscript.Env) error {
	served := make(answered, 10_000)
	fake, err := scriptixtest.Start(scriptixtest.WithLogger(slog.New(served)))
	if err != nil {
		return err
	}
	night, err := filepath.Abs("testdata/night")
	if err != nil {
		return err
	}
	s := &stage{fake: fake, served: served, night: night, spawned: make(map[string]*process)}
	s.outcome.Processing = 10 * time.Millisecond
	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.outcome
	})
	e.Values[stageKey{}] = s
	e.Defer(func() {
		for _, p := range s.spawned {
			_ = p.cmd.Process.Kill() // fails if it has ended, as it should
			p.output.Wait()
			_ = p.cmd.Wait()
		}
		fake.Close()
	})
	e.Setenv("SCRIPTIX_BASE_URL", fake.URL())
	e.Setenv(keyVariable, fake.APIKey())
	e.Setenv(secretVariable, fake.WebhookSecret())
	return os.MkdirAll(filepath.Join(e.WorkDir, ".tmp"), 0o700)
}

// exits CODE COMMAND... runs a command, which must exit with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits code command...")
	}
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// wav FILE N [BYTES] makes a recording whose samples depend on N.
func wav(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	size := 1600
	if len(args) > 2 {
		size, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	rate := uint32(max(8000, size/4)) // two seconds at most, for a long recording is polled late
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	b = append(b, 2, 0, 16, 0, 'd', 'a', 't', 'a')
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for i := range size {
		b = append(b, byte(i*n))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, b, 0o600))
}

// outcome NAME=VALUE... says what becomes of the uploads from now on.
func outcome(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	o := scriptixtest.Outcome{Processing: 10 * time.Millisecond}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "text":
			o.Text = value
		case "failure":
			o.Failure = value
		case "lose":
			o.Callback.Lose = true
		case "processing":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			o.Processing = d
		default:
			ts.Fatalf("outcome: what is %q?", arg)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome = o
}

// fault NAME=VALUE... puts a fault on the service; without any it clears them.
func fault(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	if len(args) == 0 {
		s.fake.ClearFaults()
		return
	}
	var f scriptixtest.Fault
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		number, _ := strconv.Atoi(value)
		switch name {
		case "on":
			f.On = scriptixtest.Endpoint(value)
		case "status":
			f.Status = number
		case "times":
			f.Times = number
		case "skip":
			f.Skip = number
		case "cut":
			f.Cut = scriptixtest.AfterBody
		case "retry-after":
			f.RetryAfter = value
		case "delay":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			f.Delay = d
		case "stall":
			f.BodyStall = time.Hour
			if value != "" {
				d, err := time.ParseDuration(value)
				ts.Check(err)
				f.BodyStall = d
			}
		case "date":
			f.Header = http.Header{"Date": {value}}
			f.Status = http.StatusNotFound
		case "limit":
			f.Header = http.Header{"X-Ratelimit-Limit": {value}, "X-Ratelimit-Remaining": {"7"}}
			f.Status = http.StatusNotFound
		default:
			ts.Fatalf("fault: what is %q?", arg)
		}
	}
	s.fake.Fault(f)
}

// served METHOD PATH waits for a request that the service has answered, of those
// it was not asked for yet. The path is a pattern.
func served(ts *testscript.TestScript, _ bool, args []string) {
	lineOf(ts, stageOf(ts).served, "^"+args[0]+" "+args[1]+"$")
}

// njobs N: the service must have made N jobs since it started.
func njobs(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(len(stageOf(ts).fake.Jobs())); got != args[0] {
		ts.Fatalf("%s jobs, want %s", got, args[0])
	}
}

// made N waits until the service has made N jobs since it started.
func made(ts *testscript.TestScript, _ bool, args []string) {
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if got := strconv.Itoa(len(stageOf(ts).fake.Jobs())); got == args[0] {
			return
		} else if time.Now().After(limit) {
			ts.Fatalf("%s jobs after %v, want %s", got, patience, args[0])
		}
	}
}

// requests N: it must have seen N requests; with mark it keeps the number, and with +N there must be so many more since.
func requests(ts *testscript.TestScript, _ bool, args []string) {
	s, want := stageOf(ts), args[0]
	got := s.fake.Stats().Requests
	if want == "mark" {
		s.marked = got
		return
	}
	if more, relative := strings.CutPrefix(want, "+"); relative {
		want, got = more, got-s.marked
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("%d requests, want %s", got, args[0])
	}
}

// jobid VAR N sets a variable to the id of the Nth job.
func jobid(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], stageOf(ts).fake.Jobs()[n-1].ID)
}

// spawn NAME PATTERN COMMAND... starts a process and waits until it prints a line
// that matches; $NAME is then its first group. With the pattern - it waits for
// nothing. Its output goes to NAME.out and NAME.err; a last argument <FILE is its
// standard input.
func spawn(ts *testscript.TestScript, _ bool, args []string) {
	s, name := stageOf(ts), args[0]
	program, err := exec.LookPath(args[2])
	ts.Check(err)
	cmd := exec.Command(program, args[3:]...) //nolint:noctx // it is the test's own program, and ends with the script
	cmd.Dir = ts.MkAbs(".")
	for _, v := range []string{"PATH", "HOME", "TMPDIR", "SCRIPTIX_BASE_URL", "SSL_CERT_FILE", keyVariable, secretVariable} {
		cmd.Env = append(cmd.Env, v+"="+ts.Getenv(v))
	}
	p := &process{cmd: cmd, lines: make(chan string, 1000)}
	if last := args[len(args)-1]; strings.HasPrefix(last, "<") {
		cmd.Args = cmd.Args[:len(cmd.Args)-1]
		f, err := os.Open(ts.MkAbs(last[1:]))
		ts.Check(err)
		defer func() { _ = f.Close() }() // the process has its own
		cmd.Stdin = f
	}
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s.spawned[name] = p
	for ending, r := range map[string]*bufio.Scanner{".out": bufio.NewScanner(stdout), ".err": bufio.NewScanner(stderr)} {
		f, err := os.Create(ts.MkAbs(name + ending))
		ts.Check(err)
		p.output.Go(func() {
			defer func() { _ = f.Close() }()
			for r.Scan() {
				_, _ = fmt.Fprintln(f, r.Text())
				p.lines <- r.Text()
			}
		})
	}
	go func() {
		p.output.Wait()
		close(p.lines)
	}()
	if args[1] != "-" {
		ts.Setenv(name, lineOf(ts, p.lines, args[1]))
	}
}

// await NAME PATTERN waits until a process prints a line that matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	lineOf(ts, stageOf(ts).spawned[args[0]].lines, args[1])
}

func lineOf(ts *testscript.TestScript, lines <-chan string, pattern string) string {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var said []string
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				ts.Fatalf("it ended without a line like %q, but with\n%s", pattern, strings.Join(said, "\n"))
			}
			said = append(said, line)
			if m := re.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
		case <-limit.C:
			ts.Fatalf("no line like %q after %v, but\n%s", pattern, patience, strings.Join(said, "\n"))
		}
	}
}

// signal NAME INT|TERM|KILL|HUP sends a signal to a process that was spawned.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}[args[1]]
	ts.Check(stageOf(ts).spawned[args[0]].cmd.Process.Signal(sig))
}

// ended NAME CODE waits for the end of a process; -1 stands for a signal.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	p := s.spawned[args[0]]
	if p == nil {
		ts.Fatalf("nothing called %q runs", args[0])
		return
	}
	limit := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer limit.Stop()
	p.output.Wait()
	_ = p.cmd.Wait() // its error is the exit code, which is compared
	delete(s.spawned, args[0])
	if got := strconv.Itoa(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("exit code %s, want %s", got, args[1])
	}
}

// sign VAR FILE [SECRET] sets a variable to the signature of a file's content.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	secret := stageOf(ts).fake.WebhookSecret()
	if len(args) > 2 {
		secret = args[2]
	}
	ts.Setenv(args[0], webhook.Sign(secret, []byte(ts.ReadFile(args[1]))))
}

// post STATUS URL FILE [SIGNATURE] posts a callback, which must be answered so.
func post(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequest(http.MethodPost, args[1], bytes.NewReader([]byte(ts.ReadFile(args[2])))) //nolint:noctx // the receiver is the test's own
	ts.Check(err)
	if len(args) > 3 {
		r.Header.Set(webhook.SignatureHeader, args[3])
	}
	resp, err := (&http.Client{Timeout: patience}).Do(r)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}
