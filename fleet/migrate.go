package fleet

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// migrationFiles holds the tables of this package, one file a version.
//
//go:embed migrations
var migrationFiles embed.FS

// latestVersion is the version of the tables that this package works on.
const latestVersion = 3

// DefaultSchema is the schema where the tables are unless Options say otherwise.
const DefaultSchema = "scriptix"

// ErrNotMigrated means that the schema lacks tables that this version needs:
// call [Migrate].
var ErrNotMigrated = errors.New("fleet: the database is not migrated")

// Migrate makes the schema and its tables, or brings those of an earlier
// version up to date: River's, and those of the fleet. An empty schema is
// [DefaultSchema]. It may be called by many processes at once, of which one
// works and the others wait; without anything to do it changes nothing. The
// schema public stays as it is.
//
// It needs the right to create a schema in the database, or tables in the
// schema where that exists.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	if pool == nil {
		return errors.New("fleet: Migrate: the pool is nil")
	}
	if schema == "" {
		schema = DefaultSchema
	}
	if err := checkSchema(schema); err != nil {
		return err
	}
	// The lock has a connection of its own, so that a pool of one is enough.
	conn, err := connect(ctx, pool)
	if err != nil {
		return fmt.Errorf("fleet: Migrate: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // and with it goes the lock
	if err := migrateOn(ctx, conn, pool, schema); err != nil {
		return fmt.Errorf("fleet: Migrate: %w", err)
	}
	return nil
}

func migrateOn(ctx context.Context, conn *pgx.Conn, pool *pgxpool.Pool, schema string) error {
	const lock = "select pg_advisory_lock(hashtextextended('scriptix migrate ' || $1, 0))"
	if _, err := conn.Exec(ctx, lock, schema); err != nil {
		return err
	}
	if err := createSchema(ctx, conn, schema); err != nil {
		return err
	}
	migrator, err := newMigrator(pool, schema)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("river: %w", err)
	}
	for {
		done, err := migrateOnce(ctx, conn, schema)
		if err != nil || done {
			return err
		}
	}
}

// createSchema makes the schema. It is asked for first, because "if not exists"
// demands the right to create one even where it does.
func createSchema(ctx context.Context, conn *pgx.Conn, schema string) error {
	var exists bool
	const find = "select exists (select from pg_namespace where nspname = $1)"
	if err := conn.QueryRow(ctx, find, schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := conn.Exec(ctx, "create schema if not exists "+pgx.Identifier{schema}.Sanitize())
	return err
}

func newMigrator(pool *pgxpool.Pool, schema string) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: schema, Logger: slog.New(slog.DiscardHandler)})
}

// migrateOnce applies the next version of our own tables, if there is one.
func migrateOnce(ctx context.Context, conn *pgx.Conn, schema string) (done bool, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, inSchema(schema, "create table if not exists {s}.scriptix_version (version int not null)")); err != nil {
			return err
		}
		version, err := versionOf(ctx, tx, schema)
		if err != nil {
			return err
		}
		if version >= latestVersion {
			done = true
			return nil
		}
		statements, err := migrationFiles.ReadFile(fmt.Sprintf("migrations/%d.sql", version+1))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, inSchema(schema, string(statements))); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, inSchema(schema, "insert into {s}.scriptix_version (version) values ($1)"), version+1)
		return err
	})
	return done, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func versionOf(ctx context.Context, db querier, schema string) (version int, err error) {
	err = db.QueryRow(ctx, inSchema(schema, "select coalesce(max(version), 0) from {s}.scriptix_version")).Scan(&version)
	return version, err
}

// validate says what of the database does not fit this version of the package.
func validate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	var exists bool
	const find = "select exists (select from pg_tables where schemaname = $1 and tablename = 'scriptix_version')"
	if err := pool.QueryRow(ctx, find, schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("%w: the schema %q has no tables of a fleet", ErrNotMigrated, schema)
	}
	version, err := versionOf(ctx, pool, schema)
	if err != nil {
		return err
	}
	if version < latestVersion {
		return fmt.Errorf("%w: the schema %q is of version %d, and this program needs %d", ErrNotMigrated, schema, version, latestVersion)
	}
	migrator, err := newMigrator(pool, schema)
	if err != nil {
		return err
	}
	result, err := migrator.Validate(ctx, nil)
	if err != nil {
		return err
	}
	if !result.OK {
		return fmt.Errorf("%w: River's tables in schema %q: %s", ErrNotMigrated, schema, strings.Join(result.Messages, "; "))
	}
	return nil
}

// checkSchema refuses names that River does, or that leave no room for the
// names of the notification channels.
func checkSchema(schema string) error {
	const maxSchema = 46
	if len(schema) > maxSchema {
		return fmt.Errorf("fleet: the schema's name has %d bytes: at most %d are allowed", len(schema), maxSchema)
	}
	for i, c := range []byte(schema) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("fleet: the schema %q: letters, digits and _ are allowed", schema)
		}
	}
	return nil
}

// inSchema puts the schema's name into a statement, in place of {s}.
func inSchema(schema, sql string) string {
	return strings.ReplaceAll(sql, "{s}", pgx.Identifier{schema}.Sanitize())
}
