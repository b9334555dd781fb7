package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/fleet"
)

// database is where the fleet is: the flags of every command.
type database struct {
	DatabaseURL     string `name:"database-url" env:"DATABASE_URL" placeholder:"URL" help:"The database. Other users of the machine see a password that stands here: prefer the variable or the file."`
	DatabaseURLFile string `name:"database-url-file" placeholder:"FILE" help:"File that holds the database's URL."`
	Schema          string `default:"scriptix" help:"Schema of the tables (${default})."`
	Account         string `default:"default" help:"Whose key, budget and records (${default})."`
	PollOnly        bool   `name:"poll-only" help:"Do without LISTEN, as behind PgBouncer in transaction mode."`
	Verbose         bool   `short:"v" help:"Log to standard error what the fleet does."`
}

func (d *database) pool(ctx context.Context) (*pgxpool.Pool, error) {
	url := d.DatabaseURL
	if d.DatabaseURLFile != "" {
		lines, err := readLines(d.DatabaseURLFile)
		if err != nil {
			return nil, err
		}
		url = lines[0]
	}
	if url == "" {
		return nil, usageError{errors.New("no database: set DATABASE_URL, or see --database-url-file")}
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, usageError{errors.New("the database's URL cannot be read")} // its text may hold a password
	}
	return pool, nil
}

func (d *database) logger(e *env) *slog.Logger {
	level := slog.LevelWarn
	if d.Verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(e, &slog.HandlerOptions{Level: level}))
}

// open makes the fleet with the options that the flags add to.
func (d *database) open(ctx context.Context, e *env, o fleet.Options) (*fleet.Fleet, func(), error) {
	pool, err := d.pool(ctx)
	if err != nil {
		return nil, nil, err
	}
	o.Schema, o.Account, o.PollOnly, o.Logger = d.Schema, d.Account, d.PollOnly, d.logger(e)
	f, err := fleet.New(pool, o)
	if err != nil {
		pool.Close()
		return nil, nil, usageError{err}
	}
	return f, pool.Close, nil
}

// plan is the key's plan.
type plan struct {
	Plan      string `enum:",free,bronze,silver,gold" default:"" placeholder:"PLAN" help:"The key's plan: free, bronze, silver or gold. Its request limits are kept."`
	PerMinute int    `name:"per-minute" placeholder:"N" help:"Requests a minute, for a plan that is none of these."`
	PerHour   int    `name:"per-hour" placeholder:"N" help:"Requests an hour."`
	PerDay    int    `name:"per-day" placeholder:"N" help:"Requests a day."`
	AtOnce    int    `name:"at-once" placeholder:"N" help:"Requests at once."`
}

func (p *plan) limits() scriptix.Limits {
	limits := map[string]scriptix.Limits{
		"free": scriptix.PlanFree, "bronze": scriptix.PlanBronze, "silver": scriptix.PlanSilver, "gold": scriptix.PlanGold,
	}[p.Plan]
	for _, set := range []struct {
		limit *int
		value int
	}{{&limits.PerMinute, p.PerMinute}, {&limits.PerHour, p.PerHour}, {&limits.PerDay, p.PerDay}, {&limits.Concurrent, p.AtOnce}} {
		if set.value != 0 {
			*set.limit = set.value
		}
	}
	return limits
}

// listenOn serves until ctx ends, and then lets what is under way end.
func listenOn(ctx context.Context, address string, handler http.Handler, ready func(net.Addr)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return usageError{err}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ready(listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return server.Shutdown(draining)
}
