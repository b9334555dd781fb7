package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

type transcribeCmd struct {
	service
	paramFlags
	callbacks
	batchFlags
	fileList
	subtitleFlags
	watchFlags
	Paths   []string `arg:"" optional:"" name:"path" help:"Recordings, directories, patterns or https URLs; - is standard input. Without any, what the folder remembers is printed."`
	Format  []string `short:"f" placeholder:"LIST" help:"Files to write: json, txt, srt, vtt, html, md, csv, ass, and docx, pdf, stl, ttml as the service makes them (json,txt)."`
	Include []string `placeholder:"PATTERN" sep:"none" help:"Take files of other extensions from directories too, as '*.aiff'; may be given several times."`
	Flat    bool     `help:"All transcripts in one folder, instead of folders as the recordings lie in."`
	Again   bool     `help:"Pay anew for recordings that were transcribed with other parameters; the transcripts get names of their own."`
	Force   bool     `help:"Send files that are no recordings by their first bytes."`

	dryFlags
}

// batchFlags are those of transcribe and resume.
type batchFlags struct {
	Out           string        `short:"o" default:"." placeholder:"DIR" help:"Directory for the transcripts (the present one)."`
	Ledger        string        `placeholder:"FILE" help:"What was sent and done is remembered here (.scriptix.db in --out)."`
	Jobs          int           `short:"j" placeholder:"N" help:"Uploads at once (one less than the plan's requests at once)."`
	Patience      time.Duration `default:"2m" placeholder:"DURATION" help:"Give up when the service has never answered for so long; 0 goes on (${default})."`
	ResubmitAfter time.Duration `name:"resubmit-after" placeholder:"DURATION" help:"Send a recording again whose upload had no answer for so long. It may be billed twice (never)."`
	EmbedAudio    bool          `name:"embed-audio" help:"Put the recording into the html page, up to 360 MiB; without, the page plays the file where it is."`
	Erase         bool          `help:"Erase each job at the service once its transcript is written, where the dialect can (session)."`
	JSON          bool          `help:"Print one JSON object per recording."`
	AllowPrivate  bool          `name:"allow-private" help:"Let URLs lead to private addresses, as in your own network."`

	execFlags
	soundFlags
}

func (f *batchFlags) check() error {
	switch {
	case f.Jobs < 0:
		return usage("--jobs %d: is negative", f.Jobs)
	case f.ResubmitAfter < 0:
		return usage("--resubmit-after %v: is negative", f.ResubmitAfter)
	case f.Patience < 0:
		return usage("--patience %v: is negative", f.Patience)
	}
	return f.find()
}

func (f *batchFlags) ledgerPath() string {
	if f.Ledger != "" {
		return f.Ledger
	}
	return filepath.Join(f.Out, ".scriptix.db")
}

// Help says what makes a second call cheap.
func (*transcribeCmd) Help() string {
	return `Each recording is paid for once: the ledger knows it by its content, and what is done is skipped. After an interruption, a crash or kill -9 run the same again, or scriptix resume.
The folder of --out remembers language, diarization, timestamps, model, glossary, plan, formats and subtitles: flags that are left out take these values. A recording that was transcribed with other parameters is not sent again unless --again says so.
A recording behind an https URL is read from its server while it is sent, and known by the URL, its ETag and its length; where there is no strong ETag it is copied beside the ledger first. What a URL's query holds is never printed. This is not what the session API calls a URL: here it is this machine that reads it.
With --listen and --webhook-url the service calls back; without, jobs are polled. Ctrl-C stops and says how to go on, twice ends at once.

Examples:
  scriptix transcribe calls/ --language en --diarization --out transcripts
  scriptix transcribe calls/ --out transcripts --dry-run
  scriptix transcribe --watch /srv/recordings --language en --out transcripts --exec 'upload --to archive'`
}

// Run transcribes recordings and writes their transcripts.
func (c *transcribeCmd) Run(ctx context.Context, e *env, parsed *kong.Context) error {
	c.given = givenFlags(parsed)
	formats, err := c.formats()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	out, err := filepath.Abs(c.Out)
	if err != nil {
		return err
	}
	memory, err := recall(c.Out, c.ledgerPath())
	if err != nil {
		return err
	}
	in, err := c.named(ctx, e)
	if err != nil {
		return err
	}
	if in == nil && len(c.Watch) == 0 {
		return c.remembered(e, memory)
	}
	now, told, err := c.resolve(memory, formats)
	if err != nil {
		return err
	}
	c.Plan, c.Dialect = now.Plan, now.Dialect
	if err := now.speaks(c.Dialect); err != nil {
		return err
	}
	if now.Channels != "" && c.Audio == recipeSmall {
		return usage("--audio small makes one channel of all, and --channels split needs them apart")
	}
	j := &judge{out: out, now: now, flags: &c.paramFlags, format: formats, again: c.Again, force: c.Force, flat: c.Flat, batch: &c.batchFlags}
	if c.DryRun {
		return c.dryRun(ctx, e, j, in, told)
	}
	return c.start(ctx, e, j, in, told, memory)
}

