// Command scriptix transcribes recordings with the Scriptix batch API from the
// command line. `scriptix --help` lists what it can do.
//
// It exits with 0 when all is done, 1 when some of it failed, 2 when it was
// called wrongly, and 3 when it was interrupted and can be resumed.
package main

import (
	"context"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is what can be asked for; each command is a struct with a Run method.
type commands struct {
	Transcribe transcribeCmd `cmd:"" help:"Transcribe recordings, and go on where an earlier run was stopped."`
	Resume     resumeCmd     `cmd:"" help:"Go on with what earlier runs of transcribe have left open."`
	Retry      retryCmd      `cmd:"" help:"Send recordings again that the service has failed."`
	Resubmit   resubmitCmd   `cmd:"" help:"Send recordings again whose upload had no answer; they may be billed twice."`
	Abandon    abandonCmd    `cmd:"" help:"Give recordings up whose upload had no answer."`
	Jobs       jobsCmd       `cmd:"" help:"List what a ledger holds, of a running batch too."`
	Submit     submitCmd     `cmd:"" help:"Upload recordings and print the ids of their jobs."`
	Status     statusCmd     `cmd:"" help:"Print how far jobs are."`
	Wait       waitCmd       `cmd:"" help:"Wait until jobs have ended."`
	Result     resultCmd     `cmd:"" help:"Fetch the transcript of a job."`
	Render     renderCmd     `cmd:"" help:"Make other formats of transcripts that are here, and name their speakers."`
	Documents  documentsCmd  `cmd:"" help:"Export or delete the document of a job."`
	Models     modelsCmd     `cmd:"" help:"List the account's own models."`
	Glossaries glossariesCmd `cmd:"" help:"List the account's glossaries."`
	Forget     forgetCmd     `cmd:"" help:"Take names, tokens and texts of recordings out of a ledger."`
	Listen     listenCmd     `cmd:"" help:"Receive callbacks and print them."`
	Subs       subsCmd       `cmd:"" help:"Check subtitles against the limits of Netflix or the BBC."`
	Verify     verifyCmd     `cmd:"" help:"Check the signature of a captured callback, and say what is wrong with it."`
	Trigger    triggerCmd    `cmd:"" help:"Send callbacks to a receiver of your own, and check its answers."`
	Mock       mockCmd       `cmd:"" help:"Run a fake Scriptix to try everything on."`
	Doctor     doctorCmd     `cmd:"" help:"Check key, network, clock and callback URL."`
	Completion completionCmd `cmd:"" help:"Print the completions of a shell."`
	Man        manCmd        `cmd:"" hidden:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Help       helpCmd       `cmd:"" help:"Print how a command is used."`

	Quiet bool `short:"q" help:"Tell nothing on standard error but what failed."`
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
	all := new(commands)
	args = asCommand(args)
	parser, err := newParser(ctx, e, all, grammar(args)...)
	if err != nil {
		return e.fail(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return e.fail(parseError(err))
	}
	e.quiet = all.Quiet
	return e.fail(parsed.Run())
}

// asCommand turns what is not spelled as a command into one: nothing at all, and
// --version.
func asCommand(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	case args[0] == "help" && len(args) == 1:
		return []string{"--help"}
	case args[0] == "help" && len(args) == 2 && !strings.HasPrefix(args[1], "-"):
		return []string{args[1], "--help"}
	}
	return args
}

func newParser(ctx context.Context, e *env, all *commands, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(all, append(more,
		kong.Name("scriptix"),
		kong.Description("Transcribe recordings with Scriptix. The API key is read from $"+keyVariable+" or from a file, never from a flag."),
		kong.Vars{"base_url": defaultBaseURL, "language_default": "of earlier runs"},
		kong.Writers(e.stdout, e.stderr),
		kong.Help(e.help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(e),
	)...)
}
