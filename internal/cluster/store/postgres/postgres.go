// Package postgres is the store's engine for several nodes: one PostgreSQL
// database through database/sql, with every wait bounded in time, and one
// connection of its own that listens for wake-ups. What it guarantees is in
// ../DESIGN.md.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// Options says which database and who hears of its wake-ups.
type Options struct {
	Config   Config
	PollOnly bool                 // do not listen
	Wake     func(channel string) // a notification came; "" is for all channels. May be called from several goroutines
	Log      *slog.Logger         // not nil
}

// DB is a connected database. It is safe for concurrent use.
type DB struct {
	opts     Options
	pool     *sql.DB
	listener *listener // nil with PollOnly
	blind    bool      // the server does not tell its system identifier and timeline
}

// Connect reaches the database, calls migrate to bring its schema up to date and
// begins to listen. Errors have their kind (dialect.Fault).
func Connect(ctx context.Context, o Options, migrate func(context.Context, *sql.DB) error) (_ *DB, err error) {
	db := &DB{opts: o, pool: stdlib.OpenDB(*o.Config.conn)}
	db.pool.SetMaxOpenConns(poolSize)
	db.pool.SetMaxIdleConns(poolSize)
	db.pool.SetConnMaxIdleTime(time.Minute)
	db.pool.SetConnMaxLifetime(10*time.Minute + rand.N(time.Minute)) // follows a name that moves to another host
	defer func() {
		if err != nil {
			go db.pool.Close() //nolint:errcheck // of a database that could not be used
		}
	}()
	doing := "connect to " + o.Config.String()
	if err := db.pool.PingContext(ctx); err != nil {
		return nil, classify(doing, err)
	}
	db.warnUnsafe(ctx)
	if err := migrate(ctx, db.pool); err != nil {
		return nil, classify("prepare "+o.Config.String(), err)
	}
	if err := db.settle(ctx); err != nil {
		return nil, classify("prepare "+o.Config.String(), err)
	}
	if !o.PollOnly {
		db.listener = listen(o)
	}
	return db, nil
}

// warnUnsafe says when the server would lose what it calls committed.
func (db *DB) warnUnsafe(ctx context.Context) {
	var fsync string
	if err := db.pool.QueryRowContext(ctx, "SELECT current_setting('fsync')").Scan(&fsync); err == nil && fsync == "off" {
		db.opts.Log.Warn("PostgreSQL runs with fsync = off: a power failure may lose or damage everything in it")
	}
}

