package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go"
)

type waitCmd struct {
	service
	IDs     []string      `arg:"" name:"job" help:"Ids of jobs."`
	Timeout time.Duration `placeholder:"DURATION" help:"Stop waiting after this long, with exit code 3; the jobs go on."`
	JSON    bool          `help:"Print one JSON object per change."`
}

// Help shows how it is used.
func (*waitCmd) Help() string {
	return `A job that has failed is exit code 1.

Examples:
  scriptix wait stt_abc123
  scriptix wait stt_abc123 stt_def456 --timeout 10m`
}

// Run prints each change of each job until all have ended.
func (c *waitCmd) Run(ctx context.Context, e *env) error {
	if c.Timeout < 0 {
		return usage("--timeout %v: is negative", c.Timeout)
	}
	client, err := c.client(e)
	if err != nil {
		return err
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	w := waiting{cmd: c, env: e, open: make(map[string]bool)}
	if err := w.follow(ctx, client); err != nil {
		return err
	}
	if w.failed {
		return errTold
	}
	return nil
}

// waiting is the state of one run.
type waiting struct {
	cmd    *waitCmd
	env    *env
	open   map[string]bool
	failed bool
}

// follow asks for each job once, since it may have ended long ago, and then
// leaves it to the client when to ask again.
func (w *waiting) follow(ctx context.Context, client *scriptix.Client) error {
	watcher := client.STT.NewWatcher()
	for _, id := range w.cmd.IDs {
		w.open[id] = true
	}
	for id := range w.open {
		job, err := client.STT.Status(ctx, id)
		if err != nil && ctx.Err() != nil {
			return w.stopped()
		}
		if err := w.show(id, job, err); err != nil {
			return err
		}
		if w.open[id] {
			watcher.Add(*job) //nolint:contextcheck // All has the context
		}
	}
	if len(w.open) == 0 {
		return nil
	}
	for job, err := range watcher.All(ctx) {
		if errors.Is(err, scriptix.ErrWaitEnded) {
			return w.stopped()
		}
		if job == nil {
			return err
		}
		if err := w.show(job.ID, job, err); err != nil {
			return err
		}
	}
	return nil
}

func (w *waiting) show(id string, job *scriptix.Job, err error) error {
	if err != nil {
		w.failed = true
		delete(w.open, id)
		return reportJob(w.env, w.cmd.JSON, id, err)
	}
	if job.Status.Terminal() {
		delete(w.open, id)
		w.failed = w.failed || !job.Status.Succeeded()
	}
	if w.cmd.JSON {
		return w.env.object(job)
	}
	return w.env.printf("%s", describe(job))
}

func (w *waiting) stopped() error {
	var ids []string
	for _, id := range w.cmd.IDs { // in the order that was asked for
		if w.open[id] {
			ids = append(ids, id)
		}
	}
	return interrupted("stopped waiting, the jobs go on; wait again with: scriptix wait %s", strings.Join(ids, " "))
}
