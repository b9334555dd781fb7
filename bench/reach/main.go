// Command reach measures what stands between a newcomer and the first transcript:
// how large the command line is and how fast it starts, beside a program that
// prints a line, and how long the README's first command takes with an empty build
// cache, beside a program that imports net/http alone.
//
//	GOWORK=off go run -C bench ./reach
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// The bounds that are wanted.
const (
	mostBytes = 14 << 20 // of the stripped command line
	mostStart = 3.0      // times a program that prints a line
	mostBuild = 1.3      // times a cold build of a program that imports net/http alone
)

func main() {
	runs := flag.Int("n", 40, "starts of each program")
	flag.Parse()
	if err := measure(context.Background(), *runs); err != nil {
		fmt.Fprintln(os.Stderr, "reach:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, runs int) error {
	dir, err := os.MkdirTemp("", "reach")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	hello, client := filepath.Join(dir, "hello"), filepath.Join(dir, "client")
	for path, source := range map[string]string{
		hello:  "package main\n\nfunc main() { println(\"hello\") }\n",
		client: "package main\n\nimport \"net/http\"\n\nfunc main() { println(http.MethodGet) }\n",
	} {
		if err := program(path, source); err != nil {
			return err
		}
	}
	scriptix, line := filepath.Join(dir, "scriptix"), filepath.Join(dir, "line")
	if err := command(ctx, "../cmd/scriptix", nil, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", scriptix, "."); err != nil {
		return err
	}
	if err := command(ctx, hello, nil, "go", "build", "-o", line, "."); err != nil {
		return err
	}
	info, err := os.Stat(scriptix)
	if err != nil {
		return err
	}
	ours, theirs, err := starts(ctx, runs, scriptix, line)
	if err != nil {
		return err
	}
	first, err := cold(ctx, dir, "..", "go", "run", "./examples/transcribe")
	if err != nil {
		return err
	}
	plain, err := cold(ctx, dir, client, "go", "build", "-o", os.DevNull, ".")
	if err != nil {
		return err
	}
	fmt.Println("| | figure | bound |")
	fmt.Println("|---|---|---|")
	fmt.Printf("| command line, stripped | %.1f MiB | %d MiB |\n", float64(info.Size())/(1<<20), mostBytes>>20)
	fmt.Printf("| `scriptix version`, median start, to a program that prints a line | %.1f and %.1f ms: %.1f times | %.0f times |\n", ms(ours), ms(theirs), ratio(ours, theirs), mostStart)
	fmt.Printf("| `go run ./examples/transcribe` with an empty build cache, to a build with net/http alone | %.1f and %.1f s: %.2f times | %.1f times |\n", first.Seconds(), plain.Seconds(), ratio(first, plain), mostBuild)
	return nil
}

// program writes a module of one file.
func program(dir, source string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/program\n\ngo 1.26.0\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600)
}

// starts runs both programs in turns and returns the medians.
func starts(ctx context.Context, runs int, ours, theirs string) (time.Duration, time.Duration, error) {
	var took [2][]time.Duration
	for range runs {
		for i, args := range [2][]string{{ours, "version"}, {theirs}} {
			begin := time.Now()
			if err := command(ctx, ".", nil, args...); err != nil {
				return 0, 0, err
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	return took[0][runs/2], took[1][runs/2], nil
}

// cold runs a command of Go with a build cache that is empty.
func cold(ctx context.Context, temp, dir string, args ...string) (time.Duration, error) {
	cache, err := os.MkdirTemp(temp, "cache")
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	err = command(ctx, dir, []string{"GOCACHE=" + cache}, args...)
	return time.Since(begin), err
}

func command(ctx context.Context, dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOWORK=off"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", args, err, out)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }
