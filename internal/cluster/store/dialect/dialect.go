// Package dialect is what the store and its two engines, sqlite and postgres,
// say to each other: the name of a dialect, something that runs SQL, and the
// kinds of failure that a caller decides by.
package dialect

import (
	"context"
	"database/sql"
	"time"
)

// Name says which SQL is spoken.
type Name string

const (
	SQLite   Name = "sqlite"
	Postgres Name = "postgres"
)

// Querier runs SQL inside one transaction: *sql.Tx and *sql.Conn do.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Session is one transaction as an engine hands it out. It is for one goroutine,
// and only until the function it was given to returns.
type Session struct {
	Ctx context.Context // ends with the transaction's deadline, not with the caller's request (W3)
	SQL Querier
	Now time.Time // the store's time, read once, in whole milliseconds
}

// Identity is which database this is.
type Identity struct {
	Store    string // made with the schema, and copied by backup and migration
	System   string // PostgreSQL's system identifier; "" when unknown and on SQLite
	Timeline int64  // PostgreSQL's timeline: rises with each promotion; 0 when unknown and on SQLite
}

// SkipLocked goes at the end of a SELECT ... LIMIT that claims rows, as in UPDATE
// ... WHERE id IN (SELECT ...) RETURNING, so that parallel workers take different
// rows and do not wait for each other. On SQLite a writer is alone anyway.
func (n Name) SkipLocked() string {
	if n == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
