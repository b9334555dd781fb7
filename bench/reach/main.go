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
	// As .goreleaser.yaml builds it: without cgo there is no dynamic linker to wait for.
	if err := command(ctx, "../cmd/scriptix", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", scriptix, "."); err != nil {
		return err
	}
	if err := command(ctx, hello, nil, "go", "build", "-o", line, "."); err != nil {
		return err
	}
	info, err := os.Stat(scriptix)
	if err != nil {
		return err
	}
	took, err := starts(ctx, runs, [][]string{{line}, {scriptix, "version"}, {scriptix, "transcribe", "--help"}})
	if err != nil {
		return err
	}
	first, firstWork, err := cold(ctx, dir, "..", "go", "run", "./examples/transcribe")
	if err != nil {
		return err
	}
	plain, plainWork, err := cold(ctx, dir, client, "go", "build", "-o", os.DevNull, ".")
	if err != nil {
		return err
	}
	fmt.Println("| | figure | bound |")
	fmt.Println("|---|---|---|")
	fmt.Printf("| command line, stripped | %.1f MiB | %d MiB |\n", float64(info.Size())/(1<<20), mostBytes>>20)
	fmt.Printf("| `scriptix version`, median start, to a program that prints a line | %.1f and %.1f ms: %.1f times | %.0f times |\n", ms(took[1]), ms(took[0]), ratio(took[1], took[0]), mostStart)
	fmt.Printf("| `scriptix transcribe --help`, which has the most flags, the same | %.1f ms: %.1f times | |\n", ms(took[2]), ratio(took[2], took[0]))
	fmt.Printf("| `go run ./examples/transcribe` with an empty build cache, to a build with net/http alone | %.1f and %.1f s: %.2f times | %.1f times |\n", first.Seconds(), plain.Seconds(), ratio(first, plain), mostBuild)
	fmt.Printf("| the same in processor time, which other programs disturb less | %.1f and %.1f s: %.2f times | |\n", firstWork.Seconds(), plainWork.Seconds(), ratio(firstWork, plainWork))
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

// starts runs the programs in turns and returns their medians.
func starts(ctx context.Context, runs int, programs [][]string) ([]time.Duration, error) {
	took := make([][]time.Duration, len(programs))
	for range runs {
		for i, args := range programs {
			begin := time.Now()
			if err := command(ctx, ".", nil, args...); err != nil {
				return nil, err
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	medians := make([]time.Duration, len(programs))
	for i := range took {
		slices.Sort(took[i])
		medians[i] = took[i][runs/2]
	}
	return medians, nil
}

// cold runs a command of Go with a build cache that is empty, and returns how long it took and how much processor time.
func cold(ctx context.Context, temp, dir string, args ...string) (took, work time.Duration, err error) {
	cache, err := os.MkdirTemp(temp, "cache")
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	state, err := finish(ctx, dir, []string{"GOCACHE=" + cache}, args...)
	if err != nil {
		return 0, 0, err
	}
	return time.Since(begin), state.UserTime() + state.SystemTime(), nil
}

func command(ctx context.Context, dir string, env []string, args ...string) error {
	_, err := finish(ctx, dir, env, args...)
	return err
}

func finish(ctx context.Context, dir string, env []string, args ...string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOWORK=off"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return cmd.ProcessState, fmt.Errorf("%v: %w\n%s", args, err, out)
	}
	return cmd.ProcessState, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }
