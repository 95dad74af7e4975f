package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// Dialect says which SQL a transaction speaks. Queries are portable; what is not
// (guide durability, 2.4) asks it.
type Dialect = dialect.Name

const (
	SQLite   = dialect.SQLite
	Postgres = dialect.Postgres
)

// Tx is one transaction, for one goroutine and only inside the function that
// Write or Read calls.
//
// The first statement that fails ends it, on both engines: later ones answer
// the same error, and Write returns it even if the function returns nil. To go on
// after a taken key, write ON CONFLICT.
type Tx struct {
	session dialect.Session
	name    Dialect
	classed func(error) error // gives an engine's errors their kind
	wakes   []string          // channels to notify with the commit
	failed  error             // of the first statement that failed
}

// run calls fn and returns its error, or that of a statement that fn let pass.
func (tx *Tx) run(fn func(*Tx) error) error {
	if err := fn(tx); err != nil {
		return err
	}
	return tx.failed
}

// Context ends when the transaction must be over.
func (tx *Tx) Context() context.Context { return tx.session.Ctx }

// Dialect says which engine this is.
func (tx *Tx) Dialect() Dialect { return tx.name }

// Now is the store's time, in whole milliseconds UTC: the server's on PostgreSQL,
// the host's on SQLite. It is read once, so all rows of a transaction agree.
func (tx *Tx) Now() time.Time { return tx.session.Now }

// Notify wakes those who Listen to channel, on all nodes, once the transaction is
// committed. It is for what is rare: PostgreSQL takes a lock of the whole
// database for it. It may be lost, so listeners poll as well.
func (tx *Tx) Notify(channel string) { tx.wakes = append(tx.wakes, channel) }

// Exec runs a statement with $1, $2 ... for its arguments. Bools are stored as 0
// and 1, times as Unix milliseconds and json.RawMessage as text (nil as NULL).
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	result, err := tx.session.SQL.ExecContext(tx.session.Ctx, query, arguments(args)...)
	if err != nil {
		return nil, tx.fail(err)
	}
	return result, nil
}

// Query runs a query; arguments are as in Exec. The caller closes the rows, and
// before the next statement: PostgreSQL has one thing going per connection.
func (tx *Tx) Query(query string, args ...any) (*Rows, error) {
	if tx.failed != nil {
		return nil, tx.failed
	}
	rows, err := tx.session.SQL.QueryContext(tx.session.Ctx, query, arguments(args)...)
	if err != nil {
		return nil, tx.fail(err)
	}
	return &Rows{rows: rows, tx: tx}, nil
}

// QueryRow runs a query of which only the first row matters. What fails, fails in
// Scan; no row at all is sql.ErrNoRows there, which does not end the transaction.
func (tx *Tx) QueryRow(query string, args ...any) *Row {
	rows, err := tx.Query(query, args...)
	return &Row{rows: rows, err: err}
}

// fail remembers the first failure and returns it with its kind.
func (tx *Tx) fail(err error) error {
	err = tx.classed(err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// Rows is what Query found.
type Rows struct {
	rows *sql.Rows
	tx   *Tx
}

// Next steps to the next row; false at the end and after a failure (see Err).
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan reads the current row into dest, as sql.Rows does.
func (r *Rows) Scan(dest ...any) error { return r.rows.Scan(dest...) }

// Columns returns the names of the columns.
func (r *Rows) Columns() ([]string, error) { return r.rows.Columns() }

// Err returns what ended Next early.
func (r *Rows) Err() error {
	if err := r.rows.Err(); err != nil {
		return r.tx.fail(err)
	}
	return nil
}

// Close lets the rows go. Closing twice does nothing.
func (r *Rows) Close() error { return r.rows.Close() }

// Row is the first row that a query found.
type Row struct {
	rows *Rows
	err  error
}

// Scan reads the row, or returns sql.ErrNoRows when there is none.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	// INSERT ... RETURNING may give its row and fail after it.
	err := r.rows.Close()
	if err == nil {
		return r.rows.Err()
	}
	return r.rows.tx.fail(err)
}

// arguments turns what Go has into what both databases store alike.
func arguments(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case bool:
			out[i] = int64(0)
			if v {
				out[i] = int64(1)
			}
		case time.Time:
			out[i] = v.UnixMilli()
		case json.RawMessage:
			if v != nil {
				out[i] = string(v)
			}
		default:
			out[i] = arg
		}
	}
	return out
}

// NoRows reports whether err says that QueryRow found nothing.
func NoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
