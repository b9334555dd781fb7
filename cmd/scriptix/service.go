package main

import (
	"fmt"
	"log/slog"

	"github.com/scriptix-io/scriptix-go"
)

// service is how the service is reached: the flags of every command that calls it.
type service struct {
	BaseURL string `name:"base-url" env:"SCRIPTIX_BASE_URL" default:"${base_url}" placeholder:"URL" help:"Address of the service (${default})." json:"-"`
	KeyFile string `name:"key-file" placeholder:"FILE" help:"File that holds the API key, instead of $$SCRIPTIX_API_KEY." json:"-"`
	Plan    string `enum:",free,bronze,silver,gold" default:"" placeholder:"PLAN" help:"The key's plan: free, bronze, silver or gold, whose request limits are kept (60 a minute)." json:"-"`
	Dialect string `enum:",stt,session" default:"" env:"SCRIPTIX_DIALECT" placeholder:"DIALECT" help:"API of the service: stt (the default) or session; scriptix doctor tells which." json:"-"`
	Verbose bool   `short:"v" help:"Log every request to standard error." json:"-"`
}

const (
	defaultBaseURL = "https://api.scriptix.io"
	sessionDialect = "session"
)

var plans = map[string]scriptix.Limits{
	"":       scriptix.DefaultLimits,
	"free":   scriptix.PlanFree,
	"bronze": scriptix.PlanBronze,
	"silver": scriptix.PlanSilver,
	"gold":   scriptix.PlanGold,
}

func (s *service) limits() scriptix.Limits { return plans[s.Plan] }

// client makes the client. What it refuses is an error in the call of the program.
func (s *service) client(e *env, opts ...scriptix.Option) (*scriptix.Client, error) {
	e.frugal()
	key, err := e.apiKey(s.KeyFile)
	if err != nil {
		return nil, err
	}
	all := []scriptix.Option{
		scriptix.WithBaseURL(s.BaseURL),
		scriptix.WithLimits(s.limits()),
		scriptix.WithApplication("scriptix-cli", scriptix.Version),
	}
	if s.Dialect == sessionDialect {
		all = append(all, scriptix.WithDialect(scriptix.DialectSession))
	}
	if h := s.handler(e); h != nil {
		all = append(all, scriptix.WithLogger(slog.New(h)))
	}
	c, err := scriptix.New(key.values[0], append(all, opts...)...)
	if err != nil {
		return nil, usage("%w", err)
	}
	return c, nil
}

// handler writes the client's log where --verbose asks for it; else it is nil.
func (s *service) handler(e *env) slog.Handler {
	if !s.Verbose {
		return nil
	}
	return slog.NewTextHandler(lineWriter{e}, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// lineWriter lets a logger share standard error with the other lines.
type lineWriter struct{ e *env }

func (w lineWriter) Write(p []byte) (int, error) {
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	return w.e.stderr.Write(p)
}

// describe is a job in a line.
func describe(j *scriptix.Job) string {
	line := fmt.Sprintf("%s  %s  %d %%", oneLine(j.ID), oneLine(string(j.Status)), j.Progress)
	if j.DocumentID != "" {
		line += "  document " + oneLine(j.DocumentID)
	}
	if j.Failure != "" {
		line += "  " + oneLine(j.Failure)
	}
	return line
}
