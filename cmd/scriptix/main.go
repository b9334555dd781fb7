// Command scriptix transcribes recordings with the Scriptix batch API from the
// command line. `scriptix --help` lists what it can do.
//
// It exits with 0 when all is done, 1 when some of it failed, 2 when it was
// called wrongly, and 3 when it was interrupted and can be resumed.
package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"
)

// commands is what can be asked for; each command is a struct with a Run method.
type commands struct {
	Transcribe transcribeCmd `cmd:"" help:"Transcribe recordings, and go on where an earlier run was stopped."`
	Resume     resumeCmd     `cmd:"" help:"Go on with what earlier runs of transcribe have left open."`
	Jobs       jobsCmd       `cmd:"" help:"List what a ledger holds, of a running batch too."`
	Submit     submitCmd     `cmd:"" help:"Upload recordings and print the ids of their jobs."`
	Status     statusCmd     `cmd:"" help:"Print how far jobs are."`
	Wait       waitCmd       `cmd:"" help:"Wait until jobs have ended."`
	Result     resultCmd     `cmd:"" help:"Fetch the transcript of a job."`
	Listen     listenCmd     `cmd:"" help:"Receive callbacks and print them."`
	Verify     verifyCmd     `cmd:"" help:"Check the signature of a captured callback, and say what is wrong with it."`
	Mock       mockCmd       `cmd:"" help:"Run a fake Scriptix to try everything on."`
	Doctor     doctorCmd     `cmd:"" help:"Check key, network, clock and callback URL."`
	Completion completionCmd `cmd:"" help:"Print the completions of a shell."`
	Man        manCmd        `cmd:"" hidden:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

func main() {
	e := processEnv()
	ctx, stop := interruptible(context.Background(), e)
	code := run(ctx, e, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is one call of the program; it returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	parser, err := newParser(ctx, e)
	if err != nil {
		return e.fail(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return e.fail(parseError(err))
	}
	return e.fail(parsed.Run())
}

func newParser(ctx context.Context, e *env) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("scriptix"),
		kong.Description("Transcribe recordings with Scriptix. The API key is read from $"+keyVariable+" or from a file, never from a flag."),
		kong.Vars{"base_url": defaultBaseURL},
		kong.Writers(e.stdout, e.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)
}
