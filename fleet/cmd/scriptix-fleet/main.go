// Command scriptix-fleet runs a fleet: one batch on PostgreSQL, worked on by any
// number of processes. `scriptix-fleet --help` lists what it can do.
//
// It exits with 0 when all is done, 1 when some of it failed, 2 when it was
// called wrongly, and 3 when it was interrupted and nothing is lost.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is what can be asked for; each command is a struct with a Run method.
type commands struct {
	Migrate  migrateCmd  `cmd:"" help:"Make the tables, or bring them up to date."`
	Work     workCmd     `cmd:"" help:"Upload recordings and fetch transcripts, until it is told to stop."`
	Serve    serveCmd    `cmd:"" help:"Receive callbacks, until it is told to stop."`
	Enqueue  enqueueCmd  `cmd:"" help:"Have recordings transcribed."`
	Status   statusCmd   `cmd:"" help:"Count the records by phase."`
	Outcomes outcomesCmd `cmd:"" help:"List what became of recordings, and wait for more."`
	Budget   budgetCmd   `cmd:"" help:"Print how much of the request budget is used."`
	Resubmit resubmitCmd `cmd:"" help:"Send recordings again whose outcome is unknown, or that were rejected or abandoned."`
	Abandon  abandonCmd  `cmd:"" help:"Give recordings up whose outcome is unknown."`
	Forget   forgetCmd   `cmd:"" help:"Erase what is kept of recordings, but that they were paid for."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 3
)

// usageError is an error in how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is one call of the program; it returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	if len(args) == 0 || args[0] == "help" {
		args = []string{"--help"}
	}
	if args[0] == "--version" {
		args = []string{"version"}
	}
	parser, err := newParser(ctx, e)
	if err != nil {
		e.complain(err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return e.fail(usageError{err})
	}
	return e.fail(parsed.Run())
}

func newParser(ctx context.Context, e *env) (*kong.Kong, error) {
	return kong.New(new(commands),
		kong.Name("scriptix-fleet"),
		kong.Description(strings.Join([]string{
			"Transcribe recordings with Scriptix by any number of processes on one PostgreSQL.",
			"The database is $DATABASE_URL, --database-url or --database-url-file. The API key is $SCRIPTIX_API_KEY or the file",
			"named by $SCRIPTIX_API_KEY_FILE, the webhook secrets $SCRIPTIX_WEBHOOK_SECRET or $SCRIPTIX_WEBHOOK_SECRET_FILE.",
		}, " ")),
		kong.Writers(e.stdout, e.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)
}

// fail says what went wrong, in one line, and returns the exit code.
func (e *env) fail(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errTold) {
		return exitFailed
	}
	e.complain(err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}