// start sends what the judge decides to send.
func (c *transcribeCmd) start(ctx context.Context, e *env, j *judge, in *inputs, told settings, memory *settings) error {
	if len(c.Watch) > 0 {
		c.Patience = 0 // an outage ends no watch
	}
	b, err := openBatch(ctx, e, &c.service, &c.callbacks, &c.batchFlags)
	if err != nil {
		return err
	}
	defer b.close() //nolint:contextcheck // what is open is closed though ctx has ended
	if text := told.words(); text != "" {
		e.note("%s", text)
	}
	if !j.now.same(memory) || memory.place != filepath.Join(c.Out, settingsName) {
		if err := j.now.save(c.Out); err != nil {
			return err
		}
	}
	j.ledger, j.files = b.ledger, b.files
	if len(c.Watch) > 0 {
		w, err := newWatcher(ctx, b, j, &c.watchFlags, c.Include)
		if err != nil {
			return err
		}
		return b.runWatch(ctx, w, j)
	}
	if err := b.enlist(ctx, j, in.recordings); err != nil {
		return err
	}
	in.know(b.files)
	b.bad, b.leftOut = in.badLines(), in.left()
	return b.run(ctx, in.recordings, j)
}

// named returns the recordings that are named, by arguments and by a list; nil if
// none is.
func (c *transcribeCmd) named(ctx context.Context, e *env) (*inputs, error) {
	if err := c.alone(c.Paths, c.FilesFrom); err != nil {
		return nil, err
	}
	if len(c.Watch) > 0 && c.DryRun {
		return expand(c.Watch, nil, c.Include)
	}
	listed, err := c.names(ctx, e, c.Paths)
	if err != nil || len(c.Paths)+len(listed) == 0 {
		return nil, err
	}
	return expand(c.Paths, listed, c.Include)
}

// formats are those asked for; none where the flag was left out.
func (c *transcribeCmd) formats() ([]string, error) {
	if !c.given["format"] {
		return nil, nil
	}
	return checkFormats(c.Format, formatNames)
}

// enlist makes an entry for each recording that has none, before anything is
// sent: resume knows of all that were asked for.
func (t *transcription) enlist(ctx context.Context, j *judge, list []recording) error {
	var added []*entry
	for i := range list {
		r := &list[i]
		if r.spooled {
			path, err := t.env.spool(ctx, filepath.Dir(t.flags.ledgerPath()))
			if err != nil {
				if ctx.Err() != nil {
					return interrupted("interrupted while standard input was read; nothing was sent, pipe it again")
				}
				return err
			}
			if r.path, err = filepath.Abs(path); err != nil {
				return err
			}
		}
		if len(t.files.of(r.path, j.out)) == 0 {
			r.entry = t.files.add(j.entryOf(*r, j.flags.over(j.now.params)))
			added = append(added, r.entry)
		}
	}
	for _, r := range list {
		t.files.noteURL(r)
	}
	return errors.Join(t.files.save(added...), t.files.keepURLs())
}

// remembered prints what an output folder remembers.
func (c *transcribeCmd) remembered(e *env, memory *settings) error {
	if memory == nil {
		return usage("%s remembers nothing yet: name recordings to transcribe, and their language with -l en, say, or -l auto", shown(c.Out))
	}
	if c.JSON {
		return e.object(memory)
	}
	list := append(memory.params.words(), "formats "+strings.Join(memory.Formats, ","))
	if memory.Subtitles != "" {
		list = append(list, "subtitles "+memory.Subtitles)
	}
	if memory.Plan != "" {
		list = append(list, "plan "+memory.Plan)
	}
	if memory.Dialect != "" {
		list = append(list, "dialect "+memory.Dialect)
	}
	return e.printf("%s (from %s)", strings.Join(list, ", "), shown(memory.place))
}

// also tells what else was found in the trees, after a run that ended with err.
func (x *inputs) also(e *env, err error) error {
	for _, line := range x.badLines() {
		e.complain("%s", line)
	}
	if text := x.left(); text != "" {
		e.note("%s", text)
	}
	if err == nil && len(x.bad) > 0 {
		return errTold
	}
	return err
}
