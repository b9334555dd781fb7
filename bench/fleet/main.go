// Command fleet measures the ledger of a fleet on PostgreSQL beside the one in a
// file: claims, callbacks and finishes a second, with several workers at once and
// among several numbers of records.
//
//	GOWORK=off go run -C bench ./fleet
//
// It starts a PostgreSQL of its own, with its durable defaults.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
)

func main() {
	operations := flag.Int("n", 1000, "operations of each kind in a measurement")
	largest := flag.Int("records", 100_000, "the largest number of records among which they are measured")
	flag.Parse()
	if err := run(context.Background(), *operations, *largest); err != nil {
		log.Fatal(err)
	}
}

// store is a ledger that is measured.
type store struct {
	name   string
	ledger batch.Ledger
	close  func() error
}

func run(ctx context.Context, operations, largest int) error {
	fmt.Println("| ledger | records | workers | claims a second | callbacks a second | finishes a second |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, open := range []func(context.Context) (store, error){openFile, openFleet} {
		if err := measureOn(ctx, open, operations, largest); err != nil {
			return err
		}
	}
	return nil
}

// measureOn fills one ledger step by step, and measures at each.
func measureOn(ctx context.Context, open func(context.Context) (store, error), operations, largest int) (err error) {
	s, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.close(); err == nil {
			err = closeErr
		}
	}()
	b := &bench{ledger: s.ledger}
	for records := 1000; records <= largest; records *= 10 {
		if err := b.fill(ctx, records); err != nil {
			return err
		}
		for _, workers := range []int{1, 4, 16} {
			figures, err := b.measure(ctx, workers, operations)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %d | %d | %.0f | %.0f | %.0f |\n", s.name, records, workers, figures[0], figures[1], figures[2])
		}
	}
	return nil
}

func openFile(context.Context) (store, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return store{}, err
	}
	l, err := batch.Open(filepath.Join(dir, "ledger"))
	if err != nil {
		return store{}, err
	}
	return store{"file", l, func() error {
		if err := l.Close(); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}}, nil
}

func openFleet(ctx context.Context) (store, error) {
	cluster, err := fleettest.Start() //nolint:contextcheck // it ends by Close
	if err != nil {
		return store{}, err
	}
	config, err := pgxpool.ParseConfig(cluster.URL(""))
	if err != nil {
		return store{}, err
	}
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return store{}, err
	}
	if err := fleet.Migrate(ctx, pool, ""); err != nil {
		return store{}, err
	}
	f, err := fleet.New(pool, fleet.Options{})
	if err != nil {
		return store{}, err
	}
	return store{"PostgreSQL", f.Ledger(), func() error {
		pool.Close()
		return cluster.Close()
	}}, nil
}
