package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// classify gives err its kind, with doing for what was going on. What is no
// failure of the store, as a mistake in a query, comes back as it is.
func classify(doing string, err error) error {
	var known *dialect.Fault
	if err == nil || errors.As(err, &known) {
		return err
	}
	var raised *pgconn.PgError
	if errors.As(err, &raised) {
		kind, advice := classOf(raised.Code)
		if kind == nil {
			return err
		}
		return &dialect.Fault{Kind: kind, Doing: doing, Advice: advice, Err: err}
	}
	if !errors.Is(err, context.Canceled) && broken(err) {
		return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: doing, Advice: adviceUnreachable, Err: err}
	}
	return err
}

// broken reports whether err is about the connection and not about the query.
func broken(err error) bool {
	for _, one := range []error{context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, net.ErrClosed} {
		if errors.Is(err, one) {
			return true
		}
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

// classOf maps an SQLSTATE (PostgreSQL manual, appendix A); nil for what is the
// query's own fault.
func classOf(state string) (kind error, advice string) {
	switch state {
	case "23505":
		return dialect.ErrUnique, ""
	case "23503":
		return dialect.ErrForeignKey, ""
	case "23502", "23514":
		return dialect.ErrCheck, ""
	case "55P03": // lock_not_available
		return dialect.ErrBusy, adviceBusy
	case "53100":
		return dialect.ErrFull, adviceFull
	case "XX001", "XX002":
		return dialect.ErrCorrupt, adviceCorrupt
	case "25006": // read_only_sql_transaction
		return dialect.ErrUnavailable, adviceStandby
	case "42P01", "3F000": // undefined_table, invalid_schema_name
		return dialect.ErrUnavailable, adviceGone
	case "3D000", "42501": // invalid_catalog_name, insufficient_privilege
		return dialect.ErrUnavailable, adviceAccess
	}
	if len(state) < 2 {
		return nil, ""
	}
	switch state[:2] {
	case "40": // serialisation, deadlock: repeated by Write as long as there is time
		return dialect.ErrBusy, adviceBusy
	case "08", "25", "53", "57", "58", "XX":
		return dialect.ErrUnavailable, adviceUnreachable
	case "28": // wrong user or password
		return dialect.ErrUnavailable, adviceAccess
	}
	return nil, ""
}

// repeatable reports whether the same transaction may pass if it is run again:
// class 40 says that it was undone for the sake of another one. In 40003 the
// server does not know how it ended.
func repeatable(err error) bool {
	var raised *pgconn.PgError
	return errors.As(err, &raised) && len(raised.Code) == 5 && raised.Code[:2] == "40" && raised.Code != "40003"
}

// undone reports whether the server itself said that a commit did not happen. A
// connection that broke, and a server on its way down, leave that open.
func undone(err error) bool {
	var raised *pgconn.PgError
	if !errors.As(err, &raised) || len(raised.Code) != 5 {
		return false
	}
	return raised.Code != "40003" && raised.Code[:2] != "08" && raised.Code[:2] != "57"
}

const (
	adviceUnreachable = "Look whether PostgreSQL runs and can be reached from here (pg_isready with the host and port of store.url), and at its log. Evergate serves with the settings it last knew and carries on by itself once it is back."
	adviceBusy        = "Other transactions hold the rows for too long. Look at pg_stat_activity and pg_locks."
	adviceFull        = "The disk of PostgreSQL is full. Free some space there; Evergate carries on by itself."
	adviceCorrupt     = "PostgreSQL reports damaged data. Look at its log, and fail over to a standby or restore a backup."
	adviceStandby     = "This PostgreSQL takes no writes: it is a standby, or default_transaction_read_only is on. Name the primary, or all hosts, in store.url."
	adviceGone        = "The tables of Evergate are not in this database. If it was emptied or replaced, Evergate makes them anew and asks which settings hold (evergate store confirm)."
	adviceAccess      = "Check user, password and database in store.url, and pg_hba.conf. The user needs to create tables in the database's first schema."
)
