// Package migrations is the schema of core.db and of its PostgreSQL twin, as
// numbered steps with the same numbers in both dialects, and runs them. Steps
// only expand (guide durability, 2.6): two releases use one store in an upgrade.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

//go:embed sqlite/core/*.sql postgres/core/*.sql
var files embed.FS

// VersionTable says which steps a database has had. The file's name is in it,
// because audit and metrics get tables of their own.
const VersionTable = "core_schema_version"

// lockTable keeps two nodes from migrating one PostgreSQL at the same time. A
// lease in a row, since no lock may hang on a connection (2.6).
const lockTable = "core_schema_lock"

// stepLimit bounds all steps together, should the database hang in the middle.
const stepLimit = 2 * time.Minute

// Core brings db's schema to what this binary knows. ErrNewerSchema means that
// db has had steps that this binary does not know: a newer release was here.
func Core(ctx context.Context, db *sql.DB, name dialect.Name) error {
	provider, err := provider(db, name)
	if err != nil {
		return err
	}
	have, know, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have > know {
		return newer(have, know)
	}
	if have == know {
		return nil
	}
	// ctx is for asking; a step over a large table takes as long as it takes.
	stepping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepLimit)
	defer cancel()
	if _, err := provider.Up(stepping); err != nil {
		return fmt.Errorf("bring the schema from version %d to %d: %w", have, know, err)
	}
	return nil
}

// Newest is the version of the schema that this binary makes.
func Newest() int64 {
	steps, err := fs.Glob(files, "sqlite/core/*.sql")
	if err != nil {
		panic(err) // the pattern is fixed
	}
	return int64(len(steps)) // numbered from 1 without a gap; a test keeps that
}

func provider(db *sql.DB, name dialect.Name) (*goose.Provider, error) {
	steps, err := fs.Sub(files, string(name)+"/core")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithTableName(VersionTable),
		goose.WithSlog(slog.New(slog.DiscardHandler)),
		goose.WithDisableGlobalRegistry(true),
	}
	if name == dialect.SQLite {
		return goose.NewProvider(goose.DialectSQLite3, db, steps, options...)
	}
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName(lockTable),
		lock.WithTableLeaseDuration(30*time.Second),
		lock.WithTableHeartbeatInterval(5*time.Second),
		lock.WithTableLockTimeout(200*time.Millisecond, 300),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, steps, append(options, goose.WithLocker(locker))...)
}

func newer(have, know int64) error {
	return &dialect.Fault{
		Kind:   dialect.ErrNewerSchema,
		Doing:  fmt.Sprintf("open the store: its schema is version %d and this Evergate knows up to %d", have, know),
		Advice: "Start the Evergate release that last ran here, or a newer one. To go back to this release, restore a backup that it made (evergate store restore).",
	}
}