// settle makes the identity of a new database, and finds out what the server
// tells of itself.
func (db *DB) settle(ctx context.Context) error {
	_, err := db.pool.ExecContext(ctx,
		"INSERT INTO store_identity (one, id, created_at) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING",
		dialect.NewIdentity(), time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if _, _, err := db.server(ctx); err != nil {
		var fault *dialect.Fault
		if errors.As(classify("", err), &fault) && fault.Advice != adviceAccess {
			return err
		}
		db.blind = true
		db.opts.Log.Info("PostgreSQL does not tell its timeline, so a former primary that comes back cannot be recognised", "error", err)
	}
	return nil
}

// server asks for the system identifier and the timeline. The timeline is that of
// the WAL's current file name: pg_control_checkpoint shows a promotion only after
// the next checkpoint (guide durability, 12).
func (db *DB) server(ctx context.Context) (system string, timeline int64, err error) {
	var hex string
	err = db.pool.QueryRowContext(ctx,
		"SELECT (SELECT system_identifier::text FROM pg_control_system()), substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)").Scan(&system, &hex)
	if err != nil {
		return "", 0, err
	}
	timeline, err = strconv.ParseInt(hex, 16, 64)
	if err != nil {
		return "", 0, fmt.Errorf("read the timeline: %w", err)
	}
	return system, timeline, nil
}

// Write runs fn in a transaction and returns once it is committed. It repeats
// what the server undid for another transaction, so fn may run more than once.
// Nothing waits longer than ctx's deadline, and no longer than writeLimit when ctx
// has none. A commit whose answer did not come is ErrOutcomeUnknown.
func (db *DB) Write(ctx context.Context, fn func(dialect.Session) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, writeLimit)
		defer cancel()
	}
	for attempt := 0; ; attempt++ {
		err := db.once(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, fn)
		if err == nil || !repeatable(err) || attempt == 10 {
			return err
		}
		wait := rand.N(5 * time.Millisecond << min(attempt, 6))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// Read runs fn on one moment of the database.
func (db *DB) Read(ctx context.Context, fn func(dialect.Session) error) error {
	return db.once(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

// once is one try of a transaction.
func (db *DB) once(ctx context.Context, o *sql.TxOptions, fn func(dialect.Session) error) error {
	tx, session, err := db.begin(ctx, o)
	if err != nil && errors.Is(err, dialect.ErrUnavailable) && ctx.Err() == nil {
		// Nothing has happened yet, and the pool may have handed out a connection
		// that died while it was idle.
		tx, session, err = db.begin(ctx, o)
	}
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback() // fails when the connection did, and then there is nothing to undo
		}
	}()
	if err := fn(session); err != nil {
		return err
	}
	err = tx.Commit()
	committed = true
	switch {
	case err == nil:
		return nil
	case undone(err):
		return classify("commit to "+db.opts.Config.String(), err)
	case o.ReadOnly:
		return classify("read "+db.opts.Config.String(), err)
	}
	return &dialect.Fault{Kind: dialect.ErrOutcomeUnknown, Doing: "commit to " + db.opts.Config.String(), Advice: adviceUnreachable, Err: err}
}

// begin starts a transaction and reads the server's time. The same query bounds
// what the server may wait for, should this client vanish, and raises a
// synchronous_commit of off, with which a commit is not durable (W1). It is set
// here and not on the connection, because behind PgBouncer the next transaction
// may be on another one.
func (db *DB) begin(ctx context.Context, o *sql.TxOptions) (*sql.Tx, dialect.Session, error) {
	doing := "begin a transaction on " + db.opts.Config.String()
	tx, err := db.pool.BeginTx(ctx, o)
	if err != nil {
		return nil, dialect.Session{}, classify(doing, err)
	}
	limit := writeLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(time.Until(deadline), time.Millisecond)
	}
	var millis int64
	var ignored [4]string
	err = tx.QueryRowContext(ctx, `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
		set_config('statement_timeout', $1, true),
		set_config('lock_timeout', $1, true),
		set_config('idle_in_transaction_session_timeout', $2, true),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)`,
		strconv.FormatInt(max(limit.Milliseconds(), 1), 10), strconv.FormatInt((limit+idleLimit).Milliseconds(), 10),
	).Scan(&millis, &ignored[0], &ignored[1], &ignored[2], &ignored[3])
	if err != nil {
		_ = tx.Rollback()
		return nil, dialect.Session{}, classify(doing, err)
	}
	return tx, dialect.Session{Ctx: ctx, SQL: tx, Now: time.UnixMilli(millis).UTC()}, nil
}

// notifyChannel is the one channel of PostgreSQL; ours are in its payload, so
// that one LISTEN serves all.
const notifyChannel = "evergate"

// Announce is part of a Write: it notifies all nodes with the commit.
func (db *DB) Announce(s dialect.Session, channels []string) error {
	for _, channel := range channels {
		if _, err := s.SQL.ExecContext(s.Ctx, "SELECT pg_notify($1, $2)", notifyChannel, channel); err != nil {
			return db.Classify(err)
		}
	}
	return nil
}

// Classify gives an error of a statement its kind.
func (db *DB) Classify(err error) error { return classify("use "+db.opts.Config.String(), err) }

// Probe asks which database this is, and so whether it answers.
func (db *DB) Probe(ctx context.Context) (dialect.Identity, error) {
	var id dialect.Identity
	doing := "ask " + db.opts.Config.String()
	if err := db.pool.QueryRowContext(ctx, "SELECT id FROM store_identity WHERE one = 1").Scan(&id.Store); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return id, &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: doing, Advice: adviceGone, Err: err}
		}
		return id, classify(doing, err)
	}
	if db.blind {
		return id, nil
	}
	var err error
	id.System, id.Timeline, err = db.server(ctx)
	return id, classify(doing, err)
}

// Prove makes a change that changes nothing: after a loss only a write that was
// committed shows that the next one can be.
func (db *DB) Prove(ctx context.Context) error {
	return db.Write(ctx, func(s dialect.Session) error {
		_, err := s.SQL.ExecContext(s.Ctx, "UPDATE store_identity SET created_at = created_at")
		return db.Classify(err)
	})
}

// Close ends all connections. It does not wait for a server that hangs.
func (db *DB) Close() error {
	if db.listener != nil {
		db.listener.stop()
	}
	done := make(chan error, 1)
	go func() { done <- db.pool.Close() }()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return nil // the goroutine ends with the deadlines of its connections
	}
}
