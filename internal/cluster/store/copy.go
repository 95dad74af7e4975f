package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// copyLimit bounds a whole Copy.
const copyLimit = 15 * time.Minute

// copyBatch is how many rows one INSERT carries. PostgreSQL takes 65,535
// parameters, SQLite 32,766; the widest table has 11 columns.
const copyBatch = 500

// tables are all tables with content, in the order in which they are copied. The
// identity comes with them: the copy is the same store. A test compares the list
// with the schema.
var tables = []string{"store_identity", "setting", "setting_head", "setting_due", "lease", "cert_file"}

// Copy puts everything that is in from into to, whose schema is there and which
// has nothing in it yet (else ErrExists): one moment of from, in one transaction
// of to, with the rows counted on both sides before it is committed. progress, if
// not nil, hears of each batch of rows; it may hear of a table twice.
func Copy(ctx context.Context, from, to *Store, progress func(table string, rows int)) error {
	ctx, cancel := context.WithTimeout(ctx, copyLimit)
	defer cancel()
	if progress == nil {
		progress = func(string, int) {}
	}
	err := from.read(ctx, copyLimit, func(source *Tx) error {
		return to.write(ctx, copyLimit, func(target *Tx) error {
			if err := checkEmpty(target); err != nil {
				return err
			}
			for _, table := range tables {
				if err := copyTable(source, target, table, progress); err != nil {
					return fmt.Errorf("table %s: %w", table, err)
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("copy the store: %w", err)
	}
	to.prod() // its identity has changed
	return nil
}

// checkEmpty refuses a target with content. What the migrations put there, the
// identity and a rev of 0, is none and makes room.
func checkEmpty(target *Tx) error {
	for _, table := range tables {
		var n int64
		query := "SELECT count(*) FROM " + table
		switch table {
		case "store_identity":
			continue
		case "setting_head":
			query += " WHERE rev > 0"
		}
		if err := target.QueryRow(query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("the target's table %s: %w; name an empty database", table, ErrExists)
		}
	}
	for _, table := range []string{"store_identity", "setting_head"} {
		if _, err := target.Exec("DELETE FROM " + table); err != nil {
			return err
		}
	}
	return nil
}

func copyTable(source, target *Tx, table string, progress func(string, int)) error {
	rows, err := source.Query("SELECT * FROM " + table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	var batch []any
	copied := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := target.Exec(insertion(table, columns, len(batch)/len(columns)), batch...); err != nil {
			return err
		}
		copied += len(batch) / len(columns)
		batch = batch[:0]
		progress(table, copied)
		return nil
	}
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		batch = append(batch, row...)
		if len(batch) == copyBatch*len(columns) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return compareCounts(source, target, table)
}

// insertion is an INSERT of n rows.
func insertion(table string, columns []string, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	for i := range n * len(columns) {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%len(columns) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	return b.String() + ")"
}

// compareCounts fails when the two tables do not have the same number of rows.
func compareCounts(source, target *Tx, table string) error {
	var have, want int64
	query := "SELECT count(*) FROM " + table
	if err := source.QueryRow(query).Scan(&want); err != nil {
		return err
	}
	if err := target.QueryRow(query).Scan(&have); err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("%d rows arrived of %d", have, want)
	}
	return nil
}
